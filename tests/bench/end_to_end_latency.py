"""P3: from the form post to the assignment as a plain Kafka consumer reads it, at 200 leads a second, all services
running.

Load is open-loop: posts leave on schedule whether or not earlier ones are answered, and each is timed from when it
was due, so a stall counts against us in full. The limit is the same bytes produced to and consumed from the same
broker.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.layout import Layout
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import read_topics
from shared.domain.events import ASSIGNMENTS, INQUIRIES
from tests.bench.figures import Figure
from tests.kit.agreements import agreement_text

RATE = 200
KEY = "bench-administrator-key"


class Poster:
    """One persistent connection that posts one lead after another."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> "Poster":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, body: bytes) -> None:
        head = (
            f"POST /v1/leads HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 202 " in answer.split(b"\r\n", 1)[0], answer
        length = next(int(line.split(b":")[1]) for line in answer.lower().split(b"\r\n") if b"content-length" in line)
        await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


def lead(person: str) -> bytes:
    """A lead of about 600 bytes."""
    return json.dumps(
        {
            "external_id": person,
            "kind": "demo_request",
            "source": "website",
            "contact": {"email": f"{person}@example.com", "first_name": "Jo", "last_name": "Peeters", "country": "BE"},
            "company": {"name": "Example NV", "domain": "example.com", "employees": 120, "industry": "software"},
            "channel": "paid_search",
            "campaign": "q4-demo",
            "page_url": "https://acme.example/demo?utm_source=search&utm_campaign=q4-demo&utm_content=headline-b",
            "message": "Can we talk about this in the coming days? We are comparing three offers for our two sites.",
            "consent": {"basis": "opt_in", "text": "Acme may contact me about its products and services"},
        }
    ).encode()


async def _on_schedule(count: int, act: "asyncio.Queue[tuple[str, float]]") -> None:
    began = time.perf_counter()
    for number in range(count):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        act.put_nowait((f"p{number}-{secrets.token_hex(4)}", due))


async def _through_baton(bootstrap: str, port: int, count: int) -> list[float]:
    """Seconds from when each post was due until its assignment was read."""
    consumer = AIOKafkaConsumer(ASSIGNMENTS, bootstrap_servers=bootstrap, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    due_at: dict[str, float] = {}
    due: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    posters = [await Poster(port).open() for _ in range(16)]

    async def post(poster: Poster) -> None:
        while True:
            person, at = await due.get()
            due_at[f"{person}@example.com"] = at
            await poster.post(lead(person))

    posting = [asyncio.create_task(post(poster)) for poster in posters]
    timing = asyncio.create_task(_on_schedule(count, due))
    waits: list[float] = []
    async with asyncio.timeout(count / RATE + 60):
        while len(waits) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.perf_counter()
                assigned = [json.loads(record.value) for record in records]
                waits += [now - due_at[lead["contact"]["email"]] for lead in assigned if "contact" in lead]
    await timing
    for task in posting:
        task.cancel()
    await asyncio.gather(*posting, return_exceptions=True)
    for poster in posters:
        poster.close()
    await consumer.stop()
    return waits


async def _through_broker(bootstrap: str, count: int) -> list[float]:
    """Seconds from when each record was due until it was read, through the broker alone."""
    consumer = AIOKafkaConsumer(INQUIRIES, bootstrap_servers=bootstrap, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    due: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    due_at: dict[str, float] = {}

    async def produce() -> None:
        for _ in range(count):
            person, at = await due.get()
            due_at[person] = at
            await producer.send(INQUIRIES, lead(person), key=person.encode())

    tasks = [asyncio.create_task(produce()), asyncio.create_task(_on_schedule(count, due))]
    waits: list[float] = []
    async with asyncio.timeout(count / RATE + 60):
        while len(waits) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.perf_counter()
                waits += [now - due_at[r.key.decode()] for r in records if r.key.decode() in due_at]
    await asyncio.gather(*tasks)
    await producer.stop()
    await consumer.stop()
    return waits


def percentile(waits: Sequence[float], share: float) -> float:
    """The wait, in milliseconds, that `share` of all do not exceed."""
    return sorted(waits)[min(len(waits) - 1, int(share * len(waits)))] * 1000


def measure(folder: Path, *, seconds: int, rounds: int) -> Sequence[Figure]:
    """P3: through all services, then through the broker alone, `rounds` times in turn; waits of all rounds together."""
    (folder / "agreement.yaml").write_text(agreement_text())
    environ = {
        "BATON_ADMIN_KEY": KEY,
        "BATON_AGREEMENT": str(folder / "agreement.yaml"),
        "BATON_LOG_LEVEL": "WARNING",
    }
    baton: list[float] = []
    with Layout(folder / "layout", environ=environ) as layout:
        port = layout.service("ingest").port
        asyncio.run(_through_baton(layout.kafka, port, RATE * 3))  # warm: connections, statements, code paths
        for _ in range(rounds):
            baton += asyncio.run(_through_baton(layout.kafka, port, RATE * seconds))
    broker: list[float] = []
    with Layout(folder / "broker", environ=environ, services=()) as alone:
        _topics(alone.kafka)
        for _ in range(rounds):
            broker += asyncio.run(_through_broker(alone.kafka, RATE * seconds))
    figures = []
    for name, share, more in (("p50", 0.5, 15), ("p99", 0.99, 60)):
        mine, theirs = percentile(baton, share), percentile(broker, share)
        what = f"hand-off: form post to assignment read from Kafka, {RATE}/s, {name}"
        target = f"<= {more} ms + broker's"
        figures.append(
            Figure(f"P3 {name}", what, "ms", mine, "the broker alone", theirs, target, mine <= more + theirs)
        )
    return figures


def _topics(bootstrap: str) -> None:
    """Make the topics, as a service would at its start."""

    async def make() -> None:
        bus = KafkaBus(Access(bootstrap), read_topics(), replication_factor=1)
        await bus.start()
        await bus.close()

    asyncio.run(make())
