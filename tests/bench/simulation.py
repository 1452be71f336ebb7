"""P8: a record replayed through two agreements; the peer only judges each inquiry and picks a rep, twice, in a loop.

Each side runs in a process of its own, so that what it weighs is its own.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from services.router.domain.decision import decide
from services.router.domain.journal import JournalEntry
from services.router.domain.lead import followed_by
from services.router.domain.placement import place
from services.router.domain.proof import known_facts
from services.router.domain.qualification import judge
from services.router.domain.routing_state import RoutingState
from services.router.simulation.runner import Plan, simulate
from services.router.store import record
from shared import agreement_file
from shared.agreements import store as agreements
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived
from tests.bench.figures import Figure
from tests.bench.routing import ROOT, inquiries, large_agreement

BEGAN = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
EVERY = timedelta(seconds=40)
BATCH = 1000


def versions() -> tuple[Agreement, Agreement]:
    """The agreement in force, and a draft that sends leads of one size to another pool."""
    text = large_agreement()
    draft = text.replace("version: 1", "version: 2").replace("pool: pool03", "pool: pool04", 1)
    assert draft.count("pool: pool03") < text.count("pool: pool03")
    return tuple(agreement_file.parse(each, "bench.yaml").agreement for each in (text, draft))  # type: ignore[return-value]


def asked(count: int) -> Iterator[InquiryReceived]:
    """So many inquiries of different people, one every 40 seconds."""
    for number, envelope in enumerate(inquiries(count)):
        assert isinstance(envelope.event, InquiryReceived)
        yield msgspec.structs.replace(envelope.event, accepted_at=BEGAN + number * EVERY)


async def write(file: Path, count: int) -> None:
    """A record as the router stores it: a verdict on each lead, a call, and an end for every second one."""
    database = Database(f"sqlite+aiosqlite:///{file}", SystemClock())
    await schema.migrate(database)
    agreement, _ = versions()
    routing = RoutingState()
    batch: list[InquiryReceived] = []
    async with database.begin() as tx:
        await agreements.save(tx, agreement, BEGAN)
    for inquiry in asked(count):
        batch.append(inquiry)
        if len(batch) == BATCH:
            await _write(database, agreement, routing, batch)
            batch = []
    await _write(database, agreement, routing, batch)
    await database.close()


async def _write(
    database: Database, agreement: Agreement, routing: RoutingState, batch: Sequence[InquiryReceived]
) -> None:
    made, entries = [], []
    for inquiry in batch:
        now = inquiry.accepted_at + timedelta(milliseconds=20)
        routing.begin()
        verdict = decide(routing, agreement, inquiry, now)
        made.append(
            msgspec.structs.replace(verdict, proof=msgspec.structs.replace(verdict.proof, seq=routing.next_seq()))
        )
        for kind in ("call", "lost") if routing.seq % 4 else ("call",):
            now += timedelta(seconds=3)
            fact = ActivityRecorded(
                lead_id=inquiry.lead_id, activity_id=f"{kind}_{inquiry.lead_id}", kind=kind, accepted_at=now
            )
            entries.append(JournalEntry(routing.next_seq(), now, "activity", fact))
            after = followed_by(verdict.lead, fact, now)
            if after is not None:
                routing.save(after)
    async with database.begin() as tx:
        await record.save_verdicts(tx, made)
        await record.save_entries(tx, entries)


async def ours(file: Path, count: int) -> float:
    """Leads a second, each through both agreements."""
    in_force, draft = versions()
    database = Database(f"sqlite+aiosqlite:///{file}", SystemClock())
    plan = Plan(draft, in_force, None, BEGAN + (count + 1000) * EVERY)
    began = time.perf_counter()
    summary = await simulate(database, plan)
    rate = count / (time.perf_counter() - began)
    assert summary.leads == summary.replayed == count
    assert 0 < summary.differ < count
    await database.close()
    return rate


def peer(count: int) -> float:
    """The same leads, judged and placed, and nothing else."""
    both = versions()
    known = list(asked(count))
    states = [RoutingState(), RoutingState()]
    began = time.perf_counter()
    for inquiry in known:
        for agreement, routing in zip(both, states, strict=True):
            routing.begin()  # who can have a lead is looked up at every instant again
            facts = known_facts(inquiry, None, None, inquiry.accepted_at)
            if judge(agreement, inquiry, facts).qualified:
                place(routing, agreement, facts, inquiry.accepted_at)
    return count / (time.perf_counter() - began)


def _alone(side: str, file: Path, count: int) -> tuple[float, float]:
    """Leads a second and MiB at the most, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.simulation", side, str(file), str(count)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rate, weight = json.loads(output)
    return rate, weight


def measure(folder: Path, *, leads: int, rounds: int) -> Sequence[Figure]:
    """P8, and what it weighs with a fifth of the leads and with all of them."""
    small, large = folder / "small.db", folder / "large.db"
    asyncio.run(write(small, leads // 5))
    asyncio.run(write(large, leads))
    _, little = _alone("ours", small, leads // 5)
    taken, weights = [], []
    for _ in range(rounds):
        rate, weight = _alone("ours", large, leads)
        taken.append((rate, _alone("peer", large, leads)[0]))
        weights.append(weight)
    rate, alone = statistics.median(o for o, _ in taken), statistics.median(p for _, p in taken)
    weight = statistics.median(weights)
    what = f"replay {leads:,} leads through two agreements"
    flat = f"{leads // 5:,} leads"
    return [
        Figure("P8", what, "leads/s", rate, "bare judge and place", alone, ">= 0.7", rate >= 0.7 * alone, taken),
        Figure("P8 memory", "at the most, meanwhile", "MiB", weight, flat, little, "<= 1.1", weight <= 1.1 * little),
    ]


if __name__ == "__main__":
    side, place_of, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if side == "write":
        asyncio.run(write(place_of, number))
    else:
        found = asyncio.run(ours(place_of, number)) if side == "ours" else peer(number)
        print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
