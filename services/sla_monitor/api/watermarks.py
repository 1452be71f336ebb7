"""How far verdicts are behind and what they wait for.

Pages show this too, so everyone who may view pages may read it; others need a key with the scope `leads:read`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from fastapi import APIRouter, Response

from services.sla_monitor.domain.lag import PartitionLag, lags, summary
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import watermarks as watermark_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.tables import tables
from shared.db import position
from shared.domain.errors import Unavailable
from shared.domain.events import ACTIVITIES, ASSIGNMENTS
from shared.http.auth import require_viewer
from shared.http.responses import NO_STORE, json_response
from shared.ports import Bus, TopicPartition
from shared.runtime.service import Platform

TOPICS = (ACTIVITIES, ASSIGNMENTS)
COUNT_TO = 1000
PATIENCE_S = 2.0
"""For how long the log may take to say what it has. Someone is looking at the board."""


class WatermarksView(msgspec.Struct, frozen=True):
    """Every partition as of `now`, by the database's clock, and a `summary` in words. `held` are the reasons why
    verdicts wait, without duplicates. `leads_on_hold` counts leads with an activity that could not be read, up to
    1,000.
    """

    now: datetime
    summary: str
    partitions: list[PartitionLag]
    held: list[str]
    leads_on_hold: int


def router(platform: Platform, tolerance: timedelta) -> APIRouter:
    """The route. `tolerance` is how far clocks may differ."""
    routes = APIRouter(dependencies=[require_viewer(platform.settings, platform.keys)])
    database, bus = platform.db, platform.bus

    @routes.get("/v1/watermarks")
    async def watermarks() -> Response:
        """Up to when the facts of each partition are complete, what is still unread (null while the log does not
        answer), and why verdicts wait.
        """
        partitions = range(bus.partitions(ACTIVITIES))
        places = [(topic, number) for topic in TOPICS for number in partitions]
        async with database.read() as tx:
            now = await database.now(tx)
            marks = await watermark_store.watermarks(tx)
            looks = await window_store.first_looks(tx, len(partitions))
            read = await position.reached(tx, tables, places)
            on_hold = await hold_store.leads_on_hold(tx, limit=COUNT_TO)
        unread = await _unread(bus, places, read)
        found = lags(marks, looks, unread, now=now, tolerance=tolerance)
        held = list(dict.fromkeys(lag.held for lag in found if lag.held is not None))
        return json_response(WatermarksView(now, summary(found, on_hold), found, held, on_hold), headers=NO_STORE)

    return routes


async def _unread(
    bus: Bus, places: Sequence[TopicPartition], read: Mapping[TopicPartition, int]
) -> dict[int, int | None]:
    """How many records of each partition are not handled yet; None of all if the log does not answer."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            spans = await bus.spans(places)
    except (Unavailable, TimeoutError):
        return dict.fromkeys([number for _, number in places])
    unread = dict.fromkeys([number for _, number in places], 0)
    for place, span in spans.items():
        unread[place[1]] += max(span.end - max(read.get(place, 0), span.start), 0)
    return {**unread}
