"""Routers side by side on one database: every person has one owner, every turn is taken once, in order; one that dies
leaves nothing half done.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from deploy.local.kafka import KafkaBroker
from deploy.local.ports import free_ports
from services.router.domain.assignment import Turns, take_turn
from services.router.domain.proof import Proof
from services.router.store.routing_state import rotations
from services.router.store.tables import assignments, leads, verdicts
from shared import metrics
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode
from shared.bus.kafka import Access, KafkaBus
from shared.bus.topics import read_topics
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.domain.events import InquiryReceived
from shared.domain.ids import event_id
from shared.domain.lead import Company, Contact
from shared.ports import Message
from tests.journeys.processes import ROOT
from tests.services.router_kit import inquiry, running

PEOPLE = 500
WEIGHTS = {"ann": 3, "bob": 2, "cleo": 1, "dan": 1}
TEAM = """\
agreement: parallel
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {marketing: {name: Mara, on: 2026-01-01}, sales: {name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars: {always: {hours: {mon-sun: [00:00-24:00]}}}
definitions: {mql: {minimum_data: []}}
people:
  - {id: ann, email: ann@acme.example, calendar: always}
  - {id: bob, email: bob@acme.example, calendar: always}
  - {id: cleo, email: cleo@acme.example, calendar: always}
  - {id: dan, email: dan@acme.example, calendar: always}
pools:
  shared: {members: {ann: 3, bob: 2, cleo: 1, dan: 1}}
routing: [{name: everyone, to: {pool: shared}}]
promises:
  sales: {first_response: {within: 15 minutes, met_by: [call], ladder: one}}
ladders:
  one: [{at: 0 minutes, tell: [rep]}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    topic_partition = tmp_path / "agreement.yaml"
    topic_partition.write_text(TEAM)
    return topic_partition


def twice_each() -> list[InquiryReceived]:
    """Everyone asks twice, under two addresses with the same number, which is two ids; in a jumble."""
    found = []
    for person in range(PEOPLE):
        for way in ("work", "home"):
            contact = Contact(email=f"{way}{person}@gmail.com", phone=f"+32{person:08}")
            found.append(
                inquiry(
                    person,
                    lead_id=f"ld_{way}_{person}",
                    inquiry_id=f"inq_{way}_{person}",
                    contact=contact,
                    company=Company(),
                )
            )
    random.Random(7).shuffle(found)
    return found


def messages(inquiries: list[InquiryReceived]) -> list[Message]:
    return [encode(Envelope(event_id(each.inquiry_id), "baton/test", each.accepted_at, each)) for each in inquiries]


@asynccontextmanager
async def another(database: Database) -> AsyncIterator[Database]:
    """The same database with connections of its own, as another process has it."""
    own = Database(database.url, SystemClock())
    yield own
    await own.close()


async def count(database: Database, query: sa.Select[int]) -> int:
    async with database.read() as tx:
        return (await tx.execute(query)).scalar_one()


async def until(database: Database, enough: Callable[[int], bool]) -> None:
    """Until so many inquiries have their verdict."""
    async with asyncio.timeout(60):
        while not enough(await count(database, sa.select(sa.func.count()).where(verdicts.c.source.is_not(None)))):
            await asyncio.sleep(0.02)


async def everybody_has_one_owner_by_turns(database: Database) -> None:
    """One assignment for each person, one row for each, and the turns of one rotation in one order."""
    async with database.read() as tx:
        counted = await tx.execute(sa.select(leads.c.state, sa.func.count()).group_by(leads.c.state))
        states = {state: number for state, number in counted}  # noqa: C416
        held = (await tx.execute(sa.select(assignments.c.lead_id).where(assignments.c.active))).scalars().all()
        given = (await tx.execute(sa.select(sa.func.count()).select_from(assignments))).scalar_one()
        rows = (await tx.execute(sa.select(verdicts.c.seq, verdicts.c.proof).order_by(verdicts.c.seq))).all()
        turns = (await rotations(tx))["shared"]
    assert states == {"assigned": PEOPLE, "merged": PEOPLE}
    assert sorted(lead_id.rpartition("_")[2] for lead_id in held) == sorted(str(n) for n in range(PEOPLE))
    assert given == PEOPLE
    assert [row.seq for row in rows] == list(range(1, 2 * PEOPLE + 1))
    proofs = [msgspec.json.decode(row.proof, type=Proof) for row in rows]
    taken = [proof.turn for proof in proofs if proof.turn is not None]
    expected = Turns()
    for number, turn in enumerate(taken, start=1):
        assert turn.number == number, "a turn was taken twice or left out"
        step = take_turn(expected, WEIGHTS)
        assert turn.rep == step.rep
        expected = step.after
    assert turns == expected


@pytest.fixture
async def second(database: Database) -> AsyncIterator[Database]:
    async with another(database) as own:
        yield own


async def test_two_routers_give_a_thousand_duplicates_of_500_people_one_owner_each(
    database: Database, second: Database, embedded_bus: EmbeddedBus, file: Path
) -> None:
    retried = metrics.batches_retried.labels("router")._value.get()
    async with running(file, database, embedded_bus), running(file, second, embedded_bus, group="other"):
        await embedded_bus.publish(messages(twice_each()))
        await until(database, lambda seen: seen == 2 * PEOPLE)
    await everybody_has_one_owner_by_turns(database)
    assert metrics.batches_retried.labels("router")._value.get() == retried, "they were in each other's way"


async def test_when_one_of_two_routers_ends_in_the_middle_the_other_goes_on_where_it_was(
    database: Database, second: Database, embedded_bus: EmbeddedBus, file: Path
) -> None:
    waves = twice_each()
    async with running(file, database, embedded_bus), AsyncExitStack() as stack:
        await stack.enter_async_context(running(file, second, embedded_bus, group="other"))
        for first in range(0, len(waves), 20):
            await embedded_bus.publish(messages(waves[first : first + 20]))
            if first == len(waves) // 2:
                await until(database, lambda seen: seen >= 100)
                await stack.aclose()
        await until(database, lambda seen: seen == 2 * PEOPLE)
    await everybody_has_one_owner_by_turns(database)


# As processes.


@contextmanager
def process(file: Path, broker: KafkaBroker, url: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        **os.environ,
        "BATON_PORT": str(free_ports(1)[0]),
        "BATON_KAFKA": broker.bootstrap,
        "BATON_DATABASE_URL": url,
        "BATON_AGREEMENT": str(file),
        "BATON_LOG_LEVEL": "ERROR",
        "BATON_KAFKA_REPLICATION": "1",
    }
    started = subprocess.Popen([sys.executable, "-m", "services.router"], cwd=ROOT, env=environ)
    try:
        yield started
    finally:
        started.kill()
        started.wait(30)


@pytest.mark.postgres
async def test_of_two_router_processes_one_is_killed_and_nobody_gets_two_owners(
    own_kafka_broker: KafkaBroker, fresh_database: str, file: Path
) -> None:
    database = Database(fresh_database, SystemClock())
    await schema.migrate(database)
    bus = KafkaBus(Access(own_kafka_broker.bootstrap), read_topics(), replication_factor=1)
    await bus.start()
    waves = twice_each()
    with process(file, own_kafka_broker, fresh_database) as one, process(file, own_kafka_broker, fresh_database):
        for first in range(0, len(waves), 20):
            await bus.publish(messages(waves[first : first + 20]))
            if first == len(waves) // 2:
                await until(database, lambda seen: seen >= 100)
                one.send_signal(signal.SIGKILL)
        await until(database, lambda seen: seen == 2 * PEOPLE)
    await bus.close()
    await everybody_has_one_owner_by_turns(database)
    await database.close()
