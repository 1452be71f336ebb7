"""What only Kafka can do to us: be away, be killed while we write, hang, be set up otherwise than we need it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from deploy.local.kafka import KafkaBroker
from deploy.local.ports import LOOPBACK, free_ports
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import Topic
from shared.domain.errors import Misconfigured, Unavailable, Unwritable
from shared.ports import GroupMember, Message, Record
from tests.kit.servers import SharedKafka
from tests.kit.services import from_start

pytestmark = pytest.mark.kafka


def a_topic(name: str | None = None, *, partitions: int = 3, copies: int = 1) -> Mapping[str, Topic]:
    name = name or f"leads-{secrets.token_hex(4)}"
    return {name: Topic(name, partitions, copies, 1, {"max.message.bytes": "2097152"})}


@asynccontextmanager
async def started(bus: KafkaBus) -> AsyncIterator[KafkaBus]:
    try:
        await bus.start()
        yield bus
    finally:
        await bus.close()


async def read(member: GroupMember, number: int) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(60):
        while len({record.value for record in records}) < number:
            records += await member.poll(max_records=500, wait_s=1)
    return records


async def publish_until_taken(bus: KafkaBus, messages: Sequence[Message]) -> int:
    """Publish again and again until it is taken; how often it was not."""
    failures = 0
    while True:
        try:
            await bus.publish(messages)
            return failures
        except Unavailable:
            failures += 1
            await asyncio.sleep(0.1)


async def test_topics_are_made_as_the_file_says_and_found_again(kafka_broker: SharedKafka) -> None:
    topics = a_topic(partitions=5)
    for _ in range(2):
        async with started(KafkaBus(Access(kafka_broker.bootstrap), topics)) as bus:
            await bus.publish([Message(name, "k", b"v", (), partition=4) for name in topics])
            await bus.ping()


async def test_a_topic_with_another_number_of_partitions_is_refused(kafka_broker: SharedKafka) -> None:
    (name,) = topics = a_topic(partitions=2)
    async with started(KafkaBus(Access(kafka_broker.bootstrap), topics)):
        pass
    other = KafkaBus(Access(kafka_broker.bootstrap), a_topic(name, partitions=12))
    with pytest.raises(Misconfigured, match=f"{name} has 2 partitions, but 12 are needed"):
        await other.start()
    await other.close()


async def test_a_message_that_is_too_big_for_the_broker_alone_is_named_and_the_rest_gets_through(
    kafka_broker: SharedKafka,
) -> None:
    (name,) = small = {n: replace(t, config={"max.message.bytes": "10000"}) for n, t in a_topic(partitions=1).items()}
    async with started(KafkaBus(Access(kafka_broker.bootstrap), small)):
        pass
    async with started(KafkaBus(Access(kafka_broker.bootstrap), a_topic(name, partitions=1))) as bus:
        fine = [Message(name, "k", bytes([n]) * 4_000, ()) for n in range(4)]
        messages = [*fine[:2], Message(name, "k", b"x" * 20_000, ()), *fine[2:]]
        with pytest.raises(Unwritable, match="takes no message of this size") as refused:
            await publish_until_taken(bus, messages)
        assert list(refused.value.reasons) == [2]
        await publish_until_taken(bus, fine)
        member = await bus.subscribe(group="g", topics=[name], positions=from_start)
        records = await read(member, len(fine))
    assert {record.value for record in records} == {message.value for message in fine}


async def test_too_few_brokers_are_waited_for_with_the_setting_that_helps(
    kafka_broker: SharedKafka,
) -> None:
    topics = a_topic(copies=3)
    bus = KafkaBus(Access(kafka_broker.bootstrap), topics)
    with pytest.raises(Unavailable, match=r"3 copies .* set BATON_KAFKA_REPLICATION"):
        await bus.start()
    await bus.close()
    async with started(KafkaBus(Access(kafka_broker.bootstrap), topics, replication_factor=1)):
        pass


async def test_a_broker_that_is_not_there_is_named_with_what_to_do() -> None:
    address = f"{LOOPBACK}:{free_ports(1)[0]}"
    bus = KafkaBus(Access(address), a_topic(), start_within_s=1)
    with pytest.raises(Unavailable, match=f"Kafka at {address} can't be reached; .* set BATON_KAFKA"):
        await bus.start()
    with pytest.raises(Unavailable):
        await bus.ping()
    await bus.close()


async def test_a_broker_killed_while_we_write_loses_nothing_and_keeps_the_order(own_kafka_broker: KafkaBroker) -> None:
    topics = a_topic()
    (topic,) = topics
    loop = asyncio.get_running_loop()
    access = Access(own_kafka_broker.bootstrap)
    async with started(KafkaBus(access, topics, publish_within_s=1.5, session_timeout_s=4, stuck_after_s=60)) as bus:
        member = await bus.subscribe(group="reader", topics=[topic], positions=from_start)
        half_way, killed = asyncio.Event(), asyncio.Event()

        async def publish() -> int:
            failures = 0
            for start in range(0, 4_000, 100):
                if start == 2_000:
                    half_way.set()
                if start == 3_900:
                    await killed.wait()
                batch = [Message(topic, f"lead-{n % 11}", b"%d" % n, ()) for n in range(start, start + 100)]
                failures += await publish_until_taken(bus, batch)
            return failures

        publishing = asyncio.create_task(publish())
        await half_way.wait()
        await asyncio.to_thread(own_kafka_broker.kill)
        killed.set()
        began = loop.time()
        with pytest.raises(Unavailable):
            await bus.ping()
        assert loop.time() - began < 10
        await asyncio.sleep(2)
        await asyncio.to_thread(own_kafka_broker.start)

        assert await publishing >= 1
        records = await read(member, 4_000)
        await bus.ping()
    first_seen = {int(record.value): (record.key, at) for at, record in reversed([*enumerate(records)])}
    assert sorted(first_seen) == list(range(4_000))
    for key in {key for key, _ in first_seen.values()}:
        at = [first_seen[n][1] for n in sorted(first_seen) if first_seen[n][0] == key]
        assert at == sorted(at)


async def joined_again(bus: KafkaBus, topic: str) -> Sequence[Record]:
    """The first two records, or none: as long as the broker finds itself again, joining and reading may fail."""
    try:
        member = await bus.subscribe(group="reader", topics=[topic], positions=from_start)
    except Unavailable:
        return ()
    try:
        return await read(member, 2)
    except Unavailable:
        await member.close()
        return ()


async def test_a_broker_that_hangs_is_noticed_by_writer_reader_and_ping(own_kafka_broker: KafkaBroker) -> None:
    topics = a_topic()
    (topic,) = topics
    loop = asyncio.get_running_loop()
    access = Access(own_kafka_broker.bootstrap)
    bus = KafkaBus(access, topics, publish_within_s=1, session_timeout_s=4, stuck_after_s=2, start_within_s=2)
    async with started(bus):
        message = Message(topic, "lead", b"0", ())
        member = await bus.subscribe(group="reader", topics=[topic], positions=from_start)
        await bus.publish([message])
        await read(member, 1)

        own_kafka_broker.pause()
        with pytest.raises(Unavailable, match="did not acknowledge within 1 s"):
            await bus.publish([message])
        with pytest.raises(Unavailable, match=r"did not answer a read|failed"):
            await read(member, 2)
        with pytest.raises(Unavailable):
            await bus.ping()
        began = loop.time()
        await member.close()
        with pytest.raises(Unavailable):
            await bus.subscribe(group="reader", topics=[topic], positions=from_start)
        assert loop.time() - began < 30

        own_kafka_broker.resume()
        await publish_until_taken(bus, [Message(topic, "lead", b"1", ())])
        async with asyncio.timeout(60):
            while not (found := await joined_again(bus, topic)):
                pass
        assert {record.value for record in found} == {b"0", b"1"}
        own_kafka_broker.pause()
        began = loop.time()
    assert loop.time() - began < 20
