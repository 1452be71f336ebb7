"""Places are shared out evenly, and a partition number belongs to one member in all topics."""

from collections.abc import Mapping, Sequence

import pytest

from shared.bus.embedded.group import EmbeddedMember, Group
from shared.domain.errors import Unavailable
from shared.ports import Record, Span, TopicPartition
from tests.kit.services import from_start

TOPICS = ("inquiries", "activities")


class Owner(EmbeddedMember):
    """A member that records what it was given."""

    def __init__(self, group: Group, topics: Sequence[str] = TOPICS) -> None:
        self.places: list[TopicPartition] = []
        super().__init__(group, topics, from_start, nothing, lambda _: Span(0, 0, "log"))

    def own(self, topic_partitions: Sequence[TopicPartition]) -> None:
        self.places = list(topic_partitions)
        super().own(topic_partitions)


async def nothing(_spans: Sequence[tuple[TopicPartition, Span]], _max_records: int) -> list[Record]:
    return []


@pytest.mark.parametrize("number", [1, 2, 5, 12, 13])
def test_places_are_shared_evenly_and_each_has_one_owner(number: int) -> None:
    group = Group(lambda _topic: 12)
    members = [Owner(group) for _ in range(number)]
    shares = [len(member.places) for member in members]
    everything = [topic_partition for member in members for topic_partition in member.places]
    assert sorted(everything) == sorted((topic, partition) for topic in TOPICS for partition in range(12))
    assert max(shares) - min(shares) <= len(TOPICS)


def test_the_same_partition_of_all_topics_has_the_same_owner() -> None:
    group = Group(lambda _topic: 12)
    for member in [Owner(group) for _ in range(5)]:
        one, other = ({p for topic, p in member.places if topic == name} for name in TOPICS)
        assert one == other


async def test_who_leaves_gives_everything_back_and_can_not_read_any_more() -> None:
    group = Group(lambda _topic: 12)
    first, second = Owner(group), Owner(group)
    await first.close()
    await first.close()
    assert len(second.places) == 24
    with pytest.raises(Unavailable, match="left its group"):
        await first.poll(max_records=1, wait_s=0)


async def test_a_member_reads_only_topics_that_it_asked_for() -> None:
    group = Group(lambda _topic: 12)
    both, one = Owner(group), Owner(group, TOPICS[:1])
    assert {topic for topic, _ in one.places} == {"inquiries"}
    assert sum(topic == "activities" for topic, _ in both.places) == 12


LEADS = ("leads",)
PLACE = ("leads", 0)


def a_log_of(number: int) -> list[Record]:
    return [Record(*PLACE, offset, "lead", b"%d" % offset, {}) for offset in range(number)]


async def test_records_that_were_being_read_when_their_place_was_lost_are_not_given_out() -> None:
    group = Group(lambda _topic: 1)

    async def read(_spans: Sequence[tuple[TopicPartition, Span]], _max_records: int) -> list[Record]:
        group.leave(member)
        return a_log_of(3)

    member = EmbeddedMember(group, LEADS, from_start, read, lambda _: Span(0, 3, "log"))
    Owner(group, LEADS)
    assert list(await member.poll(max_records=10, wait_s=0)) == []


async def test_a_position_that_changed_hands_while_it_was_asked_for_is_asked_for_again() -> None:
    group = Group(lambda _topic: 1)
    stored = 0

    async def positions(topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        nonlocal stored
        answer = dict.fromkeys(topic_partitions, stored)
        if stored == 0:
            # Another member had the place for a moment and came as far as offset 2.
            group.leave(member)
            await Owner(group, LEADS).close()
            group.join(member)
            stored = 2
        return answer

    async def read(spans: Sequence[tuple[TopicPartition, Span]], _max_records: int) -> list[Record]:
        ((_place, span),) = spans
        return a_log_of(3)[span.start : span.end]

    member = EmbeddedMember(group, LEADS, positions, read, lambda _: Span(0, 3, "log"))
    assert [record.offset for record in await member.poll(max_records=10, wait_s=0)] == [2]


async def test_a_rewind_while_reading_drops_what_was_read() -> None:
    group = Group(lambda _topic: 1)
    reads = 0

    async def read(spans: Sequence[tuple[TopicPartition, Span]], _max_records: int) -> list[Record]:
        nonlocal reads
        reads += 1
        if reads == 1:
            await member.rewind()
        return a_log_of(3)

    member = EmbeddedMember(group, LEADS, from_start, read, lambda _: Span(0, 3, "log"))
    assert list(await member.poll(max_records=10, wait_s=0)) == []
    assert [record.offset for record in await member.poll(max_records=10, wait_s=1)] == [0, 1, 2]
