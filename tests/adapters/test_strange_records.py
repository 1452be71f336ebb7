"""Records that others can write to our topics and that the Kafka client fails on: set aside by their offsets, while the
good ones are read. And records that a disk has damaged, which are missing.
"""

import asyncio
import dataclasses
import secrets
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NoError, NotLeaderForPartitionError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from deploy.local.kafka import KafkaBroker
from services.router.store.tables import tables
from shared.bus.envelope import Received, encode
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db.engine import Database, Tx
from shared.domain.events import INQUIRIES, RecordQuarantined
from shared.runtime.consume import Consumer, Consumption
from shared.runtime.wakeup import WakeUp
from tests.adapters.test_continuity import found, kafka
from tests.adapters.test_runtime import RecordingHandler, inquiry, running
from tests.kit.servers import SharedKafka

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(120),
]
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

GZIP, LZ4 = 1, 3
_PARTITION = 0
_CODEC_AT, _CRC_AT, _RECORDS_AT = 21, 17, 61


class Aside:
    """Takes what is quarantined."""

    def __init__(self) -> None:
        self.events: list[RecordQuarantined] = []
        self._news = asyncio.Event()

    async def __call__(self, tx: Tx, batch: Sequence[Received]) -> None:
        self.events += [each.event for each in batch if isinstance(each.event, RecordQuarantined)]
        self._news.set()

    async def has(self, count: int) -> dict[int, str]:
        """The offsets of so many, and why each was set aside."""
        async with asyncio.timeout(60):
            while len(self.events) < count:
                self._news.clear()
                await self._news.wait()
        return {int(event.origin.rpartition("/")[2]): event.detail for event in self.events}


