"""Routers on a log and a database: what goes in, what they say, and a clock that a test can move."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import sqlalchemy as sa

from services.router.service import build
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, decode, encode
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.events import ASSIGNMENTS, ActivityRecorded, AgreementActivated, Event, InquiryReceived
from shared.domain.ids import event_id
from shared.domain.lead import Company, Consent, Contact
from shared.http.keys import Keys
from shared.ports import Clock, GroupMember, TopicPartition
from shared.runtime.service import Platform
from shared.runtime.web import Web
from shared.settings import Settings, read

KEY = {"Authorization": "Bearer admin-key"}


class SetClock:
    """A clock that stands where it is put; waiting takes real time."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return SystemClock().monotonic()

    def forward(self, **length: float) -> None:
        self.at += timedelta(**length)


class Router:
    """A running router, the log it is on, and a reader of what it says."""

    def __init__(self, bus: EmbeddedBus, said: GroupMember, client: httpx.AsyncClient, database: Database) -> None:
        self.bus = bus
        self.client = client
        self.database = database
        self._said = said

    async def early(self) -> int:
        """How many facts wait for their lead."""
        async with self.database.read() as tx:
            return int((await tx.execute(sa.text("SELECT count(*) FROM router_early_facts"))).scalar_one())

    async def hear(self, *events: Event) -> None:
        envelopes = [Envelope(event_id(msgspec.json.encode(e)), "baton/test", datetime.now(UTC), e) for e in events]
        await self.bus.publish([encode(envelope) for envelope in envelopes])

    async def says(self, count: int) -> list[Event]:
        """The next `count` events about leads."""
        found: list[Event] = []
        async with asyncio.timeout(15):
            while len(found) < count:
                heard = [decode(record).event for record in await self._said.poll(max_records=500, wait_s=1)]
                found += [event for event in heard if not isinstance(event, AgreementActivated)]
        return found

    async def lead(self, lead_id: str, until: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """The lead once it is as `until` wants it."""
        async with asyncio.timeout(15):
            while True:
                found = await self.client.get(f"/v1/leads/{lead_id}")
                if found.status_code == 200 and until(found.json()):
                    lead: dict[str, object] = found.json()
                    return lead
                await asyncio.sleep(0.02)


async def from_start(topic_partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Read everything."""
    return dict.fromkeys(topic_partitions, 0)


@asynccontextmanager
async def running(
    file: Path, database: Database, bus: EmbeddedBus, clock: Clock | None = None, *, group: str = "test"
) -> AsyncIterator[Router]:
    """A router under the agreement in `file`."""
    environ = {**os.environ, "BATON_AGREEMENT": str(file), "BATON_ADMIN_KEY": "admin-key"}
    settings = read(Settings, environ)
    platform = Platform(settings, environ, clock or SystemClock(), bus, database, Keys.load(settings))
    service = build(platform)
    web = Web(platform, [service])
    for start in service.starts:
        await start()
    said = await bus.subscribe(group=group, topics=[ASSIGNMENTS], positions=from_start)
    tasks = [asyncio.create_task(run()) for run in service.tasks.values()]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://baton", headers=KEY) as client:
        yield Router(bus, said, client, database)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
    await said.close()


def inquiry(person: int, number: int = 1, **changes: object) -> InquiryReceived:
    fields = {
        "lead_id": f"ld_{person}",
        "inquiry_id": f"inq_{person}_{number}",
        "source": "website",
        "kind": "demo_request",
        "accepted_at": datetime.now(UTC),
        "contact": Contact(email=f"p{person}@example.com"),
        "company": Company(name="Example"),
        "consent": Consent(basis="opt_in"),
    }
    return InquiryReceived(**{**fields, **changes})  # type: ignore[arg-type]


def activity(person: int, kind: str, **changes: object) -> ActivityRecorded:
    fields = {
        "lead_id": f"ld_{person}",
        "activity_id": f"act_{person}_{kind}",
        "kind": kind,
        "accepted_at": datetime.now(UTC),
    }
    return ActivityRecorded(**{**fields, **changes})  # type: ignore[arg-type]
