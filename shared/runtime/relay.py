"""Publishes a service's outbox to the bus, in order, and retries until the bus has it.

One process of a service relays at a time (an advisory lock on PostgreSQL). The lock only avoids duplicates, which
consumers would drop. The others tell it when they have committed events; it looks now and then in case it missed that
or they crashed before. An event that the bus will never accept is quarantined, and the others continue.
"""

from collections.abc import Mapping
from typing import Self

from shared import log, metrics
from shared.db import outbox
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.db.outbox import Announced
from shared.db.tables import RuntimeTables
from shared.domain.errors import Unavailable, Unwritable
from shared.domain.events import QUARANTINE
from shared.ports import Bus, Clock
from shared.runtime import quarantine
from shared.runtime.backoff import until_back
from shared.runtime.service import Platform
from shared.runtime.wakeup import WakeUp
from shared.settings import DEFAULT_RETENTION, Retention

BATCH = 1000
IDLE_S = 1.0
TRIM_BATCH = 5000
TRIM_EVERY_S = 10.0


class OutboxRelay:
    """Relays one service's outbox. `wake` is set when events are committed."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        tables: RuntimeTables,
        wake: WakeUp,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._tables = tables
        self._wake = wake
        self._retention = retention
        self._next_trim = 0.0
        self._claim = Claim(database, f"{tables.service}_outbox", wake.set)
        self._woken = False
        self._log = log.get(tables.service)
        self._published = metrics.events_published.labels(tables.service)

    @classmethod
    def on(cls, platform: Platform, tables: RuntimeTables, *, wake: WakeUp) -> Self:
        """The relay of a service on this platform."""
        return cls(
            database=platform.db,
            bus=platform.bus,
            clock=platform.clock,
            tables=tables,
            wake=wake,
            retention=platform.settings.retention,
        )

    async def run(self) -> None:
        """Relay until cancelled; an outage of the database or the bus is waited out."""
        try:
            while True:
                if not await until_back(self._relay_if_ours, service=self._tables.service, task="relay"):
                    self._woken = await self._wake.wait(IDLE_S)
        finally:
            await self._claim.release()

    async def relay_once(self) -> bool:
        """Publish the oldest batch; returns whether there was one."""
        async with self._database.read() as tx:
            announced = await outbox.unpublished(tx, self._tables, max_rows=BATCH)
        if not announced:
            return False
        try:
            await self._bus.publish([each.message for each in announced])
        except Unwritable as refused:
            await self._set_aside({announced[index]: why for index, why in refused.reasons.items()})
            return True
        async with self._database.begin() as tx:
            await outbox.mark_published(tx, self._tables, [each.seq for each in announced], self._clock.now())
        self._published.inc(len(announced))
        return True

    async def _relay_if_ours(self) -> bool:
        try:
            if not await self._claim.held():
                if self._woken:
                    await self._claim.tell()
                return False
            await self._trim_if_due()
            return await self.relay_once()
        except BaseException:
            await self._claim.release()
            raise

    async def _set_aside(self, refused: Mapping[Announced, str]) -> None:
        """Quarantine these events in place of publishing them."""
        now, service = self._clock.now(), self._tables.service
        if any(each.message.topic == QUARANTINE for each in refused):
            raise Unavailable(f"the log does not accept a quarantined record: {next(iter(refused.values()))}")
        aside = [
            quarantine.of_message(each.message, each.event_id, why, service=service, now=now)
            for each, why in refused.items()
        ]
        async with self._database.begin() as tx:
            await outbox.announce(tx, self._tables, aside)
            await outbox.remove(tx, self._tables, [each.seq for each in refused])
        metrics.messages_set_aside.labels(service).inc(len(refused))
        for each, why in refused.items():
            self._log.error("event_set_aside", id=each.event_id, topic=each.message.topic, reason=why)

    async def _trim_if_due(self) -> None:
        if self._clock.monotonic() < self._next_trim:
            return
        async with self._database.begin() as tx:
            trimmed = await outbox.trim(
                tx, self._tables, retention=self._retention, now=self._clock.now(), limit=TRIM_BATCH
            )
        # While there is more than one batch to trim, one goes with every batch that is published.
        self._next_trim = 0.0 if trimmed == TRIM_BATCH else self._clock.monotonic() + TRIM_EVERY_S
