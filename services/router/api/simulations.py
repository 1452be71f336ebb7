"""Try a draft on the recorded past, from the agreement's page: without a key on this machine, elsewhere with one that
carries `operate`, since it takes much time. One runs at a time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.router.handlers.transaction import AgreementAt
from services.router.simulation.process import Simulations, Wanted
from shared.domain.errors import Refused, Unavailable
from shared.http.auth import require_viewer
from shared.http.fields import Instant
from shared.http.responses import json_response
from shared.runtime.service import Platform

PATH = "/v1/agreement/simulations"
MAX_DRAFT_BYTES = 256 * 1024


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The route."""
    simulations = Simulations()
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys, "operate")])

    @routes.post(PATH)
    async def simulate(request: Request, since: Annotated[Instant | None, Query()] = None) -> Response:
        """Replay the record under the draft in the body (`application/yaml`) and return what would have been different,
        in totals and for the first leads. Drafts of pilots are those of the agreement in force.
        """
        draft = await _draft(request)
        async with platform.db.read() as tx:
            now = await platform.db.now(tx)
        in_force = agreement_at(now)
        wanted = Wanted(platform.db.url, draft, in_force.files, since, now)
        return json_response(await _while_connected(request, simulations.run(wanted)))

    return routes


async def _while_connected(request: Request, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """What the work comes to; it is cancelled when the client goes away."""
    running = asyncio.create_task(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise Unavailable("The client disconnected, and the simulation was stopped.")
        return running.result()
    finally:
        for task in (running, gone):
            task.cancel()
        await asyncio.gather(running, gone, return_exceptions=True)


async def _draft(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/yaml":
        # Pages of other sites cannot send this type without a CORS permission.
        raise Refused("Send the draft as 'Content-Type: application/yaml'.", status=415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_DRAFT_BYTES:
            raise Refused("The draft is larger than 256 KiB.", status=413)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"Byte {error.start} of the draft is not UTF-8: save it as UTF-8.") from error
