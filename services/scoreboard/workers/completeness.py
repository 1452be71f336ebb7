"""Finds out how many inquiries must have been read by now, by ingest's own count, so that a lost one shows.

A marker on the activities says how many inquiries its ingest instance has put on the log before it. Inquiries are on a
topic of their own, so a marker alone proves nothing: only once everything is read that the log had when the marker was
known, an inquiry that it counted and nobody read is surely missing.
"""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from services.scoreboard.domain.conservation import DUE
from services.scoreboard.domain.counters import ALL, EVENTS
from services.scoreboard.store import queries, rows
from services.scoreboard.store.tables import tables
from shared.db import position
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, INQUIRIES, QUARANTINE
from shared.ports import Bus, TopicPartition
from shared.runtime.outage import until_back

EVERY_S = 2.0
TOPICS = (INQUIRIES, ACTIVITIES, QUARANTINE)
"""Where inquiries, what was set aside, and a former instance's sign-off come."""


class Completeness:
    """Keeps the count of acceptances that are due. Several processes may run one each: every count is a true one."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._counted: Mapping[str, int] = {}
        self._ends: Mapping[TopicPartition, int] | None = None

    async def run(self) -> NoReturn:
        """Look every two seconds until cancelled. Outages are waited out."""
        while True:
            await until_back(self.look, service="scoreboard", task="completeness")
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """If all is read that the log had when the counts were taken, they are due; then take the next ones."""
        places = [(topic, number) for topic in TOPICS for number in range(self._bus.partitions(topic))]
        async with self._database.begin() as tx:
            # The positions first: what is counted next is at least what they had been given.
            at = await position.positions(tx, tables, places)
            counted = await queries.counted_by_ingest(tx)
            if self._ends is not None:
                if any(at[place] < end for place, end in self._ends.items()):
                    return
                # A spool that goes on under another name takes its count along: the former name's falls to 0.
                due = sum(min(count, counted[instance]) for instance, count in self._counted.items())
                if await rows.set_count(tx, DUE, due):
                    await rows.add_counts(tx, {(ALL, 0, EVENTS): 1})
        spans = await self._bus.spans(places)
        self._counted, self._ends = counted, {place: span.end for place, span in spans.items()}
