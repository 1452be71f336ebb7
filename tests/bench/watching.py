"""P4, P5: a monitor watches a million promises, is told of many at once, and comes back to many that are overdue.

Ingest runs too, for its watermarks; nothing else does. Lateness counts from the first instant at which the verdict may
be given (deadline and tolerance) until a plain Kafka consumer reads the breach.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import psutil
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer

from deploy.layout import Layout
from deploy.local.postgres import PostgresCluster
from deploy.local.service import ServiceProcess
from services.sla_monitor.domain.ladder import planned
from services.sla_monitor.domain.window import Window
from services.sla_monitor.store import tables
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.envelope import Envelope, encode
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db.bulk import insert_rows, row_of
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import (
    ACTIVITIES,
    ESCALATIONS,
    Event,
    RepRef,
    WindowBreached,
    WindowMet,
    WindowOpened,
)
from shared.domain.ids import event_id
from tests.bench.end_to_end_latency import percentile
from tests.bench.figures import Figure
from tests.bench.routing import large_agreement
from tests.kit import events
from tests.kit.windows import running

MARKER_S = 0.5
TOLERANCE = timedelta(seconds=2)
SIZES = ("stored", "due", "changed", "late")
_ROWS = 20_000
_encode = msgspec.json.Encoder().encode
_TYPES = {kind.TYPE.encode(): kind for kind in (WindowOpened, WindowMet, WindowBreached)}


class Watching:
    """A monitor with its parts; `stored` promises are due in a month."""

    def __init__(self, layout: Layout, bus: KafkaBus, database: Database, agreement: Agreement) -> None:
        self._layout = layout
        self._bus = bus
        self._database = database
        self._agreement = agreement
        self._reader = AIOKafkaConsumer(ESCALATIONS, bootstrap_servers=layout.kafka, auto_offset_reset="earliest")
        self._number = 0

    @property
    def _postgres(self) -> PostgresCluster:
        found = self._layout.parts["postgres"]
        assert isinstance(found, PostgresCluster)
        return found

    @property
    def monitor(self) -> ServiceProcess:
        return self._layout.service("sla_monitor")

    async def __aenter__(self) -> "Watching":
        await self._reader.start()
        async with self._database.begin() as tx:
            await agreements.save(tx, self._agreement, datetime.now(UTC))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def start(self) -> None:
        """Let the monitor run, until it is ready."""
        self.monitor.start()
        while not await asyncio.to_thread(self.monitor.ready):
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Let it finish."""
        await asyncio.to_thread(self.monitor.stop)

    async def store(self, dues: Iterator[datetime]) -> list[str]:
        """Promises with these deadlines, as the monitor leaves them; their ids."""
        ids = []
        while some := list(islice(dues, _ROWS)):
            windows = [self._window(due_at) for due_at in some]
            rows = [row_of(tables.windows, window, body=_encode(window)) for window in windows]
            async with self._database.begin() as tx:
                await insert_rows(tx, tables.windows, rows)
            ids += [window.window_id for window in windows]
        return ids

    async def tidy(self) -> None:
        """Leave the database as one that has run for a while: with statistics, and nothing left to clean up."""
        # As the superuser: what a role does not own, PostgreSQL skips with no more than a warning.
        owner = Database(self._postgres.url, SystemClock())
        connection = await owner.dedicated()
        await connection.execute(sa.text("VACUUM ANALYZE"))
        await connection.close()
        await owner.close()

    async def publish(self, found: Iterator[Event]) -> None:
        while some := list(islice(found, 5000)):
            envelopes = [Envelope(event_id(_encode(event)), "baton/bench", datetime.now(UTC), event) for event in some]
            await self._bus.publish([encode(envelope) for envelope in envelopes])

    async def read(
        self, done: Callable[[], bool], *, within_s: float
    ) -> AsyncIterator[tuple[type[Event], dict[str, Any], float]]:
        """What the monitor publishes about promises, with the time of day at which it was read, until `done`."""
        async with asyncio.timeout(within_s):
            while not done():
                for records in (await self._reader.getmany(timeout_ms=100)).values():
                    now = time.time()
                    for record in records:
                        kind = _TYPES.get(dict(record.headers)["ce_type"])
                        if kind is not None:
                            yield kind, json.loads(record.value), now

    def _window(self, due_at: datetime) -> Window:
        self._number += 1
        lead_id = f"ld_{self._number:026}"
        window = running(
            lead_id,
            partition=self._bus.partition_of(ACTIVITIES, lead_id),
            owner=f"rep{self._number % 200:03}",
            due_at=due_at,
            tolerance=TOLERANCE,
            agreement=self._agreement.ref,
        )
        return planned(self._agreement, window)

    def assigned(self, count: int) -> Iterator[Event]:
        """So many assignments of new leads."""
        now = datetime.now(UTC)
        for number in range(count):
            rep = RepRef(f"rep{number % 200:03}", "rep@acme.example")
            more: dict[str, Any] = {
                "assignment_id": f"as_{number}",
                "inquiry_id": f"inq_{number}",
                "agreement": self._agreement.ref,
            }
            yield events.assigned(_lead(number), rep=rep, assigned_at=now, received_at=now, respond_by=None, **more)


