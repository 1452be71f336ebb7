"""A log and a database on which monitors come and go, and the events published there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from services.sla_monitor.service import build
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, decode, encode
from shared.db.engine import Database, Tx
from shared.db.tables import agreement_versions
from shared.domain.agreement import Agreement
from shared.domain.events import (
    ACTIVITIES,
    ESCALATIONS,
    ActivityRecorded,
    Event,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadRejected,
    LeadSplit,
    RepRef,
    WatermarkAdvanced,
    WindowMet,
)
from shared.domain.ids import event_id
from shared.ports import GroupMember
from tests.kit import events, services
from tests.kit.agreements import agreement
from tests.kit.services import client_of, from_start, platform_on, running

KIND = TypeVar("KIND", bound=Event)
# The first level to fire is the one at the deadline; the others come long after the test.
DEAL = agreement(within="1 second", warn="30 seconds", move="1 hour", page="2 hours")
QUICK = agreement(within="2 seconds", warn="1 second", move="1 second", page="2 seconds")


def now() -> datetime:
    return datetime.now(UTC)


class Stage:
    """A log and a database with the events published there; monitors come and go."""

    def __init__(self, bus: EmbeddedBus, database: Database, announcements: GroupMember) -> None:
        self.bus = bus
        self.database = database
        self._announcements = announcements
        self.events: list[Event] = []
        self.ids: set[str] = set()
        self.copies = 0
        self._marking: list[asyncio.Task[None]] = []

    async def publish(self, *events: Event) -> None:
        await services.publish(self.bus, *events)

    async def mark(
        self,
        upto: datetime | None = None,
        *,
        instance: str = "ingest-1",
        state: str = "running",
        said_at: datetime | None = None,
    ) -> None:
        """The watermarks that one ingest instance publishes on every partition."""
        event = WatermarkAdvanced(lead_id="", instance=instance, upto=upto or now(), state=state, said_at=said_at)
        message = encode(Envelope(event_id(instance, now()), "baton/ingest", now(), event))
        topic_partitions = range(self.bus.partitions(ACTIVITIES))
        await self.bus.publish([replace(message, partition=partition) for partition in topic_partitions])

    def mark_from_now_on(self, instance: str = "ingest-1", *, ahead_s: float = 0) -> asyncio.Task[None]:
        """An ingest instance that has nothing to send goes on saying so, until the monitor ends."""

        async def go_on() -> None:
            while True:
                said_at = now() + timedelta(seconds=ahead_s)
                await self.mark(said_at, instance=instance, said_at=said_at)
                await asyncio.sleep(0.1)

        self._marking.append(asyncio.create_task(go_on()))
        return self._marking[-1]

    async def wait_for(self, kind: type[KIND], count: int = 1) -> list[KIND]:
        """Wait for so many events of a kind."""
        async with asyncio.timeout(60):
            while len(self._of(kind)) < count:
                await self._listen(1.0)
        return self._of(kind)

    async def silent(self, kind: type[KIND], seconds: float = 0.8) -> None:
        """No event of this type is published for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._listen(0.1)
        assert self._of(kind) == []

    async def settled(self) -> None:
        """Everything that was published before has been handled."""
        last = await self._lead_through()
        assert last

    @asynccontextmanager
    async def monitor(self, database: Database | None = None) -> AsyncIterator[httpx.AsyncClient]:
        platform = platform_on(database or self.database, self.bus, BATON_SLA_MONITOR_TOLERANCE_S="0.2")
        async with running(platform, build(platform)) as web, client_of(web) as client:
            yield client
        for task in self._marking:
            task.cancel()
        await asyncio.gather(*self._marking, return_exceptions=True)

    def _of(self, kind: type[KIND]) -> list[KIND]:
        return [event for event in self.events if type(event) is kind]

    async def _listen(self, wait_s: float) -> None:
        for record in await self._announcements.poll(max_records=500, wait_s=wait_s):
            received = decode(record)
            if received.envelope.id in self.ids:
                self.copies += 1
                continue
            self.ids.add(received.envelope.id)
            self.events.append(received.event)

    async def _lead_through(self) -> list[WindowMet]:
        """A lead on every partition, with its answer ahead of it: once it is met, all before it is handled."""
        count = self.bus.partitions(ACTIVITIES)
        leads: dict[int, str] = {}
        stamp = now().timestamp()
        for number in range(10_000):
            lead = f"probe-{stamp}-{number}"
            leads.setdefault(self.bus.partition_of(ACTIVITIES, lead), lead)
            if len(leads) == count:
                break
        known = len(self._of(WindowMet))
        for lead in leads.values():
            await self.publish(activity(lead), assigned(lead))
        return await self.wait_for(WindowMet, known + count)


