"""What every bus must do, tried on the embedded log and on a real Kafka: order, redelivery, groups, and progress that
only the database decides.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import Topic
from shared.clock import SystemClock
from shared.domain.errors import Unavailable, Unwritable
from shared.ports import Bus, GroupMember, Message, Record, TopicPartition

# Odd, so that sharing out all partitions in one round would tear the topics apart.
PARTITIONS = 5
ENOUGH_S = 30


class Progress:
    """A service's database as the bus sees it: the position of each place, changed by compare-and-swap only."""

    def __init__(self) -> None:
        self.at: dict[TopicPartition, int] = {}
        self.counted: Counter[bytes] = Counter()

    async def positions(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {topic_partition: self.at.get(topic_partition, 0) for topic_partition in topic_partitions}

    def count(self, records: Sequence[Record]) -> bool:
        """Count `records` of one place, if they begin where the position is."""
        first, last = records[0], records[-1]
        topic_partition = (first.topic, first.partition)
        if self.at.get(topic_partition, 0) != first.offset:
            return False
        self.at[topic_partition] = last.offset + 1
        self.counted.update(record.value for record in records)
        return True


class Worker:
    """A member that counts what it reads as a service does, until it is stopped."""

    def __init__(self, subscription: GroupMember, progress: Progress) -> None:
        self.subscription = subscription
        self.progress = progress
        self.places: set[TopicPartition] = set()
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            records = await self.subscription.poll(max_records=50, wait_s=0.2)
            for batch in by_place(records):
                if self.progress.count(batch):
                    self.places.add((batch[0].topic, batch[0].partition))
                else:
                    await self.subscription.rewind()
                    break

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.subscription.close()


@asynccontextmanager
async def two_at_work(bus: Bus, group: str, topics: Iterable[str]) -> AsyncIterator[tuple[Worker, Worker]]:
    progress = Progress()
    one, other = (
        Worker(await bus.subscribe(group=group, topics=[*topics], positions=progress.positions), progress),
        Worker(await bus.subscribe(group=group, topics=[*topics], positions=progress.positions), progress),
    )
    try:
        yield one, other
    finally:
        await one.stop()
        await other.stop()


def by_place(records: Iterable[Record]) -> list[list[Record]]:
    topic_partitions: dict[TopicPartition, list[Record]] = {}
    for record in records:
        topic_partitions.setdefault((record.topic, record.partition), []).append(record)
    return list(topic_partitions.values())


async def read(subscription: GroupMember, number: int) -> list[Record]:
    """The next `number` records."""
    records: list[Record] = []
    async with asyncio.timeout(ENOUGH_S):
        while len(records) < number:
            records += await subscription.poll(max_records=number - len(records), wait_s=1)
    return records


async def until(true: Callable[[], bool], step: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(ENOUGH_S):
        while not true():
            await step()


@pytest.fixture
def topics() -> Mapping[str, Topic]:
    run = secrets.token_hex(4)
    names = [f"{name}-{run}" for name in ("inquiries", "activities")]
    config = {"retention.ms": "3600000", "max.message.bytes": "2097152"}
    return {name: Topic(name, PARTITIONS, 1, 1, config) for name in names}


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def bus(request: pytest.FixtureRequest, topics: Mapping[str, Topic], tmp_path: Path) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "embedded":
        made = EmbeddedBus(tmp_path / "bus.db", topics, SystemClock())
    else:
        broker = request.getfixturevalue("kafka_broker")
        made = KafkaBus(Access(broker.bootstrap), topics, session_timeout_s=4)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def topic(topics: Mapping[str, Topic]) -> str:
    return next(iter(topics))


@pytest.fixture
def group() -> str:
    return f"group-{secrets.token_hex(4)}"


def numbered(topic: str, numbers: Iterable[int], *, keys: int = 17) -> list[Message]:
    return [Message(topic, f"lead-{n % keys}", b"%d" % n, ()) for n in numbers]


def to_every_partition(topic: str, text: str) -> list[Message]:
    return [Message(topic, "mark", f"{text}-{p}".encode(), (), partition=p) for p in range(PARTITIONS)]


async def test_records_of_a_key_come_in_the_order_they_were_published_in(bus: Bus, topic: str, group: str) -> None:
    sent = numbered(topic, range(600))
    for start in range(0, 600, 120):
        await bus.publish(sent[start : start + 120])
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    records = await read(member, 600)
    for key in {message.key for message in sent}:
        mine = [record for record in records if record.key == key]
        assert [record.value for record in mine] == [message.value for message in sent if message.key == key]
        assert {record.partition for record in mine} == {bus.partition_of(topic, key)}
    for batch in by_place(records):
        assert [record.offset for record in batch] == list(range(len(batch)))


async def test_a_record_has_the_key_the_value_and_the_headers_of_its_message(bus: Bus, topic: str, group: str) -> None:
    headers = (("ce_id", b"ev_1"), ("ce_type", "größe".encode()), ("empty", b""))
    await bus.publish([Message(topic, "schlüssel", b"\x00\xff", headers), Message(topic, "", b"", ())])
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    full, empty = sorted(await read(member, 2), key=lambda record: record.key, reverse=True)
    assert (full.topic, full.key, full.value, dict(full.headers)) == (topic, "schlüssel", b"\x00\xff", dict(headers))
    assert (empty.key, empty.value, dict(empty.headers)) == ("", b"", {})


async def test_a_message_with_a_partition_goes_there_whatever_its_key(bus: Bus, topic: str, group: str) -> None:
    await bus.publish(to_every_partition(topic, "mark"))
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    records = await read(member, PARTITIONS)
    assert {record.value: record.partition for record in records} == {
        f"mark-{p}".encode(): p for p in range(bus.partitions(topic))
    }


async def test_messages_of_several_publishers_are_all_there(bus: Bus, topic: str, group: str) -> None:
    async with asyncio.TaskGroup() as publishers:
        for n in range(50):
            publishers.create_task(bus.publish(numbered(topic, range(n * 10, n * 10 + 10), keys=3)))
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    records = await read(member, 500)
    assert sorted(int(record.value) for record in records) == list(range(500))


async def test_a_batch_and_a_message_of_a_megabyte_get_through(bus: Bus, topic: str, group: str) -> None:
    big = [Message(topic, "one-key", bytes([n]) * size, ()) for n, size in enumerate([300_000] * 9 + [2_000_000, 1])]
    await bus.publish(big)
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    assert [record.value for record in await read(member, len(big))] == [message.value for message in big]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"topic": "no-such"}, "no topic"), ({"partition": 6}, "no partition 6"), ({"value": b"x" * 3_000_000}, "big")],
)
async def test_a_message_that_can_never_be_written_is_refused_and_its_neighbours_wait(
    bus: Bus, topic: str, group: str, wrong: dict[str, object], why: str
) -> None:
    fine = {"topic": topic, "key": "k", "value": b"1", "headers": ()}
    with pytest.raises(Unwritable, match=why) as refused:
        await bus.publish([Message(**fine), Message(**(fine | wrong))])  # type: ignore[arg-type]
    assert list(refused.value.reasons) == [1]
    await bus.publish([Message(**fine)])  # type: ignore[arg-type]
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    await read(member, 1)
    assert len(await member.poll(max_records=10, wait_s=0.1)) == 0


