"""Records that can't be handled: set aside whatever they hold, told apart from a bad release, no obstacle to others."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest
import sqlalchemy as sa

from services.router.store.tables import tables
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Received, decode, encode
from shared.clock import SystemClock
from shared.db import outbox, pauses
from shared.db.engine import Database, Tx
from shared.domain.events import ACTIVITIES, INQUIRIES, QUARANTINE, InquiryReceived, RecordQuarantined
from shared.domain.ids import event_id
from shared.ports import Message
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.pausing import FAILING_LEADS
from shared.runtime.relay import OutboxRelay
from shared.runtime.wakeup import WakeUp
from tests.adapters.test_runtime import inquiry, running
from tests.kit.services import first_records

STRANGERS = 30
TYPE = InquiryReceived.TYPE.encode()


class Judge:
    """A handler that fails for certain events, or for all."""

    def __init__(self, *, fails_all: bool = False, error: Callable[[], Exception] = ValueError) -> None:
        self.fails_all = fails_all
        self._error = error

    async def __call__(self, tx: Tx, batch: Sequence[Received]) -> None:
        if self.fails_all or any(r.event.lead_id.startswith("bad") for r in batch):
            raise self._error()


class Running:
    """A consumer with this handler; `handled` waits until these events took effect."""

    def __init__(self, database: Database, bus: EmbeddedBus, judge: Judge, wake: WakeUp | None = None) -> None:
        self._database = database
        self._committed = WakeUp()
        self.consumer = Consumer(
            consumption=Consumption(group="baton.test", handlers={INQUIRIES: judge, ACTIVITIES: judge}),
            database=database,
            bus=bus,
            clock=SystemClock(),
            tables=tables,
            committed=[self._committed, wake or WakeUp()],
        )

    async def run(self) -> None:
        await self.consumer.run()

    async def handled(self, *ids: str) -> None:
        async with asyncio.timeout(60):
            while not set(ids) <= await self._inbox():
                await self._committed.wait(1)

    async def paused(self) -> str:
        async with asyncio.timeout(60):
            while (note := self.consumer.note()) is None:
                await self._committed.wait(0.05)
        return note

    async def _inbox(self) -> set[str]:
        async with self._database.read() as tx:
            return set((await tx.execute(sa.select(tables.inbox.c.event_id))).scalars())


def relay(database: Database, bus: EmbeddedBus, wake: WakeUp) -> OutboxRelay:
    return OutboxRelay(database=database, bus=bus, clock=SystemClock(), tables=tables, wake=wake)


def bad(number: int) -> Message:
    """What a stranger sends under one more name, all in one partition."""
    return msgspec.structs.replace(encode(inquiry(number, f"bad_{number}")), partition=0)


def good(number: int) -> Message:
    return msgspec.structs.replace(encode(inquiry(number, f"ld_{number}")), partition=0)


async def _set_aside(database: Database) -> int:
    async with database.read() as tx:
        return len(await outbox.unpublished(tx, tables, max_rows=1000))


async def _shown(database: Database, count: int) -> list[tuple[str, int, int, str]]:
    """What is shown of pauses, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            async with database.read() as tx:
                found = await pauses.running(tx)
            if len(found) == count:
                return [(pause.topic, pause.partition, pause.offset, pause.error) for pause in found]
            await asyncio.sleep(0.02)