def batch(*ids: int, odd: str = "") -> bytes:
    """A batch of inquiries; the last one has a header with this name as well."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for at, number in enumerate(ids):
        message = encode(inquiry(number))
        extra = [(odd, b"")] if odd and at == len(ids) - 1 else []
        builder.append(at, None, message.key.encode(), message.value, [*message.headers, *extra])
    return bytes(builder.build())


def with_crc(changed: bytes) -> bytes:
    crc = struct.pack(">I", calc_crc32c(changed[_CODEC_AT:]))
    return changed[:_CRC_AT] + crc + changed[_CODEC_AT:]


def in_lz4(plain: bytes) -> bytes:
    """The batch in an LZ4 frame that holds one block as it is, which needs no codec to write."""
    records = plain[_RECORDS_AT:]
    frame = b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(records) | 1 << 31) + records + bytes(4)
    whole = plain[:_CODEC_AT] + struct.pack(">h", LZ4) + plain[_CODEC_AT + 2 : _RECORDS_AT] + frame
    return with_crc(whole[:8] + struct.pack(">i", len(whole) - 12) + whole[12:])


async def answered(admin: AIOKafkaAdminClient, topic: str, raw: bytes) -> tuple[type[KafkaError], int]:
    """Write a batch as it is; returns the response of the broker and the offset of its first record."""
    client: Any = admin._client
    request = ProduceRequest(None, -1, 5000, [(topic, [(_PARTITION, raw)])])
    while True:
        answer = await client.send(client.get_random_node(), request)
        _, code, offset, *_ = answer.topics[0][1][0]
        if for_code(code) is not NotLeaderForPartitionError:
            return for_code(code), offset


async def write(admin: AIOKafkaAdminClient, topic: str, raw: bytes) -> int:
    """Write a batch as it is; the offset of its first record."""
    error, offset = await answered(admin, topic, raw)
    assert error is NoError
    return offset


async def transaction(bootstrap: str, topic: str, number: int) -> None:
    message = encode(inquiry(number))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"strange-{topic}")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(
                topic, message.value, message.key.encode(), partition=_PARTITION, headers=list(message.headers)
            )
    finally:
        await producer.stop()


def reader(
    database: Database, bus: KafkaBus, topic: str, handler: RecordingHandler, aside: Aside | None = None
) -> Consumer:
    return Consumer(
        consumption=Consumption(group=f"test.{topic}", handlers={topic: handler}, set_aside=aside),
        database=database,
        bus=bus,
        clock=SystemClock(),
        tables=tables,
        committed=[WakeUp()],
    )


@SQLITE
async def test_what_the_client_cannot_read_is_set_aside_by_its_offset_and_the_rest_is_read(
    database: Database, kafka_broker: SharedKafka
) -> None:
    handler, aside = RecordingHandler(), Aside()
    async with kafka(kafka_broker) as (bus, admin, topic), running(reader(database, bus, topic, handler, aside)):
        bad_name = await write(admin, topic, with_crc(batch(0, 1, odd="name").replace(b"name", b"\xff\xfe\xfd\xfc")))
        packed = await write(admin, topic, in_lz4(batch(2, 3)))
        await transaction(kafka_broker.bootstrap, topic, 4)
        await write(admin, topic, batch(5))
        assert sorted(await handler.has(3)) == ["ev_0", "ev_4", "ev_5"]
        *failed, marker = (await aside.has(4)).items()
        assert [offset for offset, _ in failed] == [bad_name + 1, packed, packed + 1]
        assert all("the Kafka client fails on it" in why for _, why in failed)
        assert "it marks the end of a transaction" in marker[1]


@SQLITE
async def test_records_with_nothing_in_them_or_10_000_headers_are_read(
    database: Database, kafka_broker: SharedKafka
) -> None:
    handler, aside = RecordingHandler(), Aside()
    empty = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    empty.append(0, None, None, None, [("ce_id", None)])
    many = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    message = encode(inquiry(1))
    many.append(0, None, b"\xff", message.value, [*message.headers, *((f"h{n}", b"") for n in range(10_000))])
    async with kafka(kafka_broker) as (bus, admin, topic), running(reader(database, bus, topic, handler, aside)):
        first = await write(admin, topic, bytes(empty.build()))
        await write(admin, topic, bytes(many.build()))
        assert await handler.has(1) == ["ev_1"]
        assert list(await aside.has(1)) == [first]


async def test_the_broker_takes_no_small_message_that_becomes_a_large_one(kafka_broker: SharedKafka) -> None:
    topic = dataclasses.replace(read_topics()[INQUIRIES], name=f"inquiries-{secrets.token_hex(4)}", partitions=1)
    bomb = DefaultRecordBatchBuilder(2, GZIP, 0, -1, -1, -1, 1 << 24)
    bomb.append(0, None, b"k", bytes(8 << 20), [])
    raw = bytes(bomb.build())
    assert len(raw) < 20_000
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)
    bus = KafkaBus(Access(kafka_broker.bootstrap), {topic.name: topic}, replication_factor=1)
    try:
        await admin.start()
        await bus.start()
        assert await answered(admin, topic.name, raw) == (MessageSizeTooLargeError, -1)
    finally:
        await bus.close()
        await admin.close()


@SQLITE
async def test_a_batch_that_was_damaged_on_the_brokers_disk_is_missing(
    database: Database, own_kafka_broker: KafkaBroker
) -> None:
    handler = RecordingHandler()
    async with kafka(SharedKafka(own_kafka_broker.bootstrap)) as (bus, admin, topic):
        start = await write(admin, topic, batch(0))
        await write(admin, topic, batch(1, 2))
        await write(admin, topic, batch(3))
        damage(own_kafka_broker.log.parent / "data" / f"{topic}-{_PARTITION}", b'"ld_1_2"')
        async with running(reader(database, bus, topic, handler)):
            (gap,) = await found(database, within_s=60)
            assert (gap.from_offset, gap.to_offset) == (start + 1, start + 2)
            assert handler.ids == ["ev_0"]


def damage(folder: Path, text: bytes) -> None:
    (file,) = folder.glob("*.log")
    with file.open("r+b") as log:
        log.seek(log.read().index(text))
        log.write(b"#")
