"""How promises do in pilots. Open to everyone who may view pages."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.scoreboard.domain.pilots import ArmFigures
from services.scoreboard.store import pilots as store
from shared.domain.agreement import PILOT_DAYS
from shared.http.auth import require_viewer
from shared.http.responses import NO_STORE, page_response
from shared.runtime.service import Platform


class PilotPromises(msgspec.Struct, frozen=True):
    """First responses that were promised to leads in the pilot's scope, by who decided on the lead first."""

    pilot: str
    arms: Mapping[str, ArmFigures]


def router(platform: Platform) -> APIRouter:
    """The route."""
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys)])

    @routes.get("/v1/pilots/promises", summary="First responses that were promised in the scope of each pilot")
    async def promises() -> Response:
        async with platform.db.read() as tx:
            since = await platform.db.now(tx) - timedelta(days=PILOT_DAYS)
            found = await store.promises(tx, since)
        items = [PilotPromises(pilot, arms) for pilot, arms in found.items()]
        return page_response(items, None, headers=NO_STORE)

    return routes
