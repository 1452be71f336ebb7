"""Reads topics and hands batches to a service's handlers, so that each event takes effect once.

One poll is one transaction: positions compared-and-swapped, ids noted in the inbox, handlers run, decided events in
the outbox. What the transaction did holds whole or not at all, so a crash, a redelivery or a second owner changes
nothing. A batch that a handler can't take is halved until the bad record stands alone; that one is quarantined in
the transaction that moves past it, its neighbours go through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from shared import log, metrics
from shared.bus.envelope import Envelope, Received, decode, event_id
from shared.db import inbox, outbox, position
from shared.db.engine import Database, Tx, is_outage
from shared.db.tables import RuntimeTables
from shared.domain.errors import Refused, Unavailable
from shared.domain.events import RecordQuarantined, WatermarkAdvanced
from shared.ports import Bus, Clock, Place, Record, Subscription
from shared.runtime.service import Signal

Handler = Callable[[Tx, Sequence[Received]], Awaitable[None]]
"""Takes the fresh events of one topic, in order per lead; changes state in `tx` and announces what follows."""

BATCH = 1000
POLL_S = 1.0
BACKOFF_S = 0.5
QUARANTINE_LIMIT = 20


class TooManyBadRecords(Exception):
    """One bad record after another points at a bad release, not at bad records: stop before everything is set aside."""


class _Lost(Exception):
    """Another process owns some of these places now."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a service hears: its consumer group's name and a handler for each topic.

    `set_aside`, if given, gets the quarantined record's event in the transaction that moves past the record, for a
    service that must know before it handles the next one. `gather_s` seconds pass after a batch that was not full,
    so that a steady trickle is handled in few transactions; for services that nobody waits for. The handlers of
    the topics `repeated` get every copy of an event, all others only the first.
    """

    group: str
    handlers: Mapping[str, Handler]
    set_aside: Handler | None = None
    gather_s: float = 0.0
    repeated: tuple[str, ...] = ()


class Consumer:
    """Runs one consumption. `committed` is set after each commit, to wake the outbox relay and timers."""

    def __init__(
        self,
        *,
        consumption: Consumption,
        database: Database,
        bus: Bus,
        clock: Clock,
        tables: RuntimeTables,
        committed: Sequence[Signal],
    ) -> None:
        self._consumption = consumption
        self._database = database
        self._bus = bus
        self._clock = clock
        self._tables = tables
        self._committed = committed
        self._at: dict[Place, int] = {}
        self._bad_in_a_row = 0
        self._log = log.get(tables.service)

    async def run(self) -> None:
        """Consume until cancelled. Outages are waited out; any other error ends the process, which starts anew."""
        while True:
            try:
                await self._consume()
            except Unavailable as away:
                self._log.warning("consumer_waits", reason=str(away))
                await asyncio.sleep(BACKOFF_S)

    async def _consume(self) -> None:
        subscription = await self._bus.subscribe(
            group=self._consumption.group, topics=tuple(self._consumption.handlers), positions=self._positions
        )
        try:
            while True:
                records = await subscription.poll(most=BATCH, wait_s=POLL_S)
                if records:
                    await self._take(subscription, records)
                if 0 < len(records) < BATCH and self._consumption.gather_s:
                    await asyncio.sleep(self._consumption.gather_s)
        finally:
            await subscription.close()

    async def _positions(self, places: Sequence[Place]) -> Mapping[Place, int]:
        try:
            async with self._database.begin() as tx:
                found = await position.positions(tx, self._tables, places)
        except Exception as error:
            _raise_outage(error)
        self._at.update(found)
        return found

    async def _take(self, subscription: Subscription, records: Sequence[Record]) -> None:
        try:
            await self._handle(records)
        except _Lost:
            self._log.info("places_lost")
            await subscription.rewind()
        except Exception as error:
            if not isinstance(error, Unavailable) and not is_outage(error):
                raise
            metrics.batches_retried.labels(self._tables.service).inc()
            self._log.warning("batch_waits", reason=type(error).__name__)
            await asyncio.sleep(BACKOFF_S)
            await subscription.rewind()
        else:
            await subscription.note({place: self._at[place] for place in {(r.topic, r.partition) for r in records}})

    async def _handle(self, records: Sequence[Record]) -> None:
        """All of them in one transaction; if a handler fails on its own account, each half in one, and so on."""
        try:
            await self._commit(records, quarantine=None)
            self._bad_in_a_row = 0
        except (_Lost, Unavailable):
            raise
        except Exception as error:
            if is_outage(error):
                raise
            if len(records) == 1:
                await self._set_aside(records[0], error)
                return
            half = len(records) // 2
            await self._handle(records[:half])
            await self._handle(records[half:])

    async def _set_aside(self, record: Record, error: Exception) -> None:
        self._bad_in_a_row += 1
        if self._bad_in_a_row > QUARANTINE_LIMIT:
            raise TooManyBadRecords(f"{QUARANTINE_LIMIT} records in a row could not be handled") from error
        metrics.records_quarantined.labels(self._tables.service).inc()
        self._log.error("record_quarantined", place=_origin(record), error=type(error).__name__, exc_info=error)
        await self._commit([record], quarantine=error)

    async def _commit(self, records: Sequence[Record], *, quarantine: Exception | None) -> None:
        moves = self._moves(records)
        async with self._database.begin() as tx:
            if await position.advance(tx, self._tables, moves):
                raise _Lost
            if quarantine is None:
                await self._run_handlers(tx, records)
            else:
                aside = [Received(self._quarantined(r, quarantine), r) for r in records]
                await outbox.announce(tx, self._tables, [each.envelope for each in aside])
                if self._consumption.set_aside is not None:
                    await self._consumption.set_aside(tx, aside)
        self._at.update({place: new for place, (_, new) in moves.items()})
        metrics.records_handled.labels(self._tables.service, records[0].topic).inc(len(records))
        for signal in self._committed:
            signal.set()

    async def _run_handlers(self, tx: Tx, records: Sequence[Record]) -> None:
        received = [decode(record) for record in records]
        noted = [r.envelope.id for r in received if not self._is_repeated(r)]
        unseen = await inbox.fresh(tx, self._tables, noted, self._clock.now())
        for topic, handler in self._consumption.handlers.items():
            mine = [r for r in received if r.record.topic == topic]
            batch = [r for r in mine if self._is_repeated(r) or _first_time(r, unseen)]
            if batch:
                await handler(tx, batch)

    def _is_repeated(self, received: Received) -> bool:
        return isinstance(received.event, WatermarkAdvanced) or received.record.topic in self._consumption.repeated

    def _moves(self, records: Sequence[Record]) -> dict[Place, tuple[int, int]]:
        ends = {(r.topic, r.partition): r.offset + 1 for r in records}
        unknown = [place for place in ends if place not in self._at]
        if unknown:
            raise _Lost
        return {place: (self._at[place], end) for place, end in ends.items()}

    def _quarantined(self, record: Record, error: Exception) -> Envelope:
        now = self._clock.now()
        origin = _origin(record)
        kind = record.headers.get("ce_type", b"").decode(errors="replace") or None
        event = RecordQuarantined(
            lead_id=record.key,
            quarantine_id=event_id("quarantine", self._tables.service, origin),
            service=self._tables.service,
            origin=origin,
            code=type(error).__name__,
            detail=error.detail if isinstance(error, Refused) else "the handler failed; its log has the reason",
            at=now,
            body=record.value,
            record_type=kind,
            inquiry_id=_inquiry_in(record),
        )
        return Envelope(event.quarantine_id, f"baton/{self._tables.service}", now, event)


def _first_time(received: Received, unseen: set[str]) -> bool:
    """Whether the event is new; takes its id out of `unseen`, so that a second copy in the same batch is not."""
    if received.envelope.id in unseen:
        unseen.discard(received.envelope.id)
        return True
    return False


def _inquiry_in(record: Record) -> str | None:
    """The inquiry that the record is about, where its bytes still tell."""
    try:
        return getattr(decode(record).event, "inquiry_id", None)
    except Refused:
        return None


def _origin(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _raise_outage(error: Exception) -> NoReturn:
    if is_outage(error):
        raise Unavailable("the database is away") from error
    raise error
