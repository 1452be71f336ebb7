"""The runtime's promise: each event takes effect once, whatever is redelivered, taken over or broken."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from services.router.store.tables import tables
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, Received, decode, encode
from shared.clock import SystemClock
from shared.db import outbox, position
from shared.db.engine import Database, Tx
from shared.domain.events import ACTIVITIES, INQUIRIES, QUARANTINE, RecordQuarantined, WatermarkAdvanced
from shared.ports import Message
from shared.runtime.consume import BATCH, Consumer, Consumption
from shared.runtime.relay import OutboxRelay
from shared.runtime.wakeup import WakeUp
from tests.kit import events
from tests.kit.events import NINE
from tests.kit.services import first_records


def inquiry(number: int, lead: str = "ld_1") -> Envelope:
    return Envelope(f"ev_{number}", "baton/ingest", NINE, events.inquiry(lead, number))


class RecordingHandler:
    """A handler that records what it gets and wakes those who wait for it."""

    def __init__(self, *, bad: str = "") -> None:
        self.ids: list[str] = []
        self.batches = 0
        self._bad = bad
        self._news = asyncio.Event()

    async def __call__(self, tx: Tx, batch: Sequence[Received]) -> None:
        if any(r.envelope.id == self._bad for r in batch):
            raise ValueError("this one can't be handled")
        self.batches += 1
        self.ids += [r.envelope.id for r in batch]
        self._news.set()

    async def has(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.ids) < count:
                self._news.clear()
                await self._news.wait()
        return self.ids


def consumer(
    database: Database,
    bus: EmbeddedBus,
    handler: RecordingHandler,
    *,
    wake: WakeUp | None = None,
    copies: RecordingHandler | None = None,
) -> Consumer:
    further = {INQUIRIES: copies} if copies is not None else {}
    return Consumer(
        consumption=Consumption(group="baton.test", handlers={INQUIRIES: handler}, copies=further),
        database=database,
        bus=bus,
        clock=SystemClock(),
        tables=tables,
        committed=[wake or WakeUp()],
    )


class Runs(Protocol):
    """Something that runs until it is cancelled."""

    async def run(self) -> None: ...


@asynccontextmanager
async def running(*runs: Runs) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(run.run()) for run in runs]
    yield tasks
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_event_that_comes_twice_is_handled_once(database: Database, embedded_bus: EmbeddedBus) -> None:
    handler = RecordingHandler()
    await embedded_bus.publish([encode(inquiry(1)), encode(inquiry(1))])
    async with running(consumer(database, embedded_bus, handler)):
        await handler.has(1)
        await embedded_bus.publish([encode(inquiry(1)), encode(inquiry(2))])
        assert await handler.has(2) == ["ev_1", "ev_2"]


async def test_further_copies_of_an_event_go_to_the_handler_for_copies(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    handler, copies = RecordingHandler(), RecordingHandler()
    await embedded_bus.publish([encode(inquiry(1)), encode(inquiry(1)), encode(inquiry(2))])
    async with running(consumer(database, embedded_bus, handler, copies=copies)):
        assert await handler.has(2) == ["ev_1", "ev_2"]
        await embedded_bus.publish([encode(inquiry(2)), encode(inquiry(3))])
        assert await handler.has(3) == ["ev_1", "ev_2", "ev_3"]
        assert await copies.has(2) == ["ev_1", "ev_2"]


async def test_a_commit_of_watermarks_alone_changes_nothing_else(database: Database, embedded_bus: EmbeddedBus) -> None:
    committed, changed = WakeUp(), WakeUp()
    reads = Consumer(
        consumption=Consumption(group="baton.test", handlers={ACTIVITIES: RecordingHandler()}),
        database=database,
        bus=embedded_bus,
        clock=SystemClock(),
        tables=tables,
        committed=[committed],
        changed=[changed],
    )
    async with running(reads):
        mark = WatermarkAdvanced(lead_id="", instance="ingest-1", upto=NINE)
        await embedded_bus.publish([encode(Envelope("ev_1", "baton/ingest", NINE, mark))])
        assert await committed.wait(60)
        assert not await changed.wait(0)
        await embedded_bus.publish([encode(Envelope("ev_2", "baton/ingest", NINE, events.activity("ld_1", "call")))])
        assert await changed.wait(60)


async def test_a_restarted_consumer_goes_on_where_the_database_says(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    before, after = RecordingHandler(), RecordingHandler()
    await embedded_bus.publish([encode(inquiry(n)) for n in range(5)])
    async with running(consumer(database, embedded_bus, before)):
        await before.has(5)
    await embedded_bus.publish([encode(inquiry(5))])
    async with running(consumer(database, embedded_bus, after)):
        assert await after.has(1) == ["ev_5"]


async def test_a_bad_record_is_set_aside_and_its_neighbours_go_through(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    handler, wake = RecordingHandler(bad="ev_7"), WakeUp()
    relay = OutboxRelay(database=database, bus=embedded_bus, clock=SystemClock(), tables=tables, wake=wake)
    await embedded_bus.publish([encode(inquiry(n)) for n in range(16)])
    async with running(consumer(database, embedded_bus, handler, wake=wake), relay):
        ids = await handler.has(15)
        quarantined = decode((await first_records(embedded_bus, QUARANTINE, 1))[0]).event
    assert ids == [f"ev_{n}" for n in range(16) if n != 7]
    assert isinstance(quarantined, RecordQuarantined)
    assert quarantined.body == encode(inquiry(7)).value
    assert quarantined.code == "ValueError"
    assert quarantined.origin.startswith(f"{INQUIRIES}/")


async def test_bytes_that_are_no_event_are_set_aside_with_the_reason(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    handler, wake = RecordingHandler(), WakeUp()
    relay = OutboxRelay(database=database, bus=embedded_bus, clock=SystemClock(), tables=tables, wake=wake)
    broken = Message(INQUIRIES, "ld_1", b"not json", encode(inquiry(1)).headers)
    await embedded_bus.publish([encode(inquiry(0)), broken, encode(inquiry(2))])
    async with running(consumer(database, embedded_bus, handler, wake=wake), relay):
        assert await handler.has(2) == ["ev_0", "ev_2"]
        quarantined = decode((await first_records(embedded_bus, QUARANTINE, 1))[0]).event
    assert isinstance(quarantined, RecordQuarantined)
    assert quarantined.body == b"not json"
    assert "is not a valid event" in quarantined.detail


async def test_anyone_who_lost_a_partition_can_not_move_its_position(database: Database) -> None:
    topic_partition = (INQUIRIES, 3)
    async with database.begin() as tx:
        assert await position.positions(tx, tables, [topic_partition]) == {topic_partition: 0}
    async with database.begin() as tx:
        assert await position.advance(tx, tables, {topic_partition: (0, 10)}) == set()
    async with database.begin() as tx:
        assert await position.advance(tx, tables, {topic_partition: (0, 7)}) == {topic_partition}
    async with database.begin() as tx:
        assert await position.positions(tx, tables, [topic_partition]) == {topic_partition: 10}


async def test_announced_events_reach_the_bus_in_order_and_only_if_the_transaction_commits(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    with suppress(RuntimeError):
        async with database.begin() as tx:
            await outbox.announce(tx, tables, [inquiry(99)])
            raise RuntimeError
    async with database.begin() as tx:
        await outbox.announce(tx, tables, [inquiry(n) for n in range(10)])
    relay = OutboxRelay(database=database, bus=embedded_bus, clock=SystemClock(), tables=tables, wake=WakeUp())
    while await relay.relay_once():
        pass
    ids = [decode(record).envelope.id for record in await first_records(embedded_bus, INQUIRIES, 10)]
    assert ids == [f"ev_{n}" for n in range(10)]
    async with database.read() as tx:
        assert await outbox.unpublished(tx, tables, max_rows=10) == []


async def test_a_long_backlog_is_taken_in_few_transactions(database: Database, embedded_bus: EmbeddedBus) -> None:
    handler = RecordingHandler()
    await embedded_bus.publish([encode(inquiry(n, f"ld_{n}")) for n in range(2 * BATCH)])
    async with running(consumer(database, embedded_bus, handler)):
        await handler.has(2 * BATCH)
    assert handler.batches <= 2 * 12 + 2
