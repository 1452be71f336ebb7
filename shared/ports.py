"""The outside world as Baton sees it: clock, bus, and what a service is made of; the contracts in prose.

Adapters are named by technology (`KafkaBus`, `EmbeddedBus`); rules and handlers know only these protocols.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec


class Clock(Protocol):
    """The only way to know what time it is."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring waits."""
        ...


class Message(msgspec.Struct, frozen=True):
    """Something to put on the bus: `key` decides the partition, `headers` are the `ce_*` attributes."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None = None


class Record(msgspec.Struct, frozen=True):
    """Something read from the bus, at its place in the log. `unreadable` says why there is nothing but the place."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, bytes]
    unreadable: str | None = None


TopicPartition = tuple[str, int]
"""A topic and a partition."""

LoadPositions = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""Returns the offset at which to start reading each partition, from the service's database; the broker's offsets are
advisory. A partition that is left out is not read until `rewind`.
"""


class Span(NamedTuple):
    """What the log has of a place: offsets from `start` to before `end`. `log_id` is another one when the topic was
    made again under its old name, or the log's file was.
    """

    start: int
    end: int
    log_id: str


class GroupMember(Protocol):
    """One member of a consumer group.

    Each topic partition belongs to one member at a time, but a member may learn late that it lost one, so stored
    positions must be compared and swapped. After gaining a partition, reading starts at its `positions`.
    """

    async def poll(self, *, max_records: int, wait_s: float) -> Sequence[Record]:
        """Up to `max_records` records, in offset order per place; empty after `wait_s` seconds without any.

        Raises `Unavailable` when the broker can't be reached or the member was expelled: close and subscribe again.
        """
        ...

    async def rewind(self) -> None:
        """Read all partitions again from their `positions`, dropping what was polled since."""
        ...

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets (the next to read) to the broker, for its lag figures only; failures are ignored."""
        ...

    async def close(self) -> None:
        """Leave the group."""
        ...


class Bus(Protocol):
    """An event log in topics with partitions. Ordered per partition; delivery is at least once."""

    async def start(self) -> None:
        """Reach the log and make sure that all topics are there. Raises `Unavailable` with what to do."""
        ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Write all messages, in order per partition, and return once all in-sync replicas have acknowledged them.

        Raises `Unavailable`; then any part may have been written, and the caller sends the same messages again before
        any later one. Raises `Unwritable` for messages that the log will never accept: then none was written, or (if
        only the broker could tell) any part except these. A message with `partition` set goes there, whatever its key.
        """
        ...

    async def subscribe(self, *, group: str, topics: Sequence[str], positions: LoadPositions) -> GroupMember:
        """Join `group` as a new member."""
        ...

    async def spans(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, Span]:
        """What the log has of each place now. Raises `Unavailable`, also where a topic is missing."""
        ...

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset at which the next record of each place will be: the `end` of its span, asked for more cheaply.
        Raises as `spans`.
        """
        ...

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; known after `start`."""
        ...

    def partition_of(self, topic: str, key: str) -> int:
        """Where records with this key go: murmur2 as Kafka's default partitioner does it."""
        ...

    async def ping(self) -> None:
        """Raise `Unavailable` unless the log answers now."""
        ...

    async def close(self) -> None:
        """Close all connections; never hangs longer than five seconds."""
        ...
