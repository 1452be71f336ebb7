"""The figures of a day, and how long the buyer of one lead waited."""

from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.scoreboard.domain.day import day_of, quarter_of
from services.scoreboard.domain.kpis import kpis
from services.scoreboard.domain.waits import Wait
from services.scoreboard.store import queries, waits
from shared.agreements import store as agreements
from shared.domain.errors import NotFound
from shared.domain.zones import time_zone
from shared.http.auth import require
from shared.http.fields import Text
from shared.http.responses import NO_STORE, json_response
from shared.runtime.service import Platform

Day = Annotated[date, Query(ge=date(2000, 1, 1), le=date(2200, 1, 1))]
"""A local date, within bounds that every zone has."""


class Figure(msgspec.Struct, frozen=True):
    """One figure; `share` is it as a part of the step before, null if there is none."""

    name: str
    count: int
    share: float | None
    meaning: str


class Percentiles(msgspec.Struct, frozen=True):
    """Half of the answered leads waited at most `median` seconds, 95 of 100 at most `p95`; null without any."""

    median: float | None
    p95: float | None


class ResponseTimes(msgspec.Struct, frozen=True):
    """First responses to leads whose inquiry came in on the day, in seconds: of buyers from the inquiry on, of reps
    from the hand-off on, each by the clock and in working time. `unanswered` are in no percentile.
    """

    answered: int
    unanswered: int
    buyer: Percentiles
    buyer_in_working_time: Percentiles
    rep: Percentiles
    rep_in_working_time: Percentiles


class DayFigures(msgspec.Struct, frozen=True):
    """The figures of a local day. Of `breached`, `charged_to_pipeline` are not the reps' fault."""

    date: str
    zone: str
    figures: list[Figure]
    breached: int
    charged_to_pipeline: int
    response_times: ResponseTimes


class WaitView(msgspec.Struct, frozen=True):
    """A buyer's wait in one cycle of a lead, next to the rep's response time; null where it is not known yet."""

    cycle: int
    asked_at: datetime
    answered_at: datetime | None
    rep: str | None
    since_at: datetime | None
    buyer_s: float | None
    buyer_work_s: float | None
    rep_s: float | None
    rep_work_s: float | None


class Waits(msgspec.Struct, frozen=True):
    """All cycles of a lead, the first one first."""

    lead_id: str
    waits: list[WaitView]


def router(platform: Platform, chosen: ZoneInfo | None) -> APIRouter:
    """The routes; they need a key with `leads:read`. Days are those of the `chosen` zone, or else the agreement's."""
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/kpis", summary="The figures of a day, today's unless another date is given")
    async def day_figures(day: Day | None = None) -> Response:
        now = platform.clock.now()
        async with platform.db.read() as tx:
            agreement = await agreements.in_force(tx, now) if chosen is None else None
            zone = chosen or time_zone(agreement.timezone if agreement is not None else "UTC")
            wanted = day_of(now if day is None else datetime.combine(day, time(12), zone), zone)
            counted = await queries.period_counts(tx, quarter_of(wanted.start_at), quarter_of(wanted.end_at))
            found = await waits.figures(tx, wanted.start_at, wanted.end_at)
        view = DayFigures(
            date=wanted.date.isoformat(),
            zone=zone.key,
            figures=[Figure(each.name, each.count, each.share, each.meaning) for each in kpis(counted)],
            breached=counted.get("breached", 0),
            charged_to_pipeline=counted.get("breached_by_pipeline", 0),
            response_times=_response_times(found),
        )
        return json_response(view, headers=NO_STORE)

    @routes.get("/v1/leads/{lead_id}/waits", summary="How long the buyer waited, and the rep's own response time")
    async def waits_of_lead(lead_id: Text) -> Response:
        async with platform.db.read() as tx:
            found = await waits.waits_of(tx, lead_id)
        if not found:
            raise NotFound("No buyer waits under this id: no lead of it qualified, or it became part of another lead.")
        return json_response(Waits(lead_id, [_view(wait) for wait in found]), headers=NO_STORE)

    return routes


def _view(wait: Wait) -> WaitView:
    return msgspec.convert(wait, WaitView, from_attributes=True)


def _response_times(found: waits.WaitFigures) -> ResponseTimes:
    def of(measure: str) -> Percentiles:
        return Percentiles(found.median[measure], found.p95[measure])

    times = [of(measure) for measure in ("buyer_s", "buyer_work_s", "rep_s", "rep_work_s")]
    return ResponseTimes(found.answered, found.unanswered, *times)
