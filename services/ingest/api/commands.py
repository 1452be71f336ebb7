"""The operator's routes: have accepted facts published again, and take the clock of this machine as right."""

from pathlib import Path

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.ingest.spool.resend import request
from services.ingest.spool.writer import Spool
from shared.http.auth import require
from shared.http.fields import Since
from shared.http.keys import Keys
from shared.http.responses import json_response


class ResendView(msgspec.Struct, frozen=True):
    """The request by which it will be known."""

    request: str


class ClockAccepted(msgspec.Struct, frozen=True):
    """The ingest instance whose clock counts as right."""

    instance: str
    clock: str = "accepted"


def router(folder: Path, spool: Spool, keys: Keys) -> APIRouter:
    """The routes; they need a key with `operate`."""
    routes = APIRouter(dependencies=[require(keys, "operate")])

    @routes.post("/v1/spool/resend", summary="Publish again what was accepted and is retained")
    async def resend(ask: Since) -> Response:
        return json_response(ResendView(request(folder, ask.since).id))

    @routes.post("/v1/clock/accept", summary="Take the clock of the ingest machine as right, though it was stepped")
    async def accept_clock() -> Response:
        await spool.accept_clock()
        return json_response(ClockAccepted(spool.instance))

    return routes
