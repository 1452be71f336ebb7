"""Reading the topics with a plain client, from the beginning to the end."""

import json
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.bus.topics import read_topics
from tests.torture.ledger import Record

PLACES = [TopicPartition(topic.name, number) for topic in read_topics().values() for number in range(topic.partitions)]

MARK = ("torture", b"hostile")
"""The header of a record that no service can read, nor this."""


def record_of(record: Any) -> Record:
    """A record as the checker reads it."""
    headers = dict(record.headers)
    kind, event_id = headers["ce_type"].decode(), headers["ce_id"].decode()
    key = record.key.decode()
    return Record(record.topic, record.partition, record.offset, event_id, kind, key, json.loads(record.value))


async def ends(bootstrap: str) -> dict[TopicPartition, int]:
    """The next offset of every partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    await consumer.start()
    try:
        return await _ends(consumer)
    finally:
        await consumer.stop()


async def all_records(bootstrap: str) -> list[Record]:
    """Everything on the topics, each partition in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        left = {place: end for place, end in (await _ends(consumer)).items() if end}
        consumer.assign(list(left))
        await consumer.seek_to_beginning()
        found = []
        while left:
            for place, batch in (await consumer.getmany(timeout_ms=1000)).items():
                found += [record_of(each) for each in batch if MARK not in each.headers]
                if place in left and batch[-1].offset + 1 >= left[place]:
                    del left[place]
        return found
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    consumer.assign(PLACES)
    return dict(await consumer.end_offsets(PLACES))
