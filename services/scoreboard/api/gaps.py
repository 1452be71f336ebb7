"""What is missing in the log, for operators: to read, to have sent again, and to accept."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response

from services.scoreboard.domain.conservation import WRITTEN_OFF, conserve
from services.scoreboard.domain.counters import ALL, EVENTS
from services.scoreboard.store import queries, rows
from shared.bus.envelope import instant
from shared.db import gaps, outbox
from shared.db.gaps import Gap
from shared.domain.events import ASSIGNMENTS, ESCALATIONS, QUARANTINE
from shared.http.fields import Body, Instant
from shared.runtime.service import Platform

DECIDERS = ("router", "sla_monitor", "delivery", "scoreboard")
TOPICS = (ASSIGNMENTS, ESCALATIONS, QUARANTINE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Since(Body):
    """From when on published events are sent again; all that are retained if it is left out."""

    since: Instant | None = None


def router(platform: Platform) -> APIRouter:
    """The routes. Reading needs a key with `leads:read`, the others one with `operate`."""

    def needs(scope: str) -> Any:
        def check(authorization: Annotated[str | None, Header()] = None) -> None:
            platform.keys.authorise(authorization, scope)

        return Depends(check)

    routes = APIRouter()

    reads, operates = [needs("leads:read")], [needs("operate")]

    @routes.get("/v1/gaps", summary="Records that were gone from the log before they were read", dependencies=reads)
    async def read() -> Response:
        async with platform.db.read() as tx:
            found = await gaps.open_gaps(tx)
        return _json({"items": [_shown(gap) for gap in found]})

    @routes.post(
        "/v1/gaps/resend",
        summary="Publish again what the services decided and still have",
        dependencies=operates,
    )
    async def resend(ask: Since) -> Response:
        async with platform.db.begin() as tx:
            count = await outbox.send_again(tx, DECIDERS, topics=TOPICS, since=ask.since or _EPOCH)
        return _json({"events": count})

    @routes.post("/v1/gaps/accept", summary="Go on behind what is missing", dependencies=operates)
    async def accept() -> Response:
        async with platform.db.begin() as tx:
            found = await gaps.open_gaps(tx)
            await gaps.accept(tx, found, platform.clock.now())
            missing = conserve(await queries.conservation_counts(tx)).missing
            if missing:
                await rows.add_counts(tx, {(ALL, 0, WRITTEN_OFF): missing, (ALL, 0, EVENTS): 1})
        return _json({"items": [_shown(gap) for gap in found], "inquiries": missing})

    return routes


def _shown(gap: Gap) -> dict[str, Any]:
    return {
        "service": gap.service,
        "topic": gap.topic,
        "partition": gap.partition,
        "from_offset": gap.from_offset,
        "to_offset": gap.to_offset,
        "records": None if gap.to_offset is None else gap.to_offset - gap.from_offset + 1,
        "reason": gap.reason,
        "found_at": instant(gap.found_at),
        "detail": str(gap),
    }


def _json(body: Any) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"cache-control": "no-store"})