class StoppedClock:
    """The database's clock of a stage: it stands still, until time passes."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = now()
        self._stage = stage

        async def read(tx: Tx) -> datetime:
            return self.now

        monkeypatch.setattr(stage.database, "now", read)

    async def pass_by(self, **length: float) -> None:
        """Time passes, and ingest says that there is nothing on its way from before."""
        self.now += timedelta(**length)
        await self._stage.mark(self.now)


@asynccontextmanager
async def stage_on(database: Database, bus: EmbeddedBus, *deals: Agreement) -> AsyncIterator[Stage]:
    """A stage with these agreements; without any, with two that differ in their ladders."""
    for deal in deals or (DEAL, QUICK):
        await store(database, deal)
    announcements = await bus.subscribe(group="test", topics=[ESCALATIONS], positions=from_start)
    yield Stage(bus, database, announcements)
    await announcements.close()


async def store(database: Database, deal: Agreement) -> None:
    async with database.begin() as tx:
        await agreements.save(tx, deal, now())


@asynccontextmanager
async def rewritten(database: Database, deal: Agreement, text: str) -> AsyncIterator[None]:
    """For a while, the text of a stored version is another one. Each is read anew, as by a process that starts."""
    await _rewrite(database, deal, text)
    try:
        yield
    finally:
        await _rewrite(database, deal, deal.text)


async def _rewrite(database: Database, deal: Agreement, text: str) -> None:
    async with database.begin() as tx:
        await tx.execute(sa.update(agreement_versions).where(agreement_versions.c.hash == deal.hash).values(text=text))
    agreements._loaded.clear()


def parked(lead: str = "ld_1", deal: Agreement = DEAL, *, version: int = 1, **more: Any) -> LeadParked:
    return events.parked(lead, **{"lead_version": version, "decided_at": now(), "agreement": deal.ref, **more})


def rejected(lead: str = "ld_1", deal: Agreement = DEAL, *, version: int = 2) -> LeadRejected:
    return events.rejected(lead, lead_version=version, decided_at=now(), agreement=deal.ref)


def merged(lead: str = "ld_1", deal: Agreement = DEAL, *, into: str | None, **more: Any) -> LeadMerged:
    return events.merged(lead, into=into, **{"rep": None, "decided_at": now(), "agreement": deal.ref} | more)


def parted(lead: str, other: str) -> tuple[LeadSplit, LeadSplit]:
    """The lead is no longer part of the other one: what is announced under each id."""
    at = now()
    alone = events.split(lead, was_part_of=other, lead_version=4, decided_at=at)
    return alone, events.split(other, was_part_of=None, split_off=lead, lead_version=4, decided_at=at)


def assigned(
    lead: str = "ld_1", deal: Agreement = DEAL, *, rep: str = "ann", generation: int = 1, **more: Any
) -> LeadAssigned:
    at = more.pop("assigned_at", now())
    ordinary = {
        "lead_version": generation,
        "assignment_id": f"{lead}-{generation}",
        "generation": generation,
        "rep": RepRef(rep, f"{rep}@acme.example"),
        "assigned_at": at,
        "received_at": at - timedelta(seconds=5),
        "respond_by": None,
        "agreement": deal.ref,
    }
    kind = events.assigned if generation == 1 else events.reassigned
    return kind(lead, **ordinary | more)


def activity(lead: str = "ld_1", kind: str = "call", at: datetime | None = None, **more: Any) -> ActivityRecorded:
    instant = at or now()
    ordinary = {"activity_id": f"{kind}-{instant.timestamp()}", "accepted_at": instant, "outcome": None}
    return events.activity(lead, kind, **ordinary | more)
