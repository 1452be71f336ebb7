"""The equation of all inquiries: received, by outcome."""

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.scoreboard.domain.conservation import Terms, conserve
from services.scoreboard.store import queries
from shared.db import gaps
from shared.http.auth import require
from shared.http.responses import NO_STORE, json_response
from shared.runtime.service import Platform


class ConservationView(Terms, frozen=True, kw_only=True):
    """The equation's terms, and whether they agree with nothing left unread."""

    balanced: bool


def router(platform: Platform) -> APIRouter:
    """The route; it needs a key with `leads:read`."""
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/conservation", summary="Every inquiry received, by what became of it")
    async def conservation() -> Response:
        async with platform.db.read() as tx:
            equation = conserve(await queries.conservation_counts(tx))
            unread = await gaps.open_gaps(tx)
        view = msgspec.convert(equation, ConservationView, from_attributes=True)
        if unread:
            view = msgspec.structs.replace(view, balanced=False)
        return json_response(view, headers=NO_STORE)

    return routes
