"""The operator's route to have accepted facts published again."""

from pathlib import Path

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.ingest.spool.resend import request
from shared.http.auth import require
from shared.http.fields import Since
from shared.http.keys import Keys
from shared.http.responses import json_response


class ResendView(msgspec.Struct, frozen=True):
    """The request by which it will be known."""

    request: str


def router(folder: Path, keys: Keys) -> APIRouter:
    """The operator's route; it needs a key with `operate`."""
    routes = APIRouter(dependencies=[require(keys, "operate")])

    @routes.post("/v1/spool/resend", summary="Publish again what was accepted and is retained")
    async def resend(ask: Since) -> Response:
        return json_response(ResendView(request(folder, ask.since).id))

    return routes
