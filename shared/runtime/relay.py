"""Puts a service's decided events on the bus, in order, again and again until the bus has them.

One process of a service relays at a time (an advisory lock on PostgreSQL). The lock only spares duplicates: were
two to relay, readers would drop the second copy.
"""

from shared import log, metrics
from shared.db import outbox
from shared.db.claim import Claim
from shared.db.engine import Database, is_outage
from shared.db.tables import RuntimeTables
from shared.domain.errors import Unavailable
from shared.ports import Bus
from shared.runtime.service import Signal

BATCH = 1000
IDLE_S = 0.2
BACKOFF_S = 0.5


class OutboxRelay:
    """Relays one service's outbox. `wake` is set by whoever commits events."""

    def __init__(self, *, database: Database, bus: Bus, tables: RuntimeTables, wake: Signal) -> None:
        self._database = database
        self._bus = bus
        self._tables = tables
        self._wake = wake
        self._claim = Claim(database, f"{tables.service}_outbox")
        self._log = log.get(tables.service)
        self._published = metrics.events_published.labels(tables.service)

    async def run(self) -> None:
        """Relay until cancelled; an outage of the database or the bus is waited out."""
        try:
            while True:
                try:
                    busy = await self._claim.held() and await self.relay_once()
                    if not busy:
                        await self._wake.wait(IDLE_S)
                except Exception as error:
                    if not isinstance(error, Unavailable) and not is_outage(error):
                        raise
                    await self._claim.release()
                    self._log.warning("relay_waits", reason=type(error).__name__)
                    await self._wake.wait(BACKOFF_S)
        finally:
            await self._claim.release()

    async def relay_once(self) -> bool:
        """Publish the oldest batch; returns whether there was one."""
        async with self._database.read() as tx:
            numbers, messages = await outbox.unpublished(tx, self._tables, most=BATCH)
        if not numbers:
            return False
        await self._bus.publish(messages)
        async with self._database.begin() as tx:
            await outbox.forget_published(tx, self._tables, numbers)
        self._published.inc(len(numbers))
        return True