async def test_what_was_not_recorded_comes_again_to_the_next_member(bus: Bus, topic: str, group: str) -> None:
    await bus.publish(numbered(topic, range(20), keys=1))
    progress = Progress()
    first = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    records = await read(first, 10)
    await first.commit_offsets({(topic, records[0].partition): 20})
    await first.close()
    second = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    assert await read(second, 10) == records
    progress.count(records[:4])
    await second.close()
    third = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    assert (await read(third, 16))[:6] == records[4:]


async def test_rewind_reads_again_from_the_position(bus: Bus, topic: str, group: str) -> None:
    await bus.publish(numbered(topic, range(20), keys=1))
    progress = Progress()
    member = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    records = await read(member, 10)
    progress.count(records[:3])
    await member.rewind()
    assert (await read(member, 17))[:7] == records[3:]


async def test_a_position_beyond_the_end_of_the_log_reads_it_from_its_start(bus: Bus, topic: str, group: str) -> None:
    await bus.publish(numbered(topic, range(5), keys=1))
    progress = Progress()
    progress.at = {(topic, p): 1_000 for p in range(PARTITIONS)}
    member = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    assert [record.offset for record in await read(member, 5)] == [0, 1, 2, 3, 4]


async def test_a_poll_brings_no_more_than_asked_for_and_nothing_when_there_is_nothing(
    bus: Bus, topic: str, group: str
) -> None:
    await bus.publish(numbered(topic, range(100)))
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    sizes = [len(await member.poll(max_records=7, wait_s=1)) for _ in range(5)]
    await read(member, 100 - sum(sizes))
    assert max(sizes) == 7
    assert len(await member.poll(max_records=7, wait_s=0.05)) == 0
    assert len(await member.poll(max_records=7, wait_s=0)) == 0


async def test_a_waiting_poll_wakes_when_something_is_published(bus: Bus, topic: str, group: str) -> None:
    member = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    await bus.publish(numbered(topic, [0]))
    await read(member, 1)
    waiting = asyncio.create_task(member.poll(max_records=10, wait_s=ENOUGH_S))
    await asyncio.sleep(0)
    await bus.publish(numbered(topic, [1]))
    async with asyncio.timeout(ENOUGH_S / 2):
        assert [record.value for record in await waiting] == [b"1"]


