"""Reading the topics with a plain client, from the beginning to the end."""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.topics import read_topics
from tests.torture.ledger import Record

TOPICS = frozenset(read_topics())
PLACES = [TopicPartition(topic.name, number) for topic in read_topics().values() for number in range(topic.partitions)]

_REQUEST_WITHIN_MS = 10_000

MARK = ("torture", b"hostile")
"""The header of a record that no service can read, nor this."""


def record_of(record: Any) -> Record:
    """A record as the checker reads it."""
    headers = dict(record.headers)
    kind, event_id = headers["ce_type"].decode(), headers["ce_id"].decode()
    key = record.key.decode()
    return Record(record.topic, record.partition, record.offset, event_id, kind, key, json.loads(record.value))


async def ends(bootstrap: str, topics: Collection[str] = TOPICS) -> dict[TopicPartition, int]:
    """The next offset of every partition. Waits for a broker that is away."""
    while True:
        # A client that was started while the only broker was not in its own cluster yet does not find it again.
        with suppress(KafkaError):
            async with _consumer(bootstrap) as consumer:
                places = [place for place in PLACES if place.topic in topics]
                consumer.assign(places)
                return dict(await consumer.end_offsets(places))


async def all_records(bootstrap: str, topics: Collection[str] = TOPICS) -> list[Record]:
    """Everything on the topics, each partition in its order."""
    until = await ends(bootstrap, topics)
    async with _consumer(bootstrap) as consumer:
        consumer.assign(list(until))
        starts = await consumer.beginning_offsets(list(until))
        left = {place: end for place, end in until.items() if starts[place] < end}
        consumer.assign(list(left))
        await consumer.seek_to_beginning()
        found = []
        while left:
            for place, batch in (await consumer.getmany(timeout_ms=1000)).items():
                found += [record_of(each) for each in batch if MARK not in each.headers]
                if place in left and batch[-1].offset + 1 >= left[place]:
                    del left[place]
        return found


@asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", request_timeout_ms=_REQUEST_WITHIN_MS
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
