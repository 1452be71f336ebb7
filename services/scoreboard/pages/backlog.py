"""How many records about leads and promises this scoreboard has not read yet: how far its pages can be trusted."""

import asyncio

from services.scoreboard.store.tables import tables
from shared.db import position
from shared.db.engine import Database
from shared.domain.errors import Unavailable
from shared.domain.events import ASSIGNMENTS, ESCALATIONS
from shared.ports import Bus, Clock

FRESH_S = 1.0
PATIENCE_S = 1.0


class Backlog:
    """Counts unread records, at most once a second, no matter how many pages ask."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._counted_at = -FRESH_S
        self._unread: int | None = None
        self._one_at_a_time = asyncio.Lock()

    async def unread(self) -> int | None:
        """How many records are not read yet; None if the log does not answer."""
        async with self._one_at_a_time:
            if self._clock.monotonic() - self._counted_at >= FRESH_S:
                self._unread = await self._count()
                self._counted_at = self._clock.monotonic()
            return self._unread

    async def _count(self) -> int | None:
        topics = (ASSIGNMENTS, ESCALATIONS)
        places = [(topic, number) for topic in topics for number in range(self._bus.partitions(topic))]
        try:
            async with asyncio.timeout(PATIENCE_S):
                spans = await self._bus.spans(places)
        except (Unavailable, TimeoutError):
            return None
        async with self._database.read() as tx:
            read = await position.reached(tx, tables, places)
        return sum(max(span.end - max(read.get(place, 0), span.start), 0) for place, span in spans.items())
