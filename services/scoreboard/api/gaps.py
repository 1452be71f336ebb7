"""Missing records, for operators: list, resend and accept."""

from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.scoreboard.store import numbers
from shared.bus.envelope import instant
from shared.db import gaps, outbox
from shared.db.gaps import Gap
from shared.domain.events import ASSIGNMENTS, ESCALATIONS, QUARANTINE
from shared.http.auth import require
from shared.http.fields import Since
from shared.http.responses import NO_STORE, json_response
from shared.runtime.service import Platform

DECIDERS = ("router", "sla_monitor", "delivery", "scoreboard")
TOPICS = (ASSIGNMENTS, ESCALATIONS, QUARANTINE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GapView(msgspec.Struct, frozen=True):
    """Records that disappeared before a service read them; `to_offset` is None if unknown."""

    service: str
    topic: str
    partition: int
    from_offset: int
    to_offset: int | None
    records: int | None
    reason: str
    found_at: str
    detail: str


class GapsView(msgspec.Struct, frozen=True):
    """All of them."""

    items: list[GapView]


class AcceptedGaps(msgspec.Struct, frozen=True):
    """The accepted gaps, and the number of lost inquiries."""

    items: list[GapView]
    inquiries: int


class ResentEvents(msgspec.Struct, frozen=True):
    """How many events are published again."""

    events: int


def router(platform: Platform) -> APIRouter:
    """The routes. Reading needs a key with `leads:read`, the others one with `operate`."""
    routes = APIRouter()
    reads, operates = [require(platform.keys, "leads:read")], [require(platform.keys, "operate")]

    @routes.get("/v1/gaps", summary="Records that were gone from the log before they were read", dependencies=reads)
    async def read() -> Response:
        async with platform.db.read() as tx:
            found = await gaps.open_gaps(tx)
        return json_response(GapsView([_view(gap) for gap in found]), headers=NO_STORE)

    @routes.post(
        "/v1/gaps/resend",
        summary="Publish again what the services decided and still have",
        dependencies=operates,
    )
    async def resend(ask: Since) -> Response:
        async with platform.db.begin() as tx:
            count = await outbox.send_again(tx, DECIDERS, topics=TOPICS, since=ask.since or _EPOCH)
        return json_response(ResentEvents(count), headers=NO_STORE)

    @routes.post("/v1/gaps/accept", summary="Go on behind what is missing", dependencies=operates)
    async def accept() -> Response:
        async with platform.db.begin() as tx:
            found = await gaps.open_gaps(tx)
            await gaps.accept(tx, found, platform.clock.now())
            missing = await numbers.accept_missing(tx)
        return json_response(AcceptedGaps([_view(gap) for gap in found], missing), headers=NO_STORE)

    return routes


def _view(gap: Gap) -> GapView:
    return GapView(
        service=gap.service,
        topic=gap.topic,
        partition=gap.partition,
        from_offset=gap.from_offset,
        to_offset=gap.to_offset,
        records=None if gap.to_offset is None else gap.to_offset - gap.from_offset + 1,
        reason=gap.reason,
        found_at=instant(gap.found_at),
        detail=str(gap),
    )