def _lead(number: int) -> str:
    return f"new_{number:026}"


def calls(count: int) -> Iterator[Event]:
    """A call to each of these leads."""
    now = datetime.now(UTC)
    for number in range(count):
        yield events.activity(_lead(number), "call", activity_id=f"call_{number}", accepted_at=now)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Watching]:
    """A monitor that is stopped, on a Kafka and a PostgreSQL of its own, with an ingest that runs."""
    (folder / "agreement.yaml").write_text(large_agreement())
    environ = {
        "BATON_AGREEMENT": str(folder / "agreement.yaml"),
        "BATON_LOG_LEVEL": "WARNING",
        "BATON_INGEST_MARKER_S": str(MARKER_S),
        "BATON_SLA_MONITOR_TOLERANCE_S": str(TOLERANCE.total_seconds()),
    }
    layout = Layout(folder / "layout", environ=environ, services=("ingest", "sla_monitor"), restart=False)
    await asyncio.to_thread(layout.start)
    try:
        await asyncio.to_thread(layout.service("sla_monitor").stop)
        bus = KafkaBus(Access(layout.kafka), read_topics(), replication_factor=1)
        await bus.start()
        database = Database(layout.database_url, SystemClock())
        agreement = agreement_file.load(folder / "agreement.yaml").agreement
        async with Watching(layout, bus, database, agreement) as found:
            yield found
        await bus.close()
        await database.close()
    finally:
        await asyncio.to_thread(layout.stop)


async def opened_and_met(watched: Watching, count: int) -> float:
    """P5: promises opened and kept, in events a second, by a monitor that comes back to both topics."""
    await watched.publish(watched.assigned(count))
    await watched.publish(calls(count))
    await watched.start()
    times: list[float] = []
    async for kind, _, at in watched.read(lambda: len(times) >= 2 * count, within_s=300):
        if kind in (WindowOpened, WindowMet):
            times.append(at)
    await watched.stop()
    first = times.count(times[0])
    return (len(times) - first) / (times[-1] - times[0])


async def lateness(watched: Watching, count: int, idle_s: float) -> tuple[list[float], float]:
    """P4: how many seconds late each of the breaches is of promises that are all due within a second; and the share of
    a processor that the monitor uses in the `idle_s` seconds before, while nothing is due.
    """
    await watched.start()
    process = psutil.Process(watched.monitor.pid)
    await asyncio.sleep(min(3.0, idle_s))
    process.cpu_percent()
    await asyncio.sleep(idle_s)
    idle = process.cpu_percent() / 100
    begins_at = datetime.now(UTC) + timedelta(seconds=3)
    await watched.store(begins_at + timedelta(seconds=n / count) for n in range(count))
    waits: list[float] = []
    async for kind, data, at in watched.read(lambda: len(waits) >= count, within_s=60):
        if kind is WindowBreached:
            waits.append(at - _verdict_at(data))
    await watched.stop()
    return waits, idle


