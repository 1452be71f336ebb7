"""The partition of a message: murmur2 of its key, like Kafka's default partitioner, so that any Kafka client that uses
a lead's id as key writes to the partition that Baton expects.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

from shared.bus.topics import Topic
from shared.domain.errors import Unwritable
from shared.ports import Message, TopicPartition

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_32_BITS = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit hash, unsigned. Source: `org.apache.kafka.common.utils.Utils.murmur2`.

    >>> hex(murmur2(b"21"))
    '0xc5f2f8ec'
    """
    size = len(data)
    hashed = _SEED ^ size
    for word in struct.unpack_from(f"<{size // 4}I", data):
        mixed = word * _MIX & _32_BITS
        hashed = (hashed * _MIX ^ (mixed ^ mixed >> 24) * _MIX) & _32_BITS
    if size % 4:
        hashed = (hashed ^ int.from_bytes(data[size & ~3 :], "little")) * _MIX & _32_BITS
    hashed = (hashed ^ hashed >> 13) * _MIX & _32_BITS
    return hashed ^ hashed >> 15


@lru_cache(maxsize=65_536)
def partition_of(key: str, count: int) -> int:
    """Where a record with `key` goes in a topic of `count` partitions.

    >>> partition_of("21", 12) == (murmur2(b"21") & 0x7FFFFFFF) % 12
    True
    """
    return (murmur2(key.encode()) & _POSITIVE) % count


def by_partition(messages: Sequence[Message], topics: Mapping[str, Topic]) -> dict[TopicPartition, list[Message]]:
    """The messages sorted to their topics and partitions, in the order given within each.

    Raises `Unwritable`, before anything is written, naming every message that no log would take.
    """
    topic_partitions: dict[TopicPartition, list[Message]] = {}
    reasons: dict[int, str] = {}
    for index, message in enumerate(messages):
        try:
            topic_partitions.setdefault((message.topic, _partition(message, topics)), []).append(message)
        except ValueError as wrong:
            reasons[index] = str(wrong)
    if reasons:
        raise Unwritable(reasons)
    return topic_partitions


def _partition(message: Message, topics: Mapping[str, Topic]) -> int:
    """The partition of the message. Raises `ValueError` with the reason if it cannot be written."""
    topic = topics.get(message.topic)
    if topic is None:
        raise ValueError(f"there is no topic {message.topic!r}; the topics file names all there are")
    try:
        weight = _weight(message)
    except UnicodeEncodeError:
        raise ValueError(f"the key of a message for {message.topic} is not valid Unicode") from None
    if weight > topic.max_bytes:
        raise ValueError(f"a message of {weight} bytes is too big for {message.topic}, which takes {topic.max_bytes}")
    if message.partition is None:
        return partition_of(message.key, topic.partitions)
    if not 0 <= message.partition < topic.partitions:
        raise ValueError(
            f"{message.topic} has no partition {message.partition}: it has {topic.partitions}, counted from 0"
        )
    return message.partition


def _weight(message: Message) -> int:
    headers = sum(len(name) + len(value) + 10 for name, value in message.headers)
    return len(message.value) + len(message.key.encode()) + headers
