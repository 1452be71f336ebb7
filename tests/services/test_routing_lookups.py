"""A replay decides exactly as the router did, whatever happens: one core, on a database and on a replay's memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from random import Random

import msgspec
import pytest
import sqlalchemy as sa

from services.router.domain.availability import Hold, Leave
from services.router.domain.lead import HELD, InquiryCopy, Lead
from services.router.domain.proof import ReassignReason
from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.handlers.transaction import RoutingTransactions
from services.router.simulation.lookup import ReplayLookup
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex, PersonIndex, ReplayedLead
from services.router.store.lookup import DatabaseLookup
from services.router.store.tables import leads
from shared.agreements import store as agreement_store
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.domain.errors import Problem
from shared.domain.events import ActivityRecorded, InquiryReceived
from tests.kit import events
from tests.kit.agreements import agreement as plain_agreement
from tests.kit.clocks import ManualClock
from tests.kit.random_agreements import POOLS, REPS, agreement, inquiry
from tests.kit.tables import make_tables

Decide = Callable[[Routing], object]
KINDS = {
    "inquiries": 12,
    "copies": 3,
    "facts": 5,
    "missed": 1,
    "move": 1,
    "hold": 1,
    "release": 1,
    "leave": 1,
    "agreement": 0.5,
}


class Replayed:
    """The core on what a replay remembers."""

    def __init__(self, folder: Path, stack: ExitStack, agreements: list[Agreement]) -> None:
        self.leads = stack.enter_context(closing(DiskDict(folder / "leads.db", msgspec.msgpack.Decoder(ReplayedLead))))
        self.inquiries = stack.enter_context(
            closing(DiskDict(folder / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived)))
        )
        self.persons = stack.enter_context(closing(PersonIndex(folder / "persons.db")))
        owners = stack.enter_context(closing(OwnerIndex(folder / "owners.db")))
        self.state = ReplayState(self.leads, timedelta(seconds=2))
        self.state.agreements = {each.hash: each for one in agreements for each in one.with_drafts}
        self.lookup = ReplayLookup(self.state, owners, self.inquiries)
        self.routing_state = RoutingState()

    def run(self, decide: Decide, agreed: Agreement, clock: ManualClock) -> list[bytes]:
        self.routing_state.begin()
        routing = Routing(self.routing_state, self.lookup, agreed, clock.at)
        found = outcome(routing, decide)
        self.lookup.save(routing)
        return found

    def announce(self, inquiries: list[InquiryReceived]) -> None:
        candidates: set[str] = set()
        for each in inquiries:
            candidates |= self.persons.leads_of(each)
            self.inquiries.put(each.inquiry_id, each)
        self.lookup.candidates = sorted(candidates)


def outcome(routing: Routing, decide: Decide) -> list[bytes]:
    decide(routing)
    made = [(each.lead, each.event, each.proof, each.further_events) for each in routing.verdicts]
    changed = [lead for _, lead in sorted(routing.state.changed.items())]
    return [msgspec.json.encode(each) for each in (*made, *changed, *routing.journal, *routing.backdated)]


class Story:
    """What happens, on both sides at once."""

    def __init__(self, rng: Random, live: RoutingTransactions, replayed: Replayed, clock: ManualClock) -> None:
        self.rng, self.live, self.replayed, self.clock = rng, live, replayed, clock
        self.decided = 0
        self.number = 0
        self.asked: list[InquiryReceived] = []
        self.backdated = 0

    async def step(self, kind: str) -> None:
        decide = getattr(self, f"_{kind}")()
        agreed = self.live.agreement_at(self.clock.at)
        try:
            ours = await self.live.run(lambda routing: outcome(routing, decide))
        except Problem as refused:
            with pytest.raises(type(refused), match=f"^{refused.detail[:20]}"):
                self.replayed.run(decide, agreed, self.clock)
            return
        assert self.replayed.run(decide, agreed, self.clock) == ours
        self.decided += len(ours)

    def held(self) -> Lead | None:
        held = [each.lead for _, each in self.replayed.leads.items() if each.lead.state in HELD]
        return self.rng.choice(held) if held else None

    def _inquiries(self) -> Decide:
        asked = [self._inquiry() for _ in range(self.rng.choice((1, 1, 2, 5)))]
        self.replayed.announce(asked)
        self.asked += asked
        return lambda routing: routing.judge(asked)

    def _inquiry(self) -> InquiryReceived:
        self.number += 1
        fields = inquiry(self.rng)
        contact = fields["contact"]
        return InquiryReceived(
            lead_id=f"ld_{contact.email or contact.phone}",
            inquiry_id=f"inq_{self.number}",
            source="website",
            kind="demo_request",
            accepted_at=self.clock.at - timedelta(minutes=self.rng.choice((0, 0, 5))),
            **fields,
        )

    def _copies(self) -> Decide:
        known = [each for each in self.asked if self._started_lead(each)][-10:] + self.asked[-5:]
        asked = [self.rng.choice(known) for _ in range(self.rng.choice((1, 2)))] if known else []
        copies = [
            InquiryCopy(
                each.lead_id, each.inquiry_id, each.accepted_at + timedelta(minutes=self.rng.choice((-9, -3, 0, 3)))
            )
            for each in asked
        ]

        def backdate(routing: Routing) -> None:
            self.backdated += routing.backdate(copies)

        return backdate

    def _started_lead(self, asked: InquiryReceived) -> bool:
        found = self.replayed.leads.get(asked.lead_id)
        return found is not None and found.lead.state in HELD and found.lead.inquiry_id == asked.inquiry_id

    def _facts(self) -> Decide:
        facts = [self._fact() for _ in range(self.rng.choice((1, 2, 4)))]
        for fact in facts:
            self.replayed.state.add_fact(fact)
        return lambda routing: routing.apply(facts)

    def _fact(self) -> ActivityRecorded:
        self.number += 1
        kind = self.rng.choice(("call", "accepted", "declined", "declined", "won", "lost", "rejected"))
        lead = self.held()
        early = lead is None or self.rng.random() < 0.3
        return ActivityRecorded(
            lead_id=self._inquiry().lead_id if lead is None or early else lead.lead_id,
            activity_id=f"act_{self.number}",
            kind=kind,
            accepted_at=self.clock.at,
            reason="too far" if kind == "declined" else None,
        )

    def _missed(self) -> Decide:
        lead = self.held()
        missed = [(lead.lead_id, lead.generation)] if lead is not None else []
        return lambda routing: routing.move_missed(missed)

    def _move(self) -> Decide:
        to, lead = self.rng.choice([*REPS, *POOLS]), self.held()
        reason = ReassignReason("manual", by="mia", reason="because", to_rep=to)
        if to in POOLS:
            reason = ReassignReason("manual", by="mia", reason="because", to_pool=to)
        lead_id = lead.lead_id if lead is not None else "ld_unknown"
        return lambda routing: routing.move(lead_id, reason)

    def _hold(self) -> Decide:
        rep, hours = self.rng.choice(REPS), self.rng.choice((1, 20, 60))
        hold = Hold(self.clock.at, self.clock.at + timedelta(hours=hours))
        return lambda routing: routing.set_absence(rep, hold, routing.state.state(rep).leave)

    def _release(self) -> Decide:
        rep = self.rng.choice(REPS)
        return lambda routing: routing.set_absence(rep, None, routing.state.state(rep).leave)

    def _leave(self) -> Decide:
        rep, first = self.rng.choice(REPS), self.clock.at.date()
        leave = (Leave(first, first + timedelta(days=self.rng.choice((0, 2)))),)
        return lambda routing: routing.set_absence(rep, routing.state.state(rep).hold, leave)

    def _agreement(self) -> Decide:
        def settle(routing: Routing) -> None:
            routing.reassign_departed()
            routing.reroute_parked()
            routing.drain()

        return settle


def alternating(agreements: list[Agreement]) -> Iterator[Agreement]:
    while True:
        yield from agreements


async def check_departed(database: Database, replayed: Replayed, limit: int) -> None:
    """Both lookups find the leads of departed reps in the same order."""
    async with database.read() as tx:
        stored = await tx.run_sync(lambda _: DatabaseLookup(tx).assigned_to(REPS, limit))
    found = replayed.lookup.assigned_to(REPS, limit)
    assert [lead.lead_id for lead in found] == [lead.lead_id for lead in stored]


@pytest.fixture
async def sqlite(tmp_path: Path, manual_clock: ManualClock) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", manual_clock)
    await make_tables(database)
    yield database
    await database.close()


@pytest.mark.parametrize("order", list(permutations((3, 5, 9))))
def test_copies_of_an_inquiry_come_to_the_same_lead_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    clock, agreed = ManualClock(), plain_agreement()
    came_at = clock.at
    first, *copies = [events.inquiry(accepted_at=came_at + timedelta(minutes=minutes)) for minutes in order]
    with ExitStack() as stack:
        replayed = Replayed(tmp_path, stack, [agreed])
        replayed.announce([first])
        clock.advance(minutes=10)
        replayed.run(lambda routing: routing.judge([first]), agreed, clock)
        for copy in copies:
            known = InquiryCopy(copy.lead_id, copy.inquiry_id, copy.accepted_at)
            replayed.run(lambda routing, known=known: routing.backdate([known]), agreed, clock)  # type: ignore[misc]
        found = replayed.leads.get("ld_1")
        assert found is not None
        assert (found.lead.state, found.lead.generation) == ("assigned", 1)
        assert found.lead.received_at == came_at + timedelta(minutes=3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.timeout(120)
async def test_the_same_steps_on_a_database_and_in_a_replay_come_to_the_same_proofs(
    sqlite: Database, manual_clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng, clock = Random(seed), manual_clock
    versions = [agreement(rng, "one"), agreement(rng, "two")]
    for each in (each for one in versions for each in one.with_drafts):
        # They have no text from which they could be read.
        monkeypatch.setitem(agreement_store._loaded, each.hash, each)
    order = alternating(versions)
    in_force = [next(order)]
    with ExitStack() as stack:
        live = RoutingTransactions(sqlite, lambda _: in_force[0])
        replayed = Replayed(tmp_path, stack, versions)
        story = Story(rng, live, replayed, clock)
        for kind in rng.choices(list(KINDS), weights=list(KINDS.values()), k=90):
            clock.advance(minutes=rng.choice((0, 1, 60, 600)), microseconds=1)
            if kind == "agreement":
                in_force[0] = next(order)
            await story.step(kind)
            if kind == "agreement":
                await check_departed(sqlite, replayed, limit=2)
        await check_departed(sqlite, replayed, limit=1000)
        async with sqlite.read() as tx:
            stored = {row.lead_id: row.body for row in await tx.execute(sa.select(leads.c.lead_id, leads.c.body))}
        assert story.decided > 60
        assert story.backdated
        assert stored == {lead_id: msgspec.json.encode(each.lead) for lead_id, each in replayed.leads.items()}
