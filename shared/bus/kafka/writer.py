"""Writes to Kafka in order and with timeouts: one outstanding batch per partition, acknowledged by all in-sync
replicas, and a new producer after every failure.

aiokafka's idempotent producer waits forever while Kafka is down (its issue 1101), and after some failures refuses
everything or leaves a gap in its sequence numbers (issue 1017). So any failure ends the producer; the next call creates
a new one and the caller sends again. No message can overtake a failed batch if the caller follows the port's contract
and sends the failed messages again before later ones. What the old producer had in flight may still be written:
consumers drop such duplicates by the event's id.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from shared.bus.kafka.access import Access
from shared.domain.errors import Unavailable
from shared.ports import Message, TopicPartition

# Below max.message.bytes (2 MiB), which the broker applies to a whole batch.
_BATCH_BYTES = 1_048_576
_END_WITHIN_S = 2.0


class RefusedForGood(Exception):
    """The broker's size limit is lower than the topics file's, so it will never accept this message."""

    def __init__(self, message: Message, reason: str) -> None:
        super().__init__(reason)
        self.message = message


class _BatchTooBig(Exception):
    """The broker refused a batch; only sending its messages one by one shows which is too big."""


class Writer:
    """The producer, created on demand. A `write` takes at most `within_s` seconds."""

    def __init__(self, access: Access, *, within_s: float) -> None:
        self._access = access
        self._within_s = within_s
        self._producer: AIOKafkaProducer | None = None
        # One write at a time preserves the order of calls; they are batches, so this costs little.
        self._lock = asyncio.Lock()
        self._closed = False
        self._one_by_one = False
        self._ending: set[asyncio.Task[None]] = set()

    async def write(self, topic_partitions: Mapping[TopicPartition, Sequence[Message]]) -> None:
        """Write all and return when Kafka has confirmed all.

        Raises `Unavailable` after any error and when time is up, `RefusedForGood` for a message too big for the broker.
        """
        try:
            async with asyncio.timeout(self._within_s), self._lock:
                await self._write(topic_partitions)
        except TimeoutError as error:
            raise Unavailable(
                f"Kafka at {self._access.bootstrap} did not acknowledge within {self._within_s:g} s; retrying"
            ) from error

    async def close(self) -> None:
        """End all producers and give up what is not acknowledged."""
        self._closed = True
        self._discard()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _write(self, topic_partitions: Mapping[TopicPartition, Sequence[Message]]) -> None:
        if self._closed:
            raise Unavailable("the bus is closed")
        try:
            producer = self._producer or await self._make()
            async with asyncio.TaskGroup() as sending:
                for topic_partition, messages in topic_partitions.items():
                    sending.create_task(_send(producer, topic_partition, messages, self._one_by_one))
            self._one_by_one = False
        except asyncio.CancelledError:
            self._discard()
            raise
        except Exception as error:  # whatever aiokafka failed with: its producer is in an unknown state now
            self._discard()
            causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            for cause in causes:
                if isinstance(cause, RefusedForGood):
                    raise cause from None
            self._one_by_one = self._one_by_one or any(isinstance(cause, _BatchTooBig) for cause in causes)
            raise Unavailable(
                f"Kafka at {self._access.bootstrap} did not accept the events ({_name(error)}); retrying"
            ) from error

    async def _make(self) -> AIOKafkaProducer:
        self._producer = AIOKafkaProducer(
            **self._access.arguments(request_timeout_s=self._within_s),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
        )
        await self._producer.start()
        return self._producer

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            task = asyncio.create_task(_end(producer))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


async def _send(
    producer: AIOKafkaProducer, topic_partition: TopicPartition, messages: Sequence[Message], one_by_one: bool
) -> None:
    topic, partition = topic_partition
    for batch in _batches(producer, messages, one_by_one):
        confirmed = await producer.send_batch(batch.builder, topic, partition=partition)
        try:
            await confirmed
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            if len(batch.messages) > 1:
                raise _BatchTooBig(f"{topic}: {_name(error)}") from error
            raise RefusedForGood(batch.messages[0], f"Kafka takes no message of this size for {topic}") from error


class _Batch(NamedTuple):
    builder: Any
    messages: list[Message]


def _batches(producer: AIOKafkaProducer, messages: Sequence[Message], one_by_one: bool) -> Iterator[_Batch]:
    batch = _Batch(producer.create_batch(), [])
    for message in messages:
        record = {
            "timestamp": None,
            "key": message.key.encode(),
            "value": message.value,
            "headers": list(message.headers),
        }
        full = one_by_one and batch.messages
        if full or batch.builder.append(**record) is None:
            yield batch
            batch = _Batch(producer.create_batch(), [])
            # The first record of a batch is taken whatever its size.
            batch.builder.append(**record)
        batch.messages.append(message)
    yield batch


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop a producer that may have unsent batches, without sending them.

    Its own `stop` would keep sending while Kafka is down, concurrently with the next producer.
    """
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    # Closing the connections first ends the requests that the sender still waits for. `stop` may raise CancelledError.
    for step in (producer.client.close, producer.stop, producer.client.close):
        with suppress(Exception, asyncio.CancelledError):
            async with asyncio.timeout(_END_WITHIN_S):
                await step()


def _name(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        return _name(error.exceptions[0])
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
