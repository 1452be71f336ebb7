"""A member of a Kafka consumer group that starts reading at the position in the service's database, not in Kafka, and
raises instead of waiting silently if it cannot continue.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from shared.bus.kafka import fetched
from shared.bus.kafka.fetched import UnreadableRecord
from shared.domain.errors import Unavailable
from shared.ports import LoadPositions, Record, TopicPartition

_NOTE_WITHIN_S = 5.0
_NOTE_EVERY_S = 2.0
_STOP_WITHIN_S = 3.0
_LET_GO_WITHIN_S = 0.4

fetched.install()


class KafkaMember:
    """See `shared.ports.Subscription`. `consumer` is started and not yet subscribed.

    After `stuck_after_s` seconds of polling without an assignment or without any answer from the broker, `poll` raises
    `Unavailable`: aiokafka can stay in such a state forever (its issues 1154, 625, 712).
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, topics: Sequence[str], positions: LoadPositions, *, stuck_after_s: float
    ) -> None:
        self._consumer = consumer
        self._positions = positions
        self._stuck_after_s = stuck_after_s
        # Our places with positions set; None while the group shares them out again.
        self._owned: frozenset[KafkaPartition] | None = None
        self._failed: Exception | None = None
        self._answers: tuple[int | None, ...] = ()
        self._silent_s = 0.0
        # Whether any of our partitions is being read; otherwise the broker sends nothing.
        self._reads = False
        self._uncommitted: dict[TopicPartition, int] = {}
        self._noting: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.closed = False
        consumer.subscribe(list(topics), listener=_Listener(self))

    async def poll(self, *, max_records: int, wait_s: float) -> Sequence[Record]:
        """See `shared.ports.Subscription.poll`. Raises what `positions` raised when places were gained."""
        self._raise_if_failed()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            found = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=max_records)
        except KafkaError as error:
            raise Unavailable(f"reading from Kafka failed ({type(error).__name__}: {error}); joining again") from error
        self._raise_if_failed()
        owned = self._owned or frozenset()
        records = [
            _record(each) for topic_partition, batch in found.items() if topic_partition in owned for each in batch
        ]
        self._watch(records, loop.time() - began)
        return records

    async def rewind(self) -> None:
        """See `shared.ports.Subscription.rewind`. Raises what `positions` raises."""
        owned = self._owned
        if not owned:
            return
        positions = await self._positions(
            [(topic_partition.topic, topic_partition.partition) for topic_partition in owned]
        )
        # If the places were shared out again meanwhile, the listener asked again.
        if self._owned is owned:
            self._go_to(owned, positions)

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See `shared.ports.Subscription.note`. Does not wait for the broker, which gets the newest now and then."""
        self._uncommitted.update(offsets)
        if not self.closed and (self._noting is None or self._noting.done()):
            self._noting = asyncio.create_task(self._commit())

    async def close(self) -> None:
        """See `shared.ports.Subscription.close`; within five seconds, and never raises."""
        self.closed = True
        self._closing.set()
        self._owned = None
        if self._noting is not None:
            await asyncio.wait([self._noting], timeout=_LET_GO_WITHIN_S)
            self._noting.cancel()
        await stop(self._consumer)

    async def gain(self, topic_partitions: Iterable[KafkaPartition]) -> None:
        """The group gave us exactly these places: go to our positions before anything is read."""
        owned = frozenset(topic_partitions)
        self._consumer.pause(*owned)
        positions = (
            await self._positions([(topic_partition.topic, topic_partition.partition) for topic_partition in owned])
            if owned
            else {}
        )
        self._go_to(owned, positions)
        self._owned = owned
        self._silent_s = 0.0

    def lose(self) -> None:
        """The group is sharing out again: nothing is ours."""
        self._owned = None

    def fail(self, error: Exception) -> None:
        """Have `poll` raise `error`, since aiokafka only logs what a listener raises."""
        self._failed = error

    def _go_to(self, owned: Iterable[KafkaPartition], positions: Mapping[TopicPartition, int]) -> None:
        """Read each partition from its position in `positions`, and not at all without one."""
        self._consumer.pause(*owned)
        self._reads = bool(positions)
        for topic_partition in owned:
            offset = positions.get((topic_partition.topic, topic_partition.partition))
            # A place that is not read needs some position, or aiokafka would choose one.
            self._consumer.seek(topic_partition, offset or 0)
            if offset is not None:
                self._consumer.resume(topic_partition)

    def _raise_if_failed(self) -> None:
        if self.closed:
            raise Unavailable("this member left its group; subscribe again")
        if self._failed is not None:
            raise self._failed

    def _watch(self, records: Sequence[Record], waited_s: float) -> None:
        # The broker answers a fetch twice a second even when there is nothing new.
        answers = tuple(self._consumer.last_poll_timestamp(topic_partition) for topic_partition in self._owned or ())
        answered = (self._owned is not None and not self._reads) or answers != self._answers
        self._answers = answers
        self._silent_s = 0.0 if records or answered else self._silent_s + waited_s
        if self._silent_s > self._stuck_after_s:
            what = "gave this member no partitions" if self._owned is None else "did not answer a read"
            raise Unavailable(f"Kafka {what} for {self._silent_s:.0f} s; joining the group again")

    async def _commit(self) -> None:
        while self._uncommitted:
            noted, self._uncommitted = self._uncommitted, {}
            owned = self._owned or frozenset()
            mine = {
                topic_partition: offset
                for at, offset in noted.items()
                if (topic_partition := KafkaPartition(*at)) in owned
            }
            if mine:
                with suppress(KafkaError, TimeoutError):
                    async with asyncio.timeout(_NOTE_WITHIN_S):
                        await self._consumer.commit(mine)
            with suppress(TimeoutError):
                async with asyncio.timeout(_NOTE_EVERY_S):
                    await self._closing.wait()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, member: KafkaMember) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        self._member.lose()

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        try:
            await self._member.gain(assigned)
        except Exception as error:
            self._member.fail(error)


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and end everything of `consumer` within five seconds, whatever state it is in; never raises."""
    with suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(_STOP_WITHIN_S):
            await consumer.stop()
            return
    # `stop` may wait for a broker that is down, and its parts keep running unless each is stopped.
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    steps = [coordinator._stop_heartbeat_task, coordinator._stop_commit_offsets_refresh_task] if coordinator else []
    steps += [fetcher.close] if fetcher else []
    for step in (*steps, consumer._client.close):
        with suppress(Exception, asyncio.CancelledError):
            async with asyncio.timeout(_LET_GO_WITHIN_S):
                await step()


def _record(each: ConsumerRecord | UnreadableRecord) -> Record:
    if isinstance(each, UnreadableRecord):
        return Record(each.topic, each.partition, each.offset, "", b"", {}, each.reason)
    # A tombstone has no value, and what others write may lack a key.
    return Record(
        each.topic,
        each.partition,
        each.offset,
        each.key.decode(errors="replace") if each.key else "",
        each.value or b"",
        {name: value or b"" for name, value in each.headers},
    )
