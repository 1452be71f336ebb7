"""Services as tests run them: in this process, on a database and a log, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from shared.bus.envelope import encode
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.events import Event, WatermarkAdvanced
from shared.http.keys import Keys
from shared.ports import Bus, Clock, Record, TopicPartition
from shared.runtime.service import Platform, Service
from shared.runtime.web import Web
from shared.settings import Settings, read
from tests.kit.events import envelope

ADMIN = {"Authorization": "Bearer admin-key"}

_WATERMARK = WatermarkAdvanced.TYPE.encode()


def platform_on(database: Database | None, bus: Bus, clock: Clock | None = None, /, **environ: str) -> Platform:
    """What services are built on, with these settings next to the administrator's key."""
    given = {"BATON_ADMIN_KEY": "admin-key", **environ}
    settings = read(Settings, given)
    return Platform(settings, given, clock or SystemClock(), bus, database, Keys.load(settings))


@asynccontextmanager
async def running(platform: Platform, *services: Service) -> AsyncIterator[Web]:
    """The services at work, behind one application. None of their tasks may end before the test does."""
    for service in services:
        for start in service.starts:
            await start()
    web = Web(platform, services)
    web.open()
    tasks = [asyncio.create_task(run(), name=name) for service in services for name, run in service.tasks.items()]
    try:
        yield web
        assert [task.get_name() for task in tasks if task.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def client_of(web: Web) -> httpx.AsyncClient:
    """A client with the administrator's key."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://baton", headers=ADMIN)


async def publish(bus: Bus, *events: Event) -> None:
    """Put the events on the log; the same event always has the same id."""
    await bus.publish([encode(envelope(event, SystemClock().now())) for event in events])


async def from_start(topic_partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Positions of a reader that reads everything."""
    return dict.fromkeys(topic_partitions, 0)


async def first_records(bus: Bus, topic: str, count: int, *, within_s: float = 60) -> list[Record]:
    """The first `count` records of the topic, in order per partition, without watermarks."""
    reader = await bus.subscribe(group=f"tests-{topic}-{count}", topics=[topic], positions=from_start)
    found: list[Record] = []
    async with asyncio.timeout(within_s):
        while len(found) < count:
            polled = await reader.poll(max_records=1000, wait_s=1)
            found += [record for record in polled if record.headers.get("ce_type") != _WATERMARK]
    await reader.close()
    return found
