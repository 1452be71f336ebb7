"""Finds lost inquiries by the numbers that ingest gives them.

A marker on the activities topic carries the last number that its spool published before it. Inquiries are on a
different topic, so a marker alone proves nothing. Once everything is read that the log had when the marker was known, a
number that was not read is certainly missing.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

import msgspec

from services.scoreboard.store import numbers
from services.scoreboard.store.numbers import Marked
from services.scoreboard.store.tables import tables
from shared.db import position
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, INQUIRIES, QUARANTINE
from shared.ports import Bus, Span, TopicPartition
from shared.runtime.backoff import until_back

EVERY_S = 2.0
TOPICS = (INQUIRIES, ACTIVITIES, QUARANTINE)
"""The topics of inquiries, markers and quarantined records."""


class _Snapshot(msgspec.Struct, frozen=True):
    """The markers at `taken_at`, and the log's end after that."""

    marked: Mapping[str, Marked]
    taken_at: datetime
    spans: Mapping[TopicPartition, Span]

    @property
    def trimmed(self) -> bool:
        """Whether the log no longer holds every inquiry that was ever on it."""
        return any(span.start for (topic, _), span in self.spans.items() if topic == INQUIRIES)


class Completeness:
    """Checks the numbers that are due. Several processes may run one each: every check is a true one."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._snapshot: _Snapshot | None = None

    async def run(self) -> NoReturn:
        """Look every two seconds until cancelled. Outages are waited out."""
        while True:
            await until_back(self.look, service="scoreboard", task="completeness")
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """If all is read that the log had at the last snapshot, check the numbers of that; then take the next one."""
        places = [(topic, number) for topic in TOPICS for number in range(self._bus.partitions(topic))]
        async with self._database.begin() as tx:
            was = self._snapshot
            if was is not None:
                at = await position.positions(tx, tables, places)
                if any(at[place] < span.end for place, span in was.spans.items()):
                    return
                await numbers.check(tx, was.marked, taken_at=was.taken_at, from_here_on=was.trimmed)
            marked, now = await numbers.marked(tx), await self._database.now(tx)
        self._snapshot = _Snapshot(marked, now, await self._bus.spans(places))