async def test_each_group_sees_everything(bus: Bus, topic: str, group: str) -> None:
    await bus.publish(numbered(topic, range(100)))
    for each in (f"router-{group}", f"scoreboard-{group}"):
        member = await bus.subscribe(group=each, topics=[topic], positions=Progress().positions)
        assert sorted(int(record.value) for record in await read(member, 100)) == list(range(100))


async def test_two_members_share_the_partitions_and_see_every_record(
    bus: Bus, topics: Mapping[str, Topic], group: str
) -> None:
    rounds = 0

    async def publish_to_all() -> None:
        nonlocal rounds
        for topic in topics:
            await bus.publish(to_every_partition(topic, f"{topic}-{rounds}"))
        rounds += 1
        await asyncio.sleep(0.05)

    async with two_at_work(bus, group, topics) as (one, other):
        await until(lambda: bool(one.places and other.places), publish_to_all)
        one.places.clear()
        other.places.clear()
        await until(lambda: len(one.places) + len(other.places) >= 2 * PARTITIONS, publish_to_all)
        counted = one.progress.counted
        await until(lambda: len(counted) == rounds * 2 * PARTITIONS, lambda: asyncio.sleep(0.05))
    assert set(counted.values()) == {1}
    assert one.places.isdisjoint(other.places)
    # The member that has partition 3 of one topic has it of the other: both hold the same leads.
    first, second = ({p for t, p in one.places if t == topic} for topic in topics)
    assert first == second


async def test_when_a_member_leaves_the_other_takes_over_its_partitions(bus: Bus, topic: str, group: str) -> None:
    def publish_to_all() -> Awaitable[None]:
        return bus.publish(to_every_partition(topic, secrets.token_hex(4)))

    async with two_at_work(bus, group, [topic]) as (stays, leaves):
        await until(lambda: bool(stays.places and leaves.places), publish_to_all)
        await leaves.stop()
        stays.places.clear()
        await until(lambda: len(stays.places) == PARTITIONS, publish_to_all)
    assert set(stays.progress.counted.values()) == {1}


async def test_of_a_member_and_a_zombie_that_still_holds_its_records_only_one_writes(
    bus: Bus, topic: str, group: str
) -> None:
    progress = Progress()
    await bus.publish([message for n in range(10) for message in to_every_partition(topic, str(n))])
    slow = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    held = await read(slow, PARTITIONS * 10)

    heir = await bus.subscribe(group=group, topics=[topic], positions=progress.positions)
    taken: list[Record] = []
    while not taken:
        taken = list(await heir.poll(max_records=1000, wait_s=0.2))
    assert all(progress.count(batch) for batch in by_place(taken))

    won = [progress.count(batch) for batch in by_place(held)]
    assert Counter(won) == {False: len(by_place(taken)), True: PARTITIONS - len(by_place(taken))}
    assert set(progress.counted.values()) == {1}
    assert len(progress.counted) == PARTITIONS * 10


async def test_a_failing_database_is_reported_to_everyone_who_polls(bus: Bus, topic: str, group: str) -> None:
    async def positions(_places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise Unavailable("the database is away")

    member = await bus.subscribe(group=group, topics=[topic], positions=positions)
    with pytest.raises(Unavailable, match="the database is away"):
        await until(lambda: False, lambda: member.poll(max_records=1, wait_s=0.1))


async def test_a_topic_ends_where_its_next_records_will_be(bus: Bus, topic: str) -> None:
    places = [(topic, number) for number in range(PARTITIONS)]
    await bus.publish(to_every_partition(topic, "first"))
    before = await bus.ends(places)
    await bus.publish([message for n in range(3) for message in to_every_partition(topic, str(n))])
    after = await bus.ends(places)
    assert after == {place: end + 3 for place, end in before.items()}
    assert after == {place: span.end for place, span in (await bus.spans(places)).items()}


async def test_a_closed_bus_and_a_closed_member_say_so(bus: Bus, topic: str, group: str) -> None:
    await bus.ping()
    left = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    open_still = await bus.subscribe(group=group, topics=[topic], positions=Progress().positions)
    await left.close()
    await left.close()
    with pytest.raises(Unavailable):
        await left.poll(max_records=1, wait_s=0)
    await bus.close()
    for call in (
        bus.ping(),
        bus.ends([(topic, 0)]),
        bus.publish(numbered(topic, [1])),
        open_still.poll(max_records=1, wait_s=0),
    ):
        with pytest.raises(Unavailable):
            await call