async def test_strangers_bad_records_in_a_row_do_not_keep_the_good_one_behind_them(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    judge = Judge()
    it = Running(database, embedded_bus, judge)
    await embedded_bus.publish([*map(bad, range(STRANGERS)), good(1000)])
    async with running(it):
        await it.handled("ev_1000")
    assert (await _set_aside(database), it.consumer.note()) == (STRANGERS, None)


async def test_bad_records_between_good_ones_are_all_set_aside(database: Database, embedded_bus: EmbeddedBus) -> None:
    judge = Judge()
    mixed = [message for n in range(STRANGERS) for message in (bad(n), good(1000 + n))]
    await embedded_bus.publish(mixed)
    it = Running(database, embedded_bus, judge)
    async with running(it):
        await it.handled(*(f"ev_{1000 + n}" for n in range(STRANGERS)))
    assert await _set_aside(database) == STRANGERS


async def test_a_good_record_that_comes_during_a_pause_ends_it(database: Database, embedded_bus: EmbeddedBus) -> None:
    judge = Judge()
    it = Running(database, embedded_bus, judge)
    await embedded_bus.publish(list(map(bad, range(STRANGERS))))
    async with running(it):
        assert f"paused before {INQUIRIES}/0/{FAILING_LEADS} after ValueError" in await it.paused()
        assert await _set_aside(database) == FAILING_LEADS
        assert await _shown(database, 1) == [(INQUIRIES, 0, FAILING_LEADS, "ValueError")]
        await embedded_bus.publish([good(1000)])
        await it.handled("ev_1000")
        assert await _shown(database, 0) == []
    assert (await _set_aside(database), it.consumer.note()) == (STRANGERS, None)


async def test_a_release_that_can_handle_nothing_pauses_and_goes_on_when_it_is_mended(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    judge = Judge(fails_all=True)
    it = Running(database, embedded_bus, judge)
    await embedded_bus.publish([good(n) for n in range(STRANGERS)])
    async with running(it):
        await it.paused()
        await embedded_bus.publish([good(n) for n in range(STRANGERS, 2 * STRANGERS)])
        await it.paused()
        assert await _set_aside(database) == FAILING_LEADS
        judge.fails_all = False
        await it.handled(*(f"ev_{n}" for n in range(FAILING_LEADS, 2 * STRANGERS)))
    assert await _set_aside(database) == FAILING_LEADS


async def test_a_restart_in_between_quarantines_no_more_of_a_bad_release_than_again_as_many(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    judge = Judge(fails_all=True)
    await embedded_bus.publish([good(n) for n in range(2 * FAILING_LEADS + 5)])
    for start in (1, 2):
        it = Running(database, embedded_bus, judge)
        async with running(it):
            await it.paused()
        assert await _set_aside(database) == start * FAILING_LEADS


async def test_one_senders_bad_records_never_pause(database: Database, embedded_bus: EmbeddedBus) -> None:
    judge = Judge(fails_all=True)
    wake = WakeUp()
    it = Running(database, embedded_bus, judge, wake)
    await embedded_bus.publish([encode(inquiry(n, "bad_1")) for n in range(STRANGERS)])
    async with running(it, relay(database, embedded_bus, wake)):
        await first_records(embedded_bus, QUARANTINE, STRANGERS)
    assert it.consumer.note() is None


async def test_other_partitions_go_on_during_a_pause(database: Database, embedded_bus: EmbeddedBus) -> None:
    judge = Judge()
    it = Running(database, embedded_bus, judge)
    await embedded_bus.publish(list(map(bad, range(STRANGERS))))
    async with running(it):
        await it.paused()
        elsewhere = msgspec.structs.replace(good(1000), topic=ACTIVITIES, partition=1)
        await embedded_bus.publish([elsewhere])
        await it.handled("ev_1000")
        assert await it.paused()


HEADERS = dict(encode(inquiry(1)).headers)
DEEP = b"[" * 3000 + b"]" * 3000
ODD: dict[str, tuple[str, bytes, dict[str, bytes]]] = {
    "3,000 nested brackets": ("ld_1", b'{"contact":' + DEEP + b"}", HEADERS),
    "an unreadable one of 1.7 MB": ("ld_1", b"\xff" * 1_700_000, HEADERS),
    "1.7 MB of brackets": ("ld_1", b"[" * 1_700_000, HEADERS),
    "no value": ("ld_1", b"", HEADERS),
    "no headers": ("ld_1", b"{}", {}),
    "no key": ("", b"{}", HEADERS),
    "a key with a zero byte": ("ld\0_1", b"{}", HEADERS),
    "a key of 100 KB": ("k" * 100_000, b"{}", HEADERS),
    "an unknown type of 100 KB with zero bytes": ("ld_1", b"{}", HEADERS | {"ce_type": b"\0" * 100_000}),
    "a type that is no text": ("ld_1", b"{}", HEADERS | {"ce_type": b"\xff\xfe"}),
    "an id that is no text": ("ld_1", encode(inquiry(1)).value, HEADERS | {"ce_id": b"\xff"}),
    "an id with a zero byte": ("ld_1", encode(inquiry(1)).value, HEADERS | {"ce_id": b"a\0b"}),
    "an id that is too long": ("ld_1", encode(inquiry(1)).value, HEADERS | {"ce_id": b"e" * 2_000}),
    "an instant before all time": (
        "ld_1",
        encode(inquiry(1)).value,
        HEADERS | {"ce_time": b"0001-01-01T00:00:00+14:00"},
    ),
    "an instant after all time": (
        "ld_1",
        encode(inquiry(1)).value,
        HEADERS | {"ce_time": b"9999-12-31T23:59:59-14:00"},
    ),
    "an instant without a zone": ("ld_1", encode(inquiry(1)).value, HEADERS | {"ce_time": b"2026-11-23T09:00:00"}),
    "an inquiry with an odd id": (
        "ld_1",
        encode(inquiry(1, "bad_1")).value.replace(b"bad_1_1", b"\\u0000\\u2028"),
        HEADERS,
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_whatever_a_record_holds_it_is_set_aside_and_its_neighbour_goes_through(
    database: Database, embedded_bus: EmbeddedBus, odd: tuple[str, bytes, dict[str, bytes]]
) -> None:
    key, value, headers = odd
    judge, wake = Judge(), WakeUp()
    await embedded_bus.publish([Message(INQUIRIES, key, value, tuple(headers.items()), partition=0), good(7)])
    it = Running(database, embedded_bus, judge, wake)
    async with running(it, relay(database, embedded_bus, wake)):
        await it.handled("ev_7")
        (record,) = await first_records(embedded_bus, QUARANTINE, 1)
    event = decode(record).event
    assert isinstance(event, RecordQuarantined)
    assert event.origin == f"{INQUIRIES}/0/0"
    assert event.quarantine_id == event_id("quarantine", "router", event.origin)
    assert value.startswith(event.body)
    assert event.body_bytes == (len(value) if len(value) > len(event.body) else None)
    assert len(record.value) < 500_000


@pytest.mark.parametrize(
    "error",
    [
        RecursionError,
        MemoryError,
        OverflowError,
        UnicodeError,
        KeyError,
        AssertionError,
        lambda: ExceptionGroup("several", [ValueError()]),
    ],
)
async def test_whatever_a_handler_fails_with_the_record_is_set_aside(
    database: Database, embedded_bus: EmbeddedBus, error: Callable[[], Exception]
) -> None:
    judge = Judge(error=error)
    await embedded_bus.publish([bad(1), good(7)])
    it = Running(database, embedded_bus, judge)
    async with running(it):
        await it.handled("ev_7")
    assert await _set_aside(database) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("state", ["53100", "25006", "57P01", "XX000", "42501"])
async def test_a_state_of_the_database_is_waited_out_and_nothing_is_set_aside(
    fresh_database: str, embedded_bus: EmbeddedBus, state: str
) -> None:
    database = Database(fresh_database, SystemClock())
    async with database.begin() as tx:
        await tx.run_sync(tables.inbox.metadata.create_all)
    failures = iter(range(2))

    class Ill(Judge):
        async def __call__(self, tx: Tx, batch: Sequence[Received]) -> None:
            if next(failures, None) is not None:
                await tx.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))
            await super().__call__(tx, batch)

    judge = Ill()
    await embedded_bus.publish([good(n) for n in range(5)])
    it = Running(database, embedded_bus, judge)
    async with running(it):
        await it.handled(*(f"ev_{n}" for n in range(5)))
    assert await _set_aside(database) == 0
    await database.close()


async def test_an_event_that_the_log_never_takes_is_quarantined_and_the_others_go_on_in_order(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    huge = inquiry(2)
    huge = msgspec.structs.replace(huge, event=msgspec.structs.replace(huge.event, source="x" * 3_000_000))
    async with database.begin() as tx:
        await outbox.announce(tx, tables, [inquiry(1), huge, inquiry(3)])
    one = relay(database, embedded_bus, WakeUp())
    while await one.relay_once():
        pass
    there = [decode(record).envelope.id for record in await first_records(embedded_bus, INQUIRIES, 2)]
    (aside,) = await first_records(embedded_bus, QUARANTINE, 1)
    event = decode(aside).event
    assert there == ["ev_1", "ev_3"]
    assert isinstance(event, RecordQuarantined)
    assert (event.origin, event.code, event.lead_id) == ("outbox:router/ev_2", "Unwritable", "ld_1")
    assert "too big" in event.detail
    assert event.body_bytes is not None
    assert event.body_bytes > 3_000_000
    assert await _set_aside(database) == 0
