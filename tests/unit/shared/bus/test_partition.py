"""Keys go where Kafka's own default partitioner puts them; what no log would take is refused before it is written."""

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.partition import by_partition, murmur2, partition_of
from shared.bus.topics import Topic
from shared.domain.errors import Unwritable
from shared.ports import Message

TOPICS = {"leads": Topic("leads", 12, 1, 1, {"max.message.bytes": "10240"})}


# Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2
@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_the_one_of_kafkas_own_tests(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=80))
def test_the_hash_agrees_with_aiokafka_for_any_bytes(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_aiokafka(key) & 0xFFFFFFFF


@given(st.text(max_size=40), st.integers(1, 64))
def test_a_key_has_one_partition_and_it_exists(key: str, count: int) -> None:
    expected = (murmur2_of_aiokafka(key.encode()) & 0x7FFFFFFF) % count
    assert partition_of(key, count) == expected


def test_messages_are_sorted_to_places_in_the_order_given() -> None:
    messages = [Message("leads", f"lead-{n % 5}", b"%d" % n, ()) for n in range(40)]
    topic_partitions = by_partition(messages, TOPICS)
    assert sorted(m.value for batch in topic_partitions.values() for m in batch) == sorted(m.value for m in messages)
    for (topic, partition), batch in topic_partitions.items():
        assert topic == "leads"
        assert {partition_of(m.key, 12) for m in batch} == {partition}
        assert batch == [m for m in messages if m in batch]


def test_a_partition_in_the_message_wins_over_its_key() -> None:
    assert list(by_partition([Message("leads", "any", b"", (), partition=11)], TOPICS)) == [("leads", 11)]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Message("lead", "k", b"", ()), "no topic 'lead'"),
        (Message("leads", "k", b"", (), partition=12), "no partition 12"),
        (Message("leads", "k", b"", (), partition=-1), "no partition -1"),
        (Message("leads", "k", b"x" * 10_000, ()), "too big"),
        (Message("leads", "k", b"", (("h", b"x" * 10_000),)), "too big"),
        (Message("leads", "\ud800", b"", ()), "not valid Unicode"),
    ],
)
def test_what_no_log_would_take_is_refused_with_the_reason(message: Message, why: str) -> None:
    fine = Message("leads", "k", b"", ())
    with pytest.raises(Unwritable, match=why) as refused:
        by_partition([fine, message, fine, message], TOPICS)
    assert list(refused.value.reasons) == [1, 3]
