"""The bus on a Kafka cluster: topics made or checked at start, one producer to write, one consumer for each member."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from shared.bus.kafka.access import Access
from shared.bus.kafka.member import KafkaMember, stop
from shared.bus.kafka.spans import Ends, spans
from shared.bus.kafka.topics import ensure_topics
from shared.bus.kafka.writer import RefusedForGood, Writer
from shared.bus.partition import by_partition, partition_of
from shared.bus.topics import Topic
from shared.domain.errors import Unavailable, Unwritable
from shared.ports import GroupMember, LoadPositions, Message, Span, TopicPartition

T = TypeVar("T")
_REQUEST_WITHIN_S = 10.0
_PING_WITHIN_S = 3.0
_CLOSE_WITHIN_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0
_FETCH_BYTES = 4 * 1024 * 1024


class KafkaBus:
    """The event log in the cluster at `access`; see `shared.ports.Bus`.

    `replication_factor` overrides the topics file's when topics are created. In seconds: `start` and `subscribe` wait
    for the cluster up to `start_within_s`, `publish` up to `publish_within_s`. A member loses its partitions if the
    broker does not hear from it for `session_timeout_s`; it raises if the broker is silent for `stuck_after_s`.
    """

    def __init__(
        self,
        access: Access,
        topics: Mapping[str, Topic],
        *,
        replication_factor: int | None = None,
        start_within_s: float = 60.0,
        publish_within_s: float = 10.0,
        session_timeout_s: float = 30.0,
        stuck_after_s: float = 60.0,
    ) -> None:
        self._access = access
        self._topics = topics
        self._copies = replication_factor
        self._start_within_s = start_within_s
        self._session_timeout_s = session_timeout_s
        self._stuck_after_s = stuck_after_s
        self._writer = Writer(access, within_s=publish_within_s)
        self._admin: AIOKafkaAdminClient | None = None
        self._members: list[KafkaMember] = []
        self._ends = Ends()

    async def start(self) -> None:
        """Reach the cluster and make the topics that are missing.

        Raises `Unavailable` if it doesn't answer in time, `Misconfigured` if its topics are at odds with the file.
        """
        pause_s, last = _FIRST_PAUSE_S, "it did not answer"
        try:
            async with asyncio.timeout(self._start_within_s):
                while True:
                    try:
                        self._admin = await self._reach()
                        return
                    except (KafkaError, OSError) as error:
                        last = f"{type(error).__name__}: {error}"
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError as error:
            raise Unavailable(
                f"Kafka at {self._access.bootstrap} can't be reached; waited {self._start_within_s:g} s ({last}). "
                f"Start it, set BATON_KAFKA to its address, or correct BATON_KAFKA_USERNAME and BATON_KAFKA_PASSWORD."
            ) from error

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `shared.ports.Bus.publish`."""
        self._started()
        if messages:
            try:
                await self._writer.write(by_partition(messages, self._topics))
            except RefusedForGood as refused:
                found = (i for i, message in enumerate(messages) if message is refused.message)
                raise Unwritable({next(found): str(refused)}) from refused

    async def subscribe(self, *, group: str, topics: Sequence[str], positions: LoadPositions) -> GroupMember:
        """See `shared.ports.Bus.subscribe`. Partitions come a moment later. Raises `Unavailable`."""
        self._started()
        consumer = AIOKafkaConsumer(
            **self._access.arguments(request_timeout_s=_REQUEST_WITHIN_S),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # The same partition of every topic goes to the same member, which so sees a lead whole.
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=int(self._session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._session_timeout_s * 1000 / 20),
            rebalance_timeout_ms=int(self._session_timeout_s * 2000),
            max_poll_interval_ms=300_000,
            fetch_max_bytes=_FETCH_BYTES,
            # A topic that was made again is noticed by then; aiokafka's own 300 s are long without leads.
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(self._start_within_s):
                await consumer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await stop(consumer)
            raise Unavailable(
                f"Kafka at {self._access.bootstrap} can't be reached to join {group}; retrying"
            ) from error
        except BaseException:
            await stop(consumer)
            raise
        member = KafkaMember(consumer, topics, positions, stuck_after_s=self._stuck_after_s)
        self._members = [each for each in self._members if not each.closed] + [member]
        return member

    async def spans(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Span]:
        """See `shared.ports.Bus.spans`."""
        return await self._offsets(spans(self._started(), topic_partitions))

    async def ends(self, topic_partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See `shared.ports.Bus.ends`."""
        return await self._offsets(self._ends.ask(self._started(), topic_partitions))

    async def _offsets(self, asking: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_REQUEST_WITHIN_S):
                return await asking
        except (KafkaError, OSError, TimeoutError) as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise Unavailable(f"Kafka at {self._access.bootstrap} did not return its offsets ({what})") from error

    def partitions(self, topic: str) -> int:
        """See `shared.ports.Bus.partitions`."""
        return self._topics[topic].partitions

    def partition_of(self, topic: str, key: str) -> int:
        """See `shared.ports.Bus.partition_of`."""
        return partition_of(key, self._topics[topic].partitions)

    async def ping(self) -> None:
        """See `shared.ports.Bus.ping`; asks for the cluster's metadata and waits three seconds."""
        admin = self._started()
        try:
            async with asyncio.timeout(_PING_WITHIN_S):
                await admin.describe_cluster()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka at {self._access.bootstrap} does not answer") from error

    async def close(self) -> None:
        """See `shared.ports.Bus.close`; also closes members that were left open."""
        admin, self._admin = self._admin, None
        closing = [member.close() for member in self._members] + [self._writer.close()]
        if admin is not None:
            closing.append(admin.close())
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await asyncio.gather(*closing, return_exceptions=True)

    def _started(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise Unavailable("the bus is not started, or closed")
        return self._admin

    async def _reach(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(**self._access.arguments(request_timeout_s=_REQUEST_WITHIN_S))
        try:
            await admin.start()
            await ensure_topics(admin, self._topics, self._copies)
        except BaseException:
            with suppress(KafkaError, OSError):
                await admin.close()
            raise
        return admin
