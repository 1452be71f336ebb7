"""Consumer groups within one process: each topic partition belongs to one member and is reassigned immediately when a
member joins or leaves. Partition 7 of one topic and partition 7 of another go to the same member, as with Kafka's
range assignment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.domain.errors import Unavailable
from shared.ports import LoadPositions, Record, Span, TopicPartition

Read = Callable[[Sequence[tuple[TopicPartition, Span]], int], Awaitable[list[Record]]]
SpanOf = Callable[[TopicPartition], Span]


class Group:
    """The members of one group; `partitions` returns the number of partitions of a topic."""

    def __init__(self, partitions: Callable[[str], int]) -> None:
        self._partitions = partitions
        self._members: list[EmbeddedMember] = []

    @property
    def members(self) -> Sequence["EmbeddedMember"]:
        """Who is in it."""
        return self._members

    def join(self, member: "EmbeddedMember") -> None:
        """Let `member` have its share."""
        self._members.append(member)
        self._share()

    def leave(self, member: "EmbeddedMember") -> None:
        """Give the others what `member` had."""
        self._members.remove(member)
        member.own(())
        self._share()

    def _share(self) -> None:
        shares: dict[EmbeddedMember, list[TopicPartition]] = {member: [] for member in self._members}
        for topic in {topic: None for member in self._members for topic in member.topics}:
            readers = [member for member in self._members if topic in member.topics]
            count = self._partitions(topic)
            for partition in range(count):
                shares[readers[partition * len(readers) // count]].append((topic, partition))
        for member, topic_partitions in shares.items():
            member.own(topic_partitions)


class EmbeddedMember:
    """One member of a group; see `shared.ports.Subscription`.

    `read` fetches records; `span_of` returns the offsets available in a partition.
    """

    def __init__(
        self, group: Group, topics: Sequence[str], positions: LoadPositions, read: Read, span_of: SpanOf
    ) -> None:
        self.topics = tuple(topics)
        self._group: Group | None = group
        self._positions = positions
        self._read = read
        self._span_of = span_of
        # The next offset to read; None until `positions` was asked.
        self._next: dict[TopicPartition, int | None] = {}
        # Places that `positions` left out.
        self._stopped: set[TopicPartition] = set()
        # Counts what makes an answer from `positions` or the log stale: lost or gained places, a rewind.
        self._era = 0
        self._turn = 0
        self._news = asyncio.Event()
        group.join(self)

    def own(self, topic_partitions: Sequence[TopicPartition]) -> None:
        """Assign exactly these partitions to this member. Those it already had keep their position."""
        self._next = {topic_partition: self._next.get(topic_partition) for topic_partition in topic_partitions}
        self._stopped.intersection_update(topic_partitions)
        self._era += 1
        self._news.set()

    def wake(self, topic_partitions: Mapping[TopicPartition, int]) -> None:
        """Wake a waiting `poll`: these partitions have new records."""
        if not self._next.keys().isdisjoint(topic_partitions):
            self._news.set()

    async def poll(self, *, max_records: int, wait_s: float) -> Sequence[Record]:
        """See `shared.ports.Subscription.poll`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while True:
            if self._group is None:
                raise Unavailable("this member left its group; subscribe again")
            self._news.clear()
            records = await self._take(max_records)
            if records:
                return records
            left = end - loop.time()
            if left <= 0:
                return ()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return ()

    async def rewind(self) -> None:
        """See `shared.ports.Subscription.rewind`."""
        self._next = dict.fromkeys(self._next)
        self._stopped.clear()
        self._era += 1
        self._news.set()

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Does nothing: there is no broker."""

    async def close(self) -> None:
        """See `shared.ports.Subscription.close`."""
        group, self._group = self._group, None
        if group is not None:
            group.leave(self)

    async def _take(self, max_records: int) -> list[Record]:
        await self._settle()
        era = self._era
        spans = [
            (topic_partition, span._replace(start=start))
            for topic_partition, start in self._next.items()
            if start is not None and start < (span := self._span_of(topic_partition)).end
        ]
        if not spans:
            return []
        # Partitions take turns being first, so that one with a long backlog does not starve the others.
        self._turn = (self._turn + 1) % len(spans)
        records = await self._read(spans[self._turn :] + spans[: self._turn], max_records)
        if era != self._era:
            self._news.set()
            return []
        for record in records:
            self._next[record.topic, record.partition] = record.offset + 1
        return records

    async def _settle(self) -> None:
        while new := [p for p, start in self._next.items() if start is None and p not in self._stopped]:
            era = self._era
            positions = await self._positions(new)
            if era == self._era:
                self._next.update(
                    {
                        topic_partition: self._within(topic_partition, positions[topic_partition])
                        for topic_partition in new
                        if topic_partition in positions
                    }
                )
                self._stopped.update(topic_partition for topic_partition in new if topic_partition not in positions)

    def _within(self, topic_partition: TopicPartition, position: int) -> int:
        # Like Kafka's "earliest": expired records are skipped; a log newer than the position is read from its start.
        start, end, _ = self._span_of(topic_partition)
        return position if start <= position <= end else start
