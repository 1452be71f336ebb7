"""Reads topics and passes batches to a service's handlers, so that each event takes effect once.

One poll is one transaction: it compares and swaps positions, records ids in the inbox, runs the handlers, and writes
decided events to the outbox. All of it commits or none, so a crash, a redelivery or a second owner changes nothing. If
a handler fails, the batch is halved until the bad record is alone; that record is quarantined in the transaction that
moves past it. If no record succeeds, the partition pauses (`pausing`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Self

from shared import log, metrics
from shared.bus.envelope import Received, decode
from shared.db import inbox, outbox, pauses, position
from shared.db.engine import Database, Tx
from shared.db.outages import is_outage
from shared.db.pauses import Pause
from shared.db.tables import RuntimeTables
from shared.domain.errors import Unavailable
from shared.domain.events import WatermarkAdvanced
from shared.ports import Bus, Clock, GroupMember, Record, TopicPartition
from shared.runtime import quarantine
from shared.runtime.backoff import Pauses, is_away, reason, until_back
from shared.runtime.continuity import Continuity, before_jumps
from shared.runtime.pausing import FAILING_LEADS, Pausing, kind_of, origin_of, place_of
from shared.runtime.service import Platform
from shared.runtime.wakeup import WakeUp, wake

Handler = Callable[[Tx, Sequence[Received]], Awaitable[None]]
"""Takes the fresh events of one topic, in order per lead; changes state in `tx` and announces what follows."""

BATCH = 1000
POLL_S = 1.0
TOGETHER_S = 0.02
TRACE_EVERY_S = 60.0
_WATERMARK = WatermarkAdvanced.TYPE.encode()


class _Tried(Exception):
    """Ends a transaction in which a record was only tried."""

    def __init__(self, handled: int) -> None:
        super().__init__()
        self.handled = handled


class _Lost(Exception):
    """Another process owns some of these places now."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a service consumes: its consumer group's name and a handler for each topic.

    `set_aside`, if given, gets the quarantined record's event in the transaction that moves past the record, for a
    service that must know before it handles the next one. With `gather_s`, a batch that is not full waits a moment for
    what comes with it, and after it the consumer waits so many seconds, unless the batch itself took as long: a steady
    trickle takes few transactions. The
    handlers of the topics `repeated` get every copy of an event, all others only the first; further copies go to the
    handler in `copies`, if their topic has one. `together` gets what all handlers got, after them and in one batch.
    """

    group: str
    handlers: Mapping[str, Handler]
    set_aside: Handler | None = None
    gather_s: float = 0.0
    repeated: tuple[str, ...] = ()
    copies: Mapping[str, Handler] = field(default_factory=dict)
    together: Handler | None = None


class Consumer:
    """Runs one consumption. `committed` is set after each commit, to wake the outbox relay and timers, and `changed`
    after each commit of something else than watermarks.
    """

    def __init__(
        self,
        *,
        consumption: Consumption,
        database: Database,
        bus: Bus,
        clock: Clock,
        tables: RuntimeTables,
        committed: Sequence[WakeUp],
        changed: Sequence[WakeUp] = (),
    ) -> None:
        self._consumption = consumption
        self._database = database
        self._bus = bus
        self._clock = clock
        self._tables = tables
        self._committed = committed
        self._changed = changed
        self._at: dict[TopicPartition, int] = {}
        self._pausing = Pausing()
        self._shown: set[TopicPartition] = set()
        self._pauses = Pauses()
        self._traced: dict[object, float] = {}
        self._waiting = metrics.task_waits.labels(tables.service, "consumer")
        self._continuity = Continuity(database, bus, clock, tables)
        self._log = log.get(tables.service)

    @classmethod
    def on(
        cls,
        platform: Platform,
        tables: RuntimeTables,
        consumption: Consumption,
        *,
        committed: Sequence[WakeUp],
        changed: Sequence[WakeUp] = (),
    ) -> Self:
        """The consumer of a service on this platform."""
        return cls(
            consumption=consumption,
            database=platform.db,
            bus=platform.bus,
            clock=platform.clock,
            tables=tables,
            committed=committed,
            changed=changed,
        )

    async def run(self) -> None:
        """Consume until cancelled. Outages are waited out."""
        while True:
            await until_back(self._consume, service=self._tables.service, task="consumer")

    async def complete(self) -> str | None:
        """Readiness: no records were gone before they were read, else which."""
        return await self._continuity.complete()

    def note(self) -> str | None:
        """For readiness: which partitions pause, and why."""
        paused = list(self._pausing.paused.values())
        if not paused:
            return None
        more = f" (and {len(paused) - 1} more)" if len(paused) > 1 else ""
        return (
            f"records of {FAILING_LEADS} leads in a row could not be handled and none in between could: paused before "
            f"{paused[0].origin}{more} after {paused[0].error}. Nothing is lost. If this release is at fault, mend it; "
            f"if the records are, it goes on by itself with the next one that can be handled."
        )

    async def _consume(self) -> NoReturn:
        subscription = await self._bus.subscribe(
            group=self._consumption.group, topics=tuple(self._consumption.handlers), positions=self._positions
        )
        try:
            while True:
                records = await self._poll(subscription)
                began_s = self._clock.monotonic()
                if records:
                    await self._take(subscription, records)
                    await until_back(self._show_pauses, service=self._tables.service, task="consumer")
                if self._pausing.retry_due(self._clock.monotonic()):
                    await subscription.rewind()
                if self._continuity.due:
                    await self._compare_with_log()
                # What took longer than that has gathered the next batch meanwhile.
                if 0 < len(records) < BATCH and self._clock.monotonic() - began_s < self._consumption.gather_s:
                    await asyncio.sleep(self._consumption.gather_s)
        finally:
            await subscription.close()

    async def _poll(self, subscription: GroupMember) -> Sequence[Record]:
        records = await subscription.poll(max_records=BATCH, wait_s=POLL_S)
        if not 0 < len(records) < BATCH or not self._consumption.gather_s:
            return records
        # What was published at the same time, such as the watermarks of all partitions, comes in several answers.
        await asyncio.sleep(TOGETHER_S)
        return [*records, *await subscription.poll(max_records=BATCH - len(records), wait_s=0)]

    async def _positions(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        try:
            found = await self._continuity.look(topic_partitions)
            async with self._database.begin() as tx:  # what another process showed of these is over
                await pauses.end(tx, self._tables.service, topic_partitions)
        except Exception as error:
            _raise_outage(error)
        self._shown -= set(topic_partitions)
        self._at.update(found)
        return found

    async def _compare_with_log(self) -> None:
        stopped = self._continuity.stopped
        try:
            await self._continuity.look(self._at.keys() | stopped)
        except Exception as error:
            _raise_outage(error)
        if self._continuity.stopped != stopped:
            # Joining again, since a client can hold on to what it knew of a topic that was made again.
            raise Unavailable("the readable partitions have changed; subscribing again")

    async def _take(self, subscription: GroupMember, records: Sequence[Record]) -> None:
        paused = set(self._pausing.paused)
        try:
            await self._look_ahead([record for record in records if place_of(record) in paused])
            free = [record for record in records if place_of(record) not in paused]
            if free:
                await self._handle_up_to_jumps(free)
        except _Lost:
            self._log.info("places_lost")
            await subscription.rewind()
        except Exception as error:
            if not is_away(error):
                raise
            metrics.batches_retried.labels(self._tables.service).inc()
            self._waiting.set(1)
            self._log.warning("batch_waits", reason=reason(error))
            await asyncio.sleep(self._pauses.next_s())
            await until_back(subscription.rewind, service=self._tables.service, task="consumer")
        else:
            self._pauses.reset()
            self._waiting.set(0)
            await subscription.commit_offsets(
                {
                    topic_partition: self._at[topic_partition]
                    for topic_partition in {place_of(record) for record in free}
                }
            )
            if self._pausing.paused.keys() != paused:
                await subscription.rewind()

    async def _show_pauses(self) -> None:
        """Let readiness, metrics and pages know which partitions pause."""
        service, paused = self._tables.service, self._pausing.paused
        metrics.partitions_paused.labels(service).set(len(paused))
        if paused.keys() == self._shown:
            return
        now = self._clock.now()
        new = [
            Pause(service=service, topic=topic, partition=number, offset=p.offset, error=p.error, paused_at=now)
            for (topic, number), p in paused.items()
            if (topic, number) not in self._shown
        ]
        async with self._database.begin() as tx:
            if ended := self._shown - paused.keys():
                await pauses.end(tx, service, ended)
            await pauses.begin(tx, new)
        self._shown = set(paused)

    async def _look_ahead(self, records: Sequence[Record]) -> None:
        """Try the records after a pause, newest first. One success ends the pause."""
        for record in reversed(records):
            if self._pausing.shows(record) and await self._could_handle(record):
                self._log.info("partition_resumes", place=origin_of(record))
                self._pausing.shown(record)

    async def _could_handle(self, record: Record) -> bool:
        try:
            async with self._database.begin() as tx:
                raise _Tried(len(await self._run_handlers(tx, [record])))
        except _Tried as tried:
            return tried.handled > 0
        except Exception as error:
            if is_away(error):
                raise
            return False

    async def _handle_up_to_jumps(self, records: Sequence[Record]) -> None:
        whole, jumps = before_jumps(records, self._at)
        if whole:
            await self._handle(whole)
        if jumps:
            await self._continuity.confirm(jumps)
            raise _Lost

    async def _handle(self, records: Sequence[Record]) -> None:
        """Handle all in one transaction; if a handler fails, each half in its own, and so on."""
        if self._pausing.paused:
            records = [record for record in records if place_of(record) not in self._pausing.paused]
        if not records:
            return
        failure = await self._failure(records)
        if failure is None:
            return
        if len(records) == 1:
            await self._set_aside(records[0], failure)
            return
        half = len(records) // 2
        await self._handle(records[:half])
        await self._handle(records[half:])

    async def _failure(self, records: Sequence[Record]) -> Exception | None:
        """Why the records could not be handled and committed together; None when they were. Raises outages."""
        try:
            await self._commit(records, quarantine=None)
        except Exception as error:
            if isinstance(error, _Lost) or is_away(error):
                raise
            return error
        return None

    async def _set_aside(self, record: Record, error: Exception) -> None:
        """Quarantine the record, or pause before it if the release may be at fault."""
        if not self._pausing.may_quarantine(record):
            self._pause(record, error)
            return
        self._say("record_quarantined", record, error)
        try:
            await self._commit([record], quarantine=error)
        except Exception as failed:
            if isinstance(failed, _Lost) or is_away(failed):
                raise
            self._pause(record, failed)
        else:
            metrics.records_quarantined.labels(self._tables.service).inc()

    def _pause(self, record: Record, error: Exception) -> None:
        self._say("partition_pauses", record, error)
        self._pausing.pause(record, error, self._clock.monotonic())

    def _say(self, event: str, record: Record, error: Exception) -> None:
        """Log it, with the traceback at most once a minute for each kind of record and error."""
        what, now_s = (event, kind_of(record), type(error)), self._clock.monotonic()
        traced = now_s - self._traced.get(what, float("-inf")) < TRACE_EVERY_S
        if not traced:
            self._traced[what] = now_s
        self._log.error(event, place=origin_of(record), error=type(error).__name__, exc_info=None if traced else error)

    async def _commit(self, records: Sequence[Record], *, quarantine: Exception | None) -> None:
        moves = self._moves(records)
        handled: Sequence[Record] = ()
        async with self._database.begin() as tx:
            if await position.advance(tx, self._tables, moves):
                raise _Lost
            if quarantine is None:
                handled = await self._run_handlers(tx, records)
            else:
                await self._quarantine(tx, records, quarantine)
        self._at.update({topic_partition: new for topic_partition, (_, new) in moves.items()})
        self._pausing.passed(handled)
        metrics.records_handled.labels(self._tables.service, records[0].topic).inc(len(records))
        wake(self._committed)
        if any(record.headers.get("ce_type") != _WATERMARK for record in records):
            wake(self._changed)

    async def _quarantine(self, tx: Tx, records: Sequence[Record], error: Exception) -> None:
        now, service = self._clock.now(), self._tables.service
        aside = [Received(quarantine.of_record(r, error, service=service, now=now), r) for r in records]
        await outbox.announce(tx, self._tables, [each.envelope for each in aside])
        if self._consumption.set_aside is not None:
            await self._consumption.set_aside(tx, aside)

    async def _run_handlers(self, tx: Tx, records: Sequence[Record]) -> Sequence[Record]:
        """Pass new events to the handlers. Returns the records that count as a success: all new ones but watermarks."""
        received = [decode(record) for record in records]
        noted = [r.envelope.id for r in received if not self._is_repeated(r)]
        unseen = await inbox.fresh(tx, self._tables, noted, self._clock.now())
        handled: list[Record] = []
        taken: list[Received] = []
        for topic, handler in self._consumption.handlers.items():
            batch: list[Received] = []
            copies: list[Received] = []
            for each in received:
                if each.record.topic == topic:
                    (batch if self._is_repeated(each) or _first_time(each, unseen) else copies).append(each)
            if batch:
                await handler(tx, batch)
                taken += batch
                handled += [r.record for r in batch if not isinstance(r.event, WatermarkAdvanced)]
            if copies and topic in self._consumption.copies:
                await self._consumption.copies[topic](tx, copies)
        if taken and self._consumption.together is not None:
            await self._consumption.together(tx, taken)
        return handled

    def _is_repeated(self, received: Received) -> bool:
        return isinstance(received.event, WatermarkAdvanced) or received.record.topic in self._consumption.repeated

    def _moves(self, records: Sequence[Record]) -> dict[TopicPartition, tuple[int, int]]:
        ends = {(r.topic, r.partition): r.offset + 1 for r in records}
        unknown = [topic_partition for topic_partition in ends if topic_partition not in self._at]
        if unknown:
            raise _Lost
        return {topic_partition: (self._at[topic_partition], end) for topic_partition, end in ends.items()}


def _first_time(received: Received, unseen: set[str]) -> bool:
    """Whether the event is new; takes its id out of `unseen`, so that a second copy in the same batch is not."""
    if received.envelope.id in unseen:
        unseen.discard(received.envelope.id)
        return True
    return False


def _raise_outage(error: Exception) -> NoReturn:
    if is_outage(error) and not isinstance(error, Unavailable):
        raise Unavailable("the database is down") from error
    raise error
