"""P2: one router process works off a backlog on Kafka and PostgreSQL; the peer writes the same rows and nothing
else.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.kafka import KafkaBroker
from deploy.local.ports import free_ports
from deploy.local.postgres import PostgresCluster
from services.router.store.tables import tables as runtime
from shared.bus.envelope import Envelope, encode
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.db.tables import metadata
from shared.domain.events import ASSIGNMENTS, InquiryReceived, LeadAssigned
from shared.domain.ids import event_id
from shared.domain.lead import Company, Consent, Contact
from tests.bench.figures import Figure, in_turn

ROOT = Path(__file__).parents[2]
BATCH = 1000
TYPE = LeadAssigned.TYPE.encode()
ROWS = ("router_inbox", "router_leads", "router_assignments", "router_verdicts")


def large_agreement(*, rules: int = 20, reps: int = 200, pool_of: int = 20, first: int = 0) -> str:
    """An agreement with so many routing rules and reps: each rule takes 50 sizes of companies, from `first` up."""
    people = [{"id": f"rep{n:03}", "email": f"rep{n:03}@acme.example", "calendar": "always"} for n in range(reps)]
    pools = {
        f"pool{begin // pool_of:02}": {
            "members": {f"rep{n:03}": 1 + n % 3 for n in range(begin, begin + pool_of)},
            "strategy": "weighted_turns",
        }
        for begin in range(0, reps, pool_of)
    }
    names = list(pools)
    routing: list[dict[str, Any]] = [
        {
            "name": f"size {n}",
            "when": {"field": "company.employees", "op": "between", "value": [first + n * 50, first + n * 50 + 49]},
            "to": {"pool": names[n % len(names)]},
        }
        for n in range(rules - 1)
    ]
    routing.append({"name": "everyone else", "to": {"pool": names[0]}})
    promise = {"within": "15 minutes", "clock": "rep_calendar", "from": "assigned", "met_by": ["call"], "ladder": "one"}
    return yaml.safe_dump(
        {
            "agreement": "bench",
            "version": 1,
            "effective_from": "2026-01-01T00:00:00+01:00",
            "approved_by": {"marketing": {"name": "M", "on": "2026-01-01"}, "sales": {"name": "S", "on": "2026-01-01"}},
            "timezone": "Europe/Brussels",
            "calendars": {"always": {"hours": {"mon-sun": ["00:00-24:00"]}}},
            "definitions": {"mql": {"minimum_data": ["contact.email"], "consent": {"basis": ["opt_in"]}}},
            "scoring": [
                {"add": 40, "reason": "demo", "when": {"field": "inquiry.kind", "op": "is", "value": "demo_request"}}
            ],
            "people": people,
            "pools": pools,
            "routing": routing,
            "promises": {"sales": {"first_response": promise}},
            "ladders": {"one": [{"at": "0 minutes", "tell": ["rep"]}]},
        },
        sort_keys=False,
    )


def inquiries(count: int, *, sizes: int = 1000) -> Iterator[Envelope]:
    """So many inquiries of different people, about 600 bytes each, of companies of `sizes` different sizes."""
    now = datetime.now(UTC)
    for number in range(count):
        token = secrets.token_hex(13)
        event = InquiryReceived(
            lead_id=f"ld_{token}",
            inquiry_id=f"inq_{token}_{number:016}",
            source="website",
            kind="demo_request",
            accepted_at=now,
            contact=Contact(email=f"person{number}@example.com", first_name="Jo", last_name="Peeters", country="BE"),
            company=Company(name="Example NV", domain="example.com", employees=number % sizes, industry="software"),
            consent=Consent(basis="opt_in", text="Acme may contact me"),
            campaign="q4-demo",
            channel="paid_search",
            page_url="https://acme.example/demo",
            message="Can we talk about this in the coming days?",
        )
        yield Envelope(event_id(event.inquiry_id), "baton/ingest", now, event)


class Parts:
    """Kafka and PostgreSQL of a benchmark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaBroker(folder / "kafka", profile="steady")
        self.postgres = PostgresCluster(folder / "postgres")

    def __enter__(self) -> "Parts":
        self.kafka.start()
        self.postgres.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kafka.stop()
        self.postgres.stop()

    def database(self, name: str) -> str:
        """A new, empty database; its URL."""
        return self.postgres.create_database(name)


