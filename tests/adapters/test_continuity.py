"""Records that went missing before a service had read them stop it there, visibly, until an operator accepts the loss;
on both logs.
"""

import asyncio
import dataclasses
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from msgspec.structs import replace

from services.router.store.tables import tables
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import encode
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import Topic
from shared.clock import SystemClock
from shared.db import gaps, outbox
from shared.db.engine import Database
from shared.db.gaps import Gap
from shared.domain.errors import Unavailable
from shared.domain.events import INQUIRIES
from shared.ports import Bus, Span
from shared.runtime import continuity
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.continuity import LOOK_EVERY_S, Continuity
from shared.runtime.relay import TRIM_EVERY_S, OutboxRelay
from shared.runtime.wakeup import WakeUp
from shared.settings import Retention
from tests.adapters.test_runtime import RecordingHandler, inquiry, running
from tests.kit.clocks import SteppedClock
from tests.kit.servers import SharedKafka
from tests.kit.services import first_records
from tests.kit.waiting import until

pytestmark = pytest.mark.timeout(120)


CLOCK = SteppedClock()
"""The clock of all consumers here: they look for missing records every few seconds of it."""
ONE = Topic(INQUIRIES, 3, 1, 1, {"max.message.bytes": "2097152"})


def consumer(database: Database, bus: Bus, handler: RecordingHandler, topic: str = INQUIRIES) -> Consumer:
    return Consumer(
        consumption=Consumption(group=f"test.{topic}", handlers={topic: handler}),
        database=database,
        bus=bus,
        clock=CLOCK,
        tables=tables,
        committed=[WakeUp()],
    )


async def publish(bus: Bus, numbers: Iterable[int], topic: str = INQUIRIES, lead: str = "ld_1") -> None:
    """Publish inquiries of one lead, however long the log takes to be there again."""
    messages = [replace(encode(inquiry(n, lead)), topic=topic) for n in numbers]
    async with asyncio.timeout(60):
        while True:
            try:
                return await bus.publish(messages)
            except Unavailable:
                await asyncio.sleep(0.1)


async def found(database: Database, within_s: float = 60) -> list[Gap]:
    """The gaps of the router, once there are any."""
    async with asyncio.timeout(within_s):
        while True:
            async with database.read() as tx:
                if known := await gaps.open_gaps(tx, "router"):
                    return known
            await asyncio.sleep(0.05)


async def accept_all(database: Database) -> None:
    """Accept what is missing, and let the consumers look again at once."""
    async with database.begin() as tx:
        await gaps.accept(tx, await gaps.open_gaps(tx), SystemClock().now())
    CLOCK.passed_s += LOOK_EVERY_S


async def read_five_of_ten(database: Database, bus: Bus, topic: str = INQUIRIES) -> int:
    """Publish ten records of one lead, of which the router reads five; the partition."""
    before = RecordingHandler()
    await publish(bus, range(5), topic)
    async with running(consumer(database, bus, before, topic)):
        await before.has(5)
    await publish(bus, range(5, 10), topic)
    return bus.partition_of(topic, "ld_1")


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(folder / "log.db", {INQUIRIES: ONE}, SystemClock())
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def kafka(broker: SharedKafka) -> AsyncIterator[tuple[KafkaBus, AIOKafkaAdminClient, str]]:
    """A bus with one topic of its own, by name, and a client to do things to it."""
    name = f"inquiries-{secrets.token_hex(4)}"
    bus = KafkaBus(Access(broker.bootstrap), {name: dataclasses.replace(ONE, name=name)})
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await bus.start()
    try:
        yield bus, admin, name
    finally:
        await bus.close()
        await admin.close()


async def make_again(admin: AIOKafkaAdminClient, name: str) -> None:
    await admin.delete_topics([name])

    async def made() -> bool:
        return not (await admin.create_topics([NewTopic(name, 3, 1)])).topic_errors[0][1]

    await until(made)


def remove(log: Path) -> None:
    for file in log.parent.glob(f"{log.name}*"):
        file.unlink()


def delete(log: Path, where: str) -> None:
    with closing(sqlite3.connect(log)) as sql, sql:
        sql.execute(f"DELETE FROM records WHERE {where}")  # noqa: S608


async def test_what_the_log_forgot_before_it_was_read_stops_the_partition_until_that_is_accepted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuity, "LOOK_EVERY_S", 0.1)
    after = RecordingHandler()
    async with embedded(tmp_path) as bus:
        partition = await read_five_of_ten(database, bus)
    delete(tmp_path / "log.db", "offset < 8")
    async with embedded(tmp_path) as bus:
        reader = consumer(database, bus, after)
        async with running(reader):
            (gap,) = await found(database)
            assert (gap.partition, gap.from_offset, gap.to_offset, gap.reason) == (partition, 5, 7, "deleted")
            assert "3 records of baton.inquiries.v1" in str(await reader.complete())
            other = next(f"ld_{n}" for n in range(99) if bus.partition_of(INQUIRIES, f"ld_{n}") != partition)
            await publish(bus, [50], lead=other)
            assert await after.has(1) == ["ev_50"]
            await accept_all(database)
            assert sorted(await after.has(3)) == ["ev_50", "ev_8", "ev_9"]
            assert await reader.complete() is None


async def test_records_deleted_in_the_middle_are_missed_too(database: Database, tmp_path: Path) -> None:
    after = RecordingHandler()
    async with embedded(tmp_path) as bus:
        await read_five_of_ten(database, bus)
    delete(tmp_path / "log.db", "offset IN (6, 7)")
    async with embedded(tmp_path) as bus, running(consumer(database, bus, after)):
        (gap,) = await found(database)
        assert (gap.from_offset, gap.to_offset) == (6, 7)


