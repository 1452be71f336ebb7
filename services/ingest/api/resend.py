"""The operator's route to have accepted facts published again."""

from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.ingest.spool.resend import request
from shared.http.auth import Keys


class Since(BaseModel):
    """From when on accepted facts are sent again; all that are retained if it is left out."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None


def router(folder: Path, keys: Keys) -> APIRouter:
    """The operator's route; it needs a key with `operate`."""

    def operator(authorization: Annotated[str | None, Header()] = None) -> None:
        keys.authorise(authorization, "operate")

    routes = APIRouter()

    @routes.post(
        "/v1/spool/resend", summary="Publish again what was accepted and is retained", dependencies=[Depends(operator)]
    )
    async def resend(ask: Since) -> Response:
        made = request(folder, ask.since)
        return Response(msgspec.json.encode({"request": made.id}), media_type="application/json")

    return routes