async def migrated(url: str) -> Database:
    """The database with its tables."""
    database = Database(url, SystemClock())
    await schema.migrate(database)
    return database


async def fill(bootstrap: str, count: int) -> None:
    """Put a backlog on the inquiries topic."""
    bus = KafkaBus(Access(bootstrap), read_topics(), replication_factor=1)
    await bus.start()
    batch = []
    for envelope in inquiries(count):
        batch.append(encode(envelope))
        if len(batch) == 5000:
            await bus.publish(batch)
            batch = []
    await bus.publish(batch)
    await bus.close()


@contextlib.contextmanager
def router(parts: Parts, url: str) -> Iterator[None]:
    """One router process."""
    agreement = parts.folder / "agreement.yaml"
    agreement.write_text(large_agreement())
    environ = {
        **os.environ,
        "BATON_PORT": str(free_ports(1)[0]),
        "BATON_KAFKA": parts.kafka.bootstrap,
        "BATON_DATABASE_URL": url,
        "BATON_AGREEMENT": str(agreement),
        "BATON_LOG_LEVEL": "WARNING",
        "BATON_KAFKA_REPLICATION": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.router"], cwd=ROOT, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


async def assigned(bootstrap: str, count: int) -> float:
    """Assignments a second, as a plain consumer sees them, from the first to the last of `count`."""
    consumer = AIOKafkaConsumer(ASSIGNMENTS, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    seen, began, skipped = 0, 0.0, 0
    try:
        async with asyncio.timeout(300):
            while seen < count:
                polled = (await consumer.getmany(timeout_ms=200)).values()
                found = sum(("ce_type", TYPE) in record.headers for records in polled for record in records)
                seen += found
                if found and not began:
                    began, skipped = time.perf_counter(), seen
        return (seen - skipped) / (time.perf_counter() - began)
    finally:
        await consumer.stop()


async def rows_alone(source: str, target: str, count: int) -> float:
    """Leads a second when the rows that the router wrote are written by bare SQLAlchemy Core in the same batches."""
    await (await migrated(target)).close()
    tables = [metadata.tables[name] for name in ROWS]
    outbox = runtime.outbox
    reading, writing = create_async_engine(source), create_async_engine(target)
    async with reading.connect() as connection:
        found = [[dict(r._mapping) for r in await connection.execute(sa.select(table))] for table in tables]
    events = [
        {
            "event_id": v["inquiry_id"],
            "type": "t",
            "topic": ASSIGNMENTS,
            "key": v["lead_id"],
            "time": "t",
            "value": v["proof"],
        }
        for v in found[-1]
    ]
    began = time.perf_counter()
    for first in range(0, count, BATCH):
        async with writing.begin() as tx:
            for table, rows in zip([*tables, outbox], [*found, events], strict=True):
                await tx.execute(sa.insert(table), rows[first : first + BATCH])
    rate = count / (time.perf_counter() - began)
    await reading.dispose()
    await writing.dispose()
    return rate


async def measure(folder: Path, *, count: int, rounds: int) -> Sequence[Figure]:
    """P2, `rounds` times."""
    number = iter(range(1000))
    source = ""

    async def ours() -> float:
        nonlocal source
        with Parts(folder / f"round{next(number)}") as parts:
            source = parts.database("ours")
            await (await migrated(source)).close()
            await fill(parts.kafka.bootstrap, count)
            with router(parts, source):
                rate = await assigned(parts.kafka.bootstrap, count)
            peers.append(await rows_alone(source, parts.database("peer"), count))
        return rate

    peers: list[float] = []

    async def peer() -> float:
        return peers[-1]

    rate, alone, taken = await in_turn(rounds, ours, peer)
    held = rate >= 0.5 * alone
    name = "the same rows, bare Core"
    what = f"route a backlog of {count:,}: 20 rules, 200 reps"
    return [Figure("P2", what, "leads/s", rate, name, alone, ">= 0.5; >= 5,000/s", held and rate >= 5000, taken)]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        print(asyncio.run(measure(Path(place), count=int(sys.argv[1]), rounds=1)))