async def test_a_gap_that_two_members_of_a_group_find_at_once_is_stored_once(database: Database) -> None:
    one = Gap(
        service="router",
        topic=INQUIRIES,
        partition=0,
        from_offset=5,
        to_offset=7,
        reason="deleted",
        resume_at=8,
        log_id="log",
        found_at=CLOCK.now(),
    )
    other = replace(one, found_at=one.found_at + timedelta(milliseconds=1))

    async def add(gap: Gap) -> None:
        async with database.begin() as tx:
            await gaps.add(tx, [gap])

    async with database.begin() as tx:
        await gaps.add(tx, [one])
        second = asyncio.create_task(add(other))
        await asyncio.wait([second], timeout=0.2)
    await second
    assert await found(database) == [one]
    await accept_all(database)
    await add(other)
    assert await found(database) == [other]


async def test_a_gap_that_is_accepted_while_a_member_compares_is_not_stored_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with embedded(tmp_path) as bus:
        partition = await read_five_of_ten(database, bus)
    delete(tmp_path / "log.db", "offset < 8")
    async with embedded(tmp_path) as bus:
        member, spans = Continuity(database, bus, CLOCK, tables), bus.spans
        await member.look([(INQUIRIES, partition)])
        assert len(await found(database)) == 1

        async def accepted_meanwhile(places: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], Span]:
            compared = await spans(places)
            await accept_all(database)
            return compared

        monkeypatch.setattr(bus, "spans", accepted_meanwhile)
        await member.look([(INQUIRIES, partition)])
        async with database.read() as tx:
            assert await gaps.open_gaps(tx) == []


async def test_a_log_file_that_was_made_again_is_not_taken_for_the_old_one(database: Database, tmp_path: Path) -> None:
    after = RecordingHandler()
    async with embedded(tmp_path) as bus:
        await read_five_of_ten(database, bus)
    remove(tmp_path / "log.db")
    async with embedded(tmp_path) as bus:
        # More than before, so that offsets alone would look right.
        await publish(bus, range(100, 120))
        async with running(consumer(database, bus, after)):
            known = await found(database)
            assert ("recreated", 5, None) in [(gap.reason, gap.from_offset, gap.to_offset) for gap in known]
            await accept_all(database)
            assert len(await after.has(20)) == 20


@pytest.mark.kafka
@pytest.mark.parametrize("again", [1, 20])
async def test_a_kafka_topic_that_was_made_again_stops_the_reader_however_long_it_is(
    database: Database, kafka_broker: SharedKafka, again: int
) -> None:
    async with kafka(kafka_broker) as (bus, admin, topic):
        await read_five_of_ten(database, bus, topic)
        await make_again(admin, topic)
        await publish(bus, range(100, 100 + again), topic)
        after = RecordingHandler()
        async with running(consumer(database, bus, after, topic)):
            known = await found(database)
            assert ("recreated", 5, None) in [(gap.reason, gap.from_offset, gap.to_offset) for gap in known]
            assert after.ids == []
            await accept_all(database)
            assert len(await after.has(again)) == again


@pytest.mark.kafka
async def test_a_topic_that_is_made_again_under_a_running_reader_is_noticed(
    database: Database, kafka_broker: SharedKafka
) -> None:
    async with kafka(kafka_broker) as (bus, admin, topic):
        handler = RecordingHandler()
        await publish(bus, range(3), topic)
        async with running(consumer(database, bus, handler, topic)):
            await handler.has(3)
            await make_again(admin, topic)
            await publish(bus, range(100, 120), topic)
            known = await found(database, within_s=60)
            assert "recreated" in [gap.reason for gap in known]
            await accept_all(database)
            assert {f"ev_{n}" for n in range(100, 120)} <= set(await handler.has(23))


@pytest.mark.kafka
async def test_records_deleted_from_kafka_before_they_were_read_stop_the_reader(
    database: Database, kafka_broker: SharedKafka
) -> None:
    async with kafka(kafka_broker) as (bus, admin, topic):
        partition = await read_five_of_ten(database, bus, topic)
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=8)})
        after = RecordingHandler()
        async with running(consumer(database, bus, after, topic)):
            (gap,) = await found(database)
            assert (gap.partition, gap.from_offset, gap.to_offset) == (partition, 5, 7)
            await accept_all(database)
            assert await after.has(2) == ["ev_8", "ev_9"]


async def test_published_events_can_be_sent_again_and_are_trimmed_by_number(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    clock = SteppedClock()
    relay = OutboxRelay(
        database=database,
        bus=embedded_bus,
        clock=clock,
        tables=tables,
        wake=WakeUp(),
        retention=Retention(rows=4, seconds=3600),
    )
    start = SystemClock().now()
    async with database.begin() as tx:
        await outbox.announce(tx, tables, [inquiry(n) for n in range(10)])

    async def trimmed() -> bool:
        return await rows(database) <= 4

    async with running(relay):
        await first_records(embedded_bus, INQUIRIES, 10)
        clock.passed_s += TRIM_EVERY_S
        await until(trimmed)
        async with database.begin() as tx:
            assert await outbox.send_again(tx, ["router"], topics=[INQUIRIES], since=start) == 4
        records = await first_records(embedded_bus, INQUIRIES, 14)
    assert [record.headers["ce_id"].decode() for record in records[10:]] == [f"ev_{n}" for n in range(6, 10)]


async def rows(database: Database) -> int:
    async with database.read() as tx:
        return int((await tx.execute(sa.select(sa.func.count()).select_from(tables.outbox))).scalar_one())
