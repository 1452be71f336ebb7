"""Routers on a log and a database: what goes in, what they publish."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa

from services.router.service import build
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import decode
from shared.db.engine import Database
from shared.domain.events import ASSIGNMENTS, ActivityRecorded, AgreementActivated, Event, InquiryReceived
from shared.domain.lead import Company, Contact
from shared.ports import Clock, GroupMember
from tests.kit import events, services
from tests.kit.services import client_of, from_start, platform_on

T = TypeVar("T", bound=Event)
TEAM = """\
agreement: team
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {marketing: {name: Mara, on: 2026-01-01}, sales: {name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars:
  always: {hours: {mon-sun: [00:00-24:00]}}
definitions: {mql: {minimum_data: []}}
people:
  - {id: ann, email: ann@acme.example, calendar: always, languages: [nl], reports_to: mia, max_open: 2}
  - {id: bob, email: bob@acme.example, calendar: always, languages: [fr], reports_to: mia, max_open: 2}
  - {id: cleo, email: cleo@acme.example, calendar: always, reports_to: mia}
  - {id: mia, email: mia@acme.example, calendar: always, role: manager}
pools:
  field: {members: {ann: 1, bob: 1}, when_nobody_available: {park_in: triage}}
  inside: {members: {cleo: 1}, strategy: least_open}
queues:
  triage: {owner: mia}
routing:
  - {name: known account, when: {account: owned}, to: {owner: account}}
  - {name: returning lead, when: {lead: owned}, to: {owner: lead}, unless_away_for: 2 days}
  - {name: inside sales, when: {field: inquiry.kind, op: is, value: newsletter}, to: {pool: inside}}
  - name: language
    when: {field: contact.language, op: exists}
    to: {pool: field, only: {languages: {field: contact.language}}}
  - {name: everyone else, to: {pool: field}}
promises:
  sales: {first_response: {within: 15 minutes, met_by: [call], ladder: one}}
ladders:
  one: [{at: 0 minutes, tell: [rep]}, {at: 15 minutes, move: {within: pool}}]
"""


class Router:
    """A running router, the log it is on, and a reader of its announcements."""

    def __init__(self, bus: EmbeddedBus, decisions: GroupMember, client: httpx.AsyncClient, database: Database) -> None:
        self.bus = bus
        self.client = client
        self.database = database
        self._decisions = decisions

    async def early(self) -> int:
        """How many facts wait for their lead."""
        async with self.database.read() as tx:
            return int((await tx.execute(sa.text("SELECT count(*) FROM router_early_facts"))).scalar_one())

    async def publish(self, *published: Event) -> None:
        await services.publish(self.bus, *published)

    async def wait_for(self, count: int) -> list[Event]:
        """The next `count` events about leads."""
        found: list[Event] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                events = [decode(record).event for record in await self._decisions.poll(max_records=500, wait_s=1)]
                found += [event for event in events if not isinstance(event, AgreementActivated)]
        return found

    async def lead(self, lead_id: str, until: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """The lead once it is as `until` wants it."""
        async with asyncio.timeout(60):
            while True:
                found = await self.client.get(f"/v1/leads/{lead_id}")
                if found.status_code == 200 and until(found.json()):
                    lead: dict[str, object] = found.json()
                    return lead
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    file: Path, database: Database, bus: EmbeddedBus, clock: Clock | None = None, *, group: str = "test"
) -> AsyncIterator[Router]:
    """A router under the agreement in `file`."""
    platform = platform_on(database, bus, clock, BATON_AGREEMENT=str(file))
    async with services.running(platform, build(platform)) as web, client_of(web) as client:
        reader = await bus.subscribe(group=group, topics=[ASSIGNMENTS], positions=from_start)
        yield Router(bus, reader, client, database)
        await reader.close()


def inquiry(person: int, number: int = 1, **changes: Any) -> InquiryReceived:
    ordinary: dict[str, Any] = {
        "inquiry_id": f"inq_{person}_{number}",
        "accepted_at": datetime.now(UTC),
        "contact": Contact(email=f"p{person}@example.com"),
        "company": Company(name="Example"),
        "campaign": None,
    }
    return events.inquiry(f"ld_{person}", number, **ordinary | changes)


def activity(person: int, kind: str, **changes: Any) -> ActivityRecorded:
    ordinary: dict[str, Any] = {"activity_id": f"act_{person}_{kind}", "accepted_at": datetime.now(UTC), "by": None}
    return events.activity(f"ld_{person}", kind, **ordinary | changes)


def stranger(person: int, number: int = 1, **changes: object) -> InquiryReceived:
    """Someone who writes for no company that anyone could own."""
    return inquiry(
        person, number, **{"company": Company(), "contact": Contact(email=f"p{person}@gmail.com"), **changes}
    )


def ones(events: Sequence[Event], kind: type[T]) -> list[T]:
    """Those of a kind."""
    return [event for event in events if isinstance(event, kind)]
