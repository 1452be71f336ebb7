"""Try a draft on the recorded past, from the agreement's page. It changes nothing, so whoever may look at pages may
ask; one runs at a time.
"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.router.api.reading import answer
from services.router.handlers.sitting import AgreementAt
from services.router.simulation.running import Plan, simulated
from services.router.simulation.showing import text
from shared import agreement_file
from shared.access import may_view
from shared.agreement_file import AgreementRefused
from shared.domain.errors import Refused
from shared.http.fields import Instant
from shared.runtime.service import Platform

PATH = "/v1/agreement/simulations"
LARGEST = 1 << 20


def router(platform: Platform, agreement_at: AgreementAt) -> APIRouter:
    """The route."""

    def viewer(request: Request) -> None:
        may_view(request.scope, platform.settings, platform.keys)

    routes = APIRouter(dependencies=[Depends(viewer)])

    @routes.post(PATH)
    async def simulate(request: Request, since: Annotated[Instant | None, Query()] = None) -> Response:
        """Replay the record under the draft in the body (`application/yaml`) and say, in sums and for the first leads,
        what would have been different. Drafts of pilots are those of the agreement in force.
        """
        draft = await _draft(request)
        async with platform.db.read() as tx:
            now = await platform.db.now(tx)
        in_force = agreement_at(now)
        try:
            agreed = agreement_file.parse(draft, "draft.yaml", drafts=in_force.drafts).agreement
        except AgreementRefused as refused:
            raise Refused(refused.detail) from refused
        summary = await simulated(platform.db.url, Plan(agreed, None, since, now))
        return answer({**msgspec.to_builtins(summary), "text": text(summary)})

    return routes


async def _draft(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/yaml":
        # No page of another site can send this type without being allowed to.
        raise Refused("Send the draft as 'Content-Type: application/yaml'.", status=415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise Refused("The draft is larger than 1 MiB: it can't be an agreement.", status=413)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"Byte {error.start} of the draft is not UTF-8: save it as UTF-8.") from error
