"""What goes wrong during the torture test: services are killed, records are written twice, the broker hangs."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.torture.ledger import Record
from tests.torture.records import MARK, PLACES, record_of
from tests.torture.rig import Rig


def kill_times(names: Sequence[str], count: int, within_s: float, seed: int) -> list[tuple[float, str]]:
    """`count` kills at random moments, each process as often as the others; every sixth hits one that was killed
    within the last two seconds, so that it is starting.

    Delivery is killed in the first two thirds: what it had claimed is sent again only when its leases have run out,
    after a minute.
    """
    draw = random.Random(seed)
    found: list[tuple[float, str]] = []
    for number in range(count):
        name = names[number % len(names)]
        mine = [at for at, who in found if who == name]
        last_s = within_s * 2 / 3 if name.startswith("delivery") else within_s
        if number % 6 == 5 and mine:
            found.append((draw.choice(mine) + draw.uniform(0.2, 2.0), name))
        else:
            found.append((draw.uniform(1.0, last_s), name))
    return sorted(found)


async def kill(rig: Rig, times: list[tuple[float, str]]) -> None:
    """Kill at these times from now on."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(at: float, name: str) -> None:
        await asyncio.sleep(began + at - loop.time())
        await rig.kill(name)

    async with asyncio.TaskGroup() as group:
        for at, name in times:
            group.create_task(one(at, name))


async def hang_kafka(rig: Rig, after_s: float, for_s: float) -> None:
    """Have the broker hang after some time, for some time: it accepts connections and does not answer."""
    await asyncio.sleep(after_s)
    rig.broker.pause()
    try:
        await asyncio.sleep(for_s)
    finally:
        rig.broker.resume()


class Listener:
    """Reads all topics as they are written, and writes a `share` of the records again a little later, as a producer
    does whose confirmation was lost. `on_assigned` gets each assignment of a first owner once."""

    def __init__(self, bootstrap: str, *, share: float, seed: int, on_assigned: Callable[[Record], None]) -> None:
        self._bootstrap = bootstrap
        self._share = share
        self._random = random.Random(seed)
        self._on_assigned = on_assigned
        self._seen: set[str] = set()
        self.resent = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="earliest")
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        await consumer.start()
        await producer.start()
        try:
            consumer.assign(PLACES)
            await consumer.seek_to_beginning()
            async with asyncio.TaskGroup() as group:
                while True:
                    found = await consumer.getmany(timeout_ms=500)
                    for record in [each for batch in found.values() for each in batch if MARK not in each.headers]:
                        self._apply(record)
                        if self._random.random() < self._share:
                            group.create_task(self._again(producer, record))
        finally:
            await consumer.stop()
            await producer.stop()

    def stop_resending(self) -> None:
        """Only listen from now on."""
        self._share = 0.0

    def _apply(self, polled: Any) -> None:
        record = record_of(polled)
        if record.type == "baton.lead.assigned.v1" and record.event_id not in self._seen:
            self._seen.add(record.event_id)
            self._on_assigned(record)

    async def _again(self, producer: AIOKafkaProducer, record: Any) -> None:
        await asyncio.sleep(self._random.uniform(0.0, 3.0))
        await producer.send_and_wait(
            record.topic, record.value, record.key, partition=record.partition, headers=list(record.headers)
        )
        self.resent += 1
