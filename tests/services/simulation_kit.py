"""A past that the real router and the real monitor made, on a clock that a test moves: leads, answers, absences, moves,
and what both of them did by themselves meanwhile.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from services.router.domain.lead import Lead
from services.router.service import build as build_router
from services.router.store.tables import leads as lead_table
from services.sla_monitor.service import build as build_monitor
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import (
    ACTIVITIES,
    ASSIGNMENTS,
    ESCALATIONS,
    INQUIRIES,
    ActivityRecorded,
    Event,
    InquiryReceived,
    WatermarkAdvanced,
)
from shared.domain.ids import event_id
from shared.domain.lead import Company, Consent, Contact, Signal
from shared.http.keys import Keys
from shared.runtime.service import Platform
from shared.runtime.web import Web
from shared.settings import Settings, read

KEY = {"Authorization": "Bearer admin-key"}
SPRING = datetime(2026, 3, 26, 7, 30, tzinfo=UTC)
"""Half past eight in Brussels, on the Thursday before clocks go forward."""
SECOND_VERSION = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)

TEXT = """\
agreement: test
version: {version}
effective_from: {effective_from}
approved_by:
  marketing: {{name: Mara, on: 2026-01-01}}
  sales: {{name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars:
  office: {{timezone: Europe/Brussels, hours: {{mon-fri: ["09:00-12:30", "13:30-18:00"]}}}}
  always: {{hours: {{mon-sun: ["00:00-24:00"]}}}}
definitions:
  mql:
    minimum_data: [contact.email]
    consent: {{basis: [opt_in]}}
    score: {{at_least: {score}}}
scoring:
  - {{add: 40, reason: asked for a demo, when: {{field: inquiry.kind, op: is, value: demo_request}}}}
  - {{add: 25, reason: decision maker, when: {{field: contact.seniority, op: in, value: [director, vp]}}}}
  - {{add: 10, reason: read the prices, when: {{signal: page_view, matches: {{path: /pricing}}, within: 30 days}}}}
decay: {{half_life: 14 days}}
people:
  - {{id: ann, email: ann@acme.example, calendar: office, languages: [nl], reports_to: mia, max_open: 12,
     deputy: cleo, on_leave: move}}
  - {{id: bob, email: bob@acme.example, calendar: office, languages: [fr], reports_to: mia, max_new_per_day: 6,
     active: {bob}}}
  - {{id: cleo, email: cleo@acme.example, calendar: office, languages: [nl, fr], reports_to: mia, max_open: 9}}
  - {{id: dirk, email: dirk@acme.example, calendar: always, reports_to: mia, max_open: {dirk}, on_leave: move}}
  - {{id: eve, email: eve@acme.example, calendar: always, reports_to: mia}}
  - {{id: mia, email: mia@acme.example, role: manager}}
pools:
  benelux: {{members: {{ann: 2, bob: 1, cleo: 1}}, strategy: weighted_turns, only_in_hours: true,
            when_nobody_available: {{park_in: triage}}}}
  large: {{members: {{dirk: 1, eve: 1}}, strategy: least_open}}
  newsletter: {{members: {{eve: 1}}, strategy: weighted_turns}}
routing:
  - {{name: known account, when: {{account: owned}}, to: {{owner: account}}, unless_away_for: 1 business day}}
  - {{name: returning lead, when: {{lead: owned}}, to: {{owner: lead}}, unless_away_for: 2 business days}}
  - {{name: newsletter, when: {{field: inquiry.kind, op: is, value: newsletter}}, to: {{pool: newsletter}}}}
  - {{name: large, when: {{field: company.employees, op: ">=", value: {large}}}, to: {{pool: large}}}}
  - name: french
    when: {{field: contact.language, op: is, value: fr}}
    to: {{pool: benelux, only: {{languages: fr}}}}
  - {{name: everyone else, to: {{pool: benelux}}}}
promises:
  sales:
    first_response: {{within: {within}, clock: rep_calendar, from: assigned, met_by: [call, email, meeting],
                     ladder: response}}
    disposition: {{within: 1 business day, met_by: [accepted, rejected], ladder: gentle}}
ladders:
  response:
    - {{at: 0 minutes, tell: [rep]}}
    - {{at: 15 minutes, move: {{within: pool}}}}
  gentle: [{{at: 0 minutes, tell: [rep]}}]
feedback:
  reject_reasons: [{{code: no_budget}}]
"""


def version(
    number: int = 1,
    *,
    effective_from: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    score: int = 20,
    large: int = 1000,
    within: str = "15 minutes",
    bob: bool = True,
    dirk: int = 4,
) -> str:
    """An agreement's text with most of what an agreement can ask of the router."""
    return TEXT.format(
        version=number,
        effective_from=effective_from.isoformat(),
        score=score,
        large=large,
        within=within,
        bob=str(bob).lower(),
        dirk=dirk,
    )


def parsed(text: str, drafts: Mapping[str, str] | None = None) -> Agreement:
    return agreement_file.parse(text, "test.yaml", drafts).agreement


# Asked so often that each is one statement.
_WAITING = sa.text(
    "SELECT (SELECT count(*) FROM router_outbox WHERE published_at IS NULL)"
    " + (SELECT count(*) FROM sla_monitor_outbox WHERE published_at IS NULL)"
)
_POSITIONS = sa.text(
    "SELECT 'router' AS service, topic, partition, next_offset FROM router_positions"
    " UNION ALL SELECT 'sla_monitor', topic, partition, next_offset FROM sla_monitor_positions"
)


class MovedClock:
    """Stands where a test put it, but for a microsecond at every look, as no two transactions have one instant."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._real = 0.0

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def monotonic(self) -> float:
        self._real += 0.001
        return self._real


class Past:
    """A router and a monitor at work on a database and a log."""

    def __init__(self, bus: EmbeddedBus, database: Database, clock: MovedClock, client: httpx.AsyncClient) -> None:
        self.bus = bus
        self.database = database
        self.clock = clock
        self.client = client
        self._number = 0

    async def publish(self, *events: Event) -> None:
        """Publish, and wait until both have done with it what there is to do at once."""
        envelopes = [Envelope(_event_id(event), "baton/test", self.clock.at, event) for event in events]
        await self.bus.publish([encode(envelope) for envelope in envelopes])
        await self.rest()

    async def later(self, **time: float) -> None:
        """Time passes, and the monitor learns that all facts until now are in."""
        self.clock.at += timedelta(**time)
        now = self.clock.now()
        event = WatermarkAdvanced(lead_id="", instance="ingest-1", upto=now, state="running")
        message = encode(Envelope(event_id("mark", now), "baton/ingest", now, event))
        topic_partitions = range(self.bus.partitions(ACTIVITIES))
        await self.bus.publish([replace(message, partition=partition) for partition in topic_partitions])
        await self.rest()

    async def inquire(self, lead_id: str, **changes: Any) -> None:
        self._number += 1
        fields: dict[str, Any] = {
            "lead_id": lead_id,
            "inquiry_id": f"inq_{self._number}",
            "source": "website",
            "kind": "demo_request",
            "accepted_at": self.clock.now(),
            "contact": Contact(email=f"{lead_id}@{lead_id}.example"),
            "company": Company(name=f"Company {lead_id}"),
            "consent": Consent(basis="opt_in"),
            "channel": "paid_search",
        }
        await self.publish(InquiryReceived(**{**fields, **changes}))

    async def act(self, lead_id: str, kind: str, **changes: Any) -> None:
        self._number += 1
        at = changes.pop("accepted_at", None) or self.clock.now()
        await self.publish(
            ActivityRecorded(lead_id=lead_id, activity_id=f"act_{self._number}", kind=kind, accepted_at=at, **changes)
        )

    async def order(self, method: str, path: str, body: dict[str, Any]) -> int:
        answer = await self.client.request(method, path, json=body)
        await self.rest()
        return answer.status_code

    async def judge_again(self) -> None:
        """Judge all leads again that were rejected or wait, and wait until that is done."""
        looked = (await self.client.post("/v1/re-judge", json={})).json()
        found = looked | {"state": "applying"}
        await self.client.post("/v1/re-judge", json={"simulation": looked["id"], "reason": "another threshold"})
        async with asyncio.timeout(60):
            while found["state"] == "applying":
                await asyncio.sleep(0.02)
                found = (await self.client.get(f"/v1/re-judge/{looked['id']}")).json()
        assert (found["state"], found["applied"]["leads"] > 0) == ("applied", True)
        await self.rest()

    async def leads(self) -> dict[str, Lead]:
        async with self.database.read() as tx:
            bodies = (await tx.execute(sa.select(lead_table.c.body))).scalars().all()
        return {lead.lead_id: lead for lead in (msgspec.json.decode(body, type=Lead) for body in bodies)}

    async def rest(self) -> None:
        """Wait until all services have read everything, twice in a row."""
        calm = 0
        async with asyncio.timeout(60):
            while calm < 2:
                calm = calm + 1 if await self._caught_up() else 0
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Wait until the monitor has done what was due a minute ago."""
        due = int((self.clock.at - timedelta(minutes=1)).timestamp() * 1_000_000)
        query = sa.text("SELECT count(*) FROM sla_monitor_windows WHERE look_at < :due")
        async with asyncio.timeout(60):
            while True:
                async with self.database.read() as tx:
                    if not (await tx.execute(query, {"due": due})).scalar_one():
                        break
                await asyncio.sleep(0.05)
        await self.rest()

    async def _caught_up(self) -> bool:
        async with self.database.read() as tx:
            if (await tx.execute(_WAITING)).scalar_one():
                return False
            rows = await tx.execute(_POSITIONS)
            offsets = {(row.service, row.topic, row.partition): row.next_offset for row in rows}
        topics = {"router": (INQUIRIES, ACTIVITIES, ESCALATIONS), "sla_monitor": (ASSIGNMENTS, ACTIVITIES)}
        return all(
            offsets.get((service, topic, partition), 0) >= self.bus._spans[topic, partition].end
            for service, its in topics.items()
            for topic in its
            for partition in range(self.bus.partitions(topic))
        )


def _event_id(event: Event) -> str:
    """As ingest gives it: copies of an inquiry have one."""
    return event_id(event.inquiry_id if isinstance(event, InquiryReceived) else msgspec.json.encode(event))


@asynccontextmanager
async def past(
    folder: Path,
    database: Database,
    bus: EmbeddedBus,
    clock: MovedClock,
    *texts: str,
    drafts: Mapping[str, str] | None = None,
) -> AsyncIterator[Past]:
    """A router and a monitor under these versions, the first of them in their file, next to `drafts`, by file name."""
    file = folder / "agreement.yaml"
    file.write_text(texts[0])
    for name, draft in (drafts or {}).items():
        (folder / name).write_text(draft)
    async with database.begin() as tx:
        for text in texts:
            await agreements.save(tx, parsed(text, drafts), clock.now())
    environ = {**os.environ, "BATON_AGREEMENT": str(file), "BATON_ADMIN_KEY": "admin-key"}
    settings = read(Settings, environ)
    platform = Platform(settings, environ, clock, bus, database, Keys.load(settings))
    services = [build_router(platform), build_monitor(platform)]
    for start in (start for service in services for start in service.starts):
        await start()
    tasks = [asyncio.create_task(run()) for service in services for run in service.tasks.values()]
    transport = httpx.ASGITransport(Web(platform, services))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://baton", headers=KEY) as client:
            yield Past(bus, database, clock, client)
        assert [task.exception() for task in tasks if task.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def lively(past: Past, *, steps: int, seed: int) -> None:
    """Some days of everything, over a weekend on which clocks change."""
    rng = random.Random(seed)
    people = sorted(lead_id for lead_id in await past.leads() if not lead_id.endswith("b"))
    for _ in range(steps):
        await past.later(minutes=rng.choice((0, 1, 2, 5, 10, 20, 40, 90)))
        if rng.random() < 0.05:
            await past.later(hours=rng.choice((6, 14)))
        elif rng.random() < 0.03:
            await past.later(minutes=-3)  # someone sets the machine's clock right
        what = rng.random()
        if what < 0.5:
            await _someone_asks(past, rng, people)
        elif what < 0.85:
            await _sales_acts(past, rng)
        else:
            await _people_order(past, rng)
    await past.later(hours=40)
    await past.settled()


async def _someone_asks(past: Past, rng: random.Random, people: list[str]) -> None:
    again = people and rng.random() < 0.3
    lead_id = rng.choice(people) if again else f"p{len(people)}"
    email, phone = f"{lead_id}@{lead_id}.example", f"+32{lead_id[1:].zfill(8)}"
    if not again:
        people.append(lead_id)
    contact = Contact(
        email=email,
        phone=phone if rng.random() < 0.5 else None,
        language=rng.choice((None, "fr", "nl")),
        seniority=rng.choice((None, "director", "staff")),
    )
    if again and rng.random() < 0.3:
        # The same person by telephone, with another address: another id at first.
        contact, lead_id = Contact(email=f"second-{email}", phone=phone), f"{lead_id}b"
    wake_up = Signal(kind="page_view", at=past.clock.at - timedelta(days=1), path="/pricing")
    await past.inquire(
        lead_id,
        contact=contact,
        kind=rng.choice(("demo_request", "demo_request", "demo_request", "newsletter", "whitepaper")),
        company=Company(
            name=rng.choice((f"Company {lead_id}", f"Company {lead_id}", "Bakkerij Peeters NV")),
            employees=rng.choice((None, 20, 5000)),
        ),
        consent=Consent(basis="opt_in") if rng.random() < 0.95 else None,
        signals=(wake_up,) if rng.random() < 0.3 else (),
        test=rng.random() < 0.03,
    )


async def _sales_acts(past: Past, rng: random.Random) -> None:
    leads = await past.leads()
    held = sorted(lead_id for lead_id, lead in leads.items() if lead.state == "assigned")
    if not held:
        return
    lead_id = rng.choice(held)
    rep = leads[lead_id].rep
    # Under any of the person's ids.
    lead_id = rng.choice([lead_id, *sorted(other for other, lead in leads.items() if lead.into == lead_id)])
    kind = rng.choice(("call", "call", "email", "accepted", "declined", "rejected", "won", "lost", "consent_withdrawn"))
    await past.act(lead_id, kind, by=rep, reason="no_budget" if kind == "rejected" else None)


async def _people_order(past: Past, rng: random.Random) -> None:
    what, rep = rng.random(), rng.choice(("ann", "bob", "cleo", "dirk"))
    if what < 0.05:
        real = sorted(k for k, lead in (await past.leads()).items() if lead.into is None and not lead.test)
        lead_id, into = rng.sample(real, 2) if len(real) > 1 else (real * 2)
        if lead_id != into:
            await past.order("POST", f"/v1/leads/{lead_id}/merge", {"into": into, "reason": "they are one person"})
    elif what < 0.12:
        merged = sorted(lead_id for lead_id, lead in (await past.leads()).items() if lead.into is not None)
        if merged:
            await past.order("POST", f"/v1/leads/{rng.choice(merged)}/split", {"reason": "they are two people"})
    elif what < 0.3:
        held = sorted(k for k, lead in (await past.leads()).items() if lead.state in ("assigned", "parked"))
        if held:
            to = rng.choice(({"rep": rep}, {"pool": "benelux"}, {"pool": "large"}))
            await past.order("POST", f"/v1/leads/{rng.choice(held)}/move", {"to": to, "reason": "they asked for it"})
    elif what < 0.6:
        until = past.clock.at + timedelta(hours=rng.choice((1, 5, 30)))
        await past.order("PUT", f"/v1/reps/{rep}/availability", {"state": "hold", "until": until.isoformat()})
    elif what < 0.8:
        await past.order("PUT", f"/v1/reps/{rep}/availability", {"state": "available"})
    else:
        day = past.clock.at.date() + timedelta(days=rng.choice((0, 1)))
        off = {"first": day.isoformat(), "half": rng.choice((None, "morning", "afternoon"))}
        await past.order("PUT", f"/v1/reps/{rep}/leave", {"leave": [off]})