async def overdue(watched: Watching, count: int, fresh: int) -> tuple[float, list[float]]:
    """A monitor comes back to `count` promises that are overdue, while `fresh` more fall due: how many it settles a
    second, and how many seconds late it is with the others.
    """
    now = datetime.now(UTC)
    await watched.store(now - timedelta(minutes=1) - timedelta(milliseconds=n) for n in range(count, 0, -1))
    began = datetime.now(UTC)
    new = set(await watched.store(began + timedelta(seconds=4 + n / 100) for n in range(fresh)))
    await watched.start()
    old: list[float] = []
    waits: list[float] = []
    async for kind, data, at in watched.read(lambda: len(old) + len(waits) >= count + fresh, within_s=600):
        if kind is WindowBreached and data["window_id"] in new:
            waits.append(at - _verdict_at(data))
        elif kind is WindowBreached:
            old.append(at)
    await watched.stop()
    return len(old) / (old[-1] - old[0]), waits


def _verdict_at(data: dict[str, Any]) -> float:
    return (datetime.fromisoformat(data["due_at"]) + TOLERANCE).timestamp()


async def _measure(folder: Path, *, stored: int, due: int, changed: int, late: int, idle_s: float) -> Sequence[Figure]:
    async with watching(folder) as watched:
        month = datetime.now(UTC) + timedelta(days=30)
        await watched.store(month + timedelta(seconds=n) for n in range(stored))
        await watched.tidy()
        waits, idle = await lateness(watched, due, idle_s)
        rate = await opened_and_met(watched, changed)
        settled, fresh = await overdue(watched, late, due)
    limit = MARKER_S * 1000 + 250
    p99, p99_fresh = percentile(waits, 0.99), percentile(fresh, 0.99)
    what = f"{stored:,} open promises"
    marker = "the watermark interval"
    return [
        Figure(
            "P4",
            f"{what}, {due:,} due in one second: the breach read from Kafka, p99",
            "ms",
            p99,
            marker,
            MARKER_S * 1000,
            "<= interval + 250 ms",
            p99 <= limit,
        ),
        Figure(
            "P4 idle", f"{what}: processor while none is due", "%", idle * 100, "one core", 100, "< 3 %", idle < 0.03
        ),
        Figure(
            "P4 late",
            f"{late:,} overdue at the start, settled",
            "promises/s",
            settled,
            "wanted",
            1000,
            ">= 1,000/s",
            settled >= 1000,
        ),
        Figure(
            "P4 fresh",
            f"{due:,} that fall due meanwhile: p99",
            "ms",
            p99_fresh,
            marker,
            MARKER_S * 1000,
            "<= interval + 5 s",
            p99_fresh <= MARKER_S * 1000 + 5000,
        ),
        Figure(
            "P5",
            f"{changed:,} promises opened and kept, from a backlog",
            "events/s",
            rate,
            "wanted",
            5000,
            ">= 5,000/s",
            rate >= 5000,
        ),
    ]


def measure(folder: Path, *, stored: int, due: int, changed: int, late: int, idle_s: float = 10) -> Sequence[Figure]:
    """P4 and P5, with so many open promises stored."""
    place = folder / "watching"
    place.mkdir()
    return asyncio.run(_measure(place, stored=stored, due=due, changed=changed, late=late, idle_s=idle_s))


if __name__ == "__main__":
    import tempfile

    from tests.bench.figures import table

    with tempfile.TemporaryDirectory(prefix="baton-bench-") as place:
        sizes = [int(each) for each in sys.argv[1:]]
        print(table(measure(Path(place), **dict(zip(SIZES, sizes, strict=True)))))
