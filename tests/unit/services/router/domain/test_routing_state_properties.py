"""Whatever the agreement and whatever happens: nothing is lost, nobody is given too much, every verdict is proven."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.accounts import Accounts, Owned, keys_of, owns
from services.router.domain.availability import Hold, Leave, why_not
from services.router.domain.decision import decide
from services.router.domain.lead import HELD, Lead, followed_by
from services.router.domain.parked import pools_with_capacity, routing_key
from services.router.domain.placement import wanted_of
from services.router.domain.proof import ReassignReason, TurnRecord, known_facts
from services.router.domain.qualification import routes
from services.router.domain.reassignment import agreement_for, reassign
from services.router.domain.rederivation import differences
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import contact_keys, person_keys
from services.router.domain.verdict import Verdict
from shared.domain.agreement import Agreement
from shared.domain.errors import Refused
from shared.domain.events import ActivityRecorded, Event, InquiryReceived
from tests.kit.random_agreements import POOLS, REPS, agreement, inquiry

MONDAY = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


def steps(rng: Random, length: int) -> Iterator[tuple[str, Any]]:
    """So many things that happen, one after the other."""
    facts = ("accepted", "declined", "declined", "won", "lost", "lost", "rejected")
    kinds: dict[str, Callable[[], Any]] = {
        "inquiry": lambda: inquiry(rng),
        "fact": lambda: (rng.randrange(100), rng.choice(facts)),
        "missed": lambda: rng.randrange(100),
        "move": lambda: (rng.randrange(100), rng.choice([*REPS, *POOLS])),
        "hold": lambda: (rng.choice(REPS), rng.choice([None, rng.randint(1, 100)])),
        "release": lambda: rng.choice(REPS),
        "leave": lambda: (rng.choice(REPS), rng.randint(0, 3), rng.choice([None, "morning", "afternoon"])),
        "clock": lambda: rng.choice([1, 60, 600, 4000]),
        "agreement": lambda: None,
    }
    for kind in rng.choices(list(kinds), weights=(12, 4, 1, 1, 1, 1, 1, 2, 0.5), k=length):
        yield kind, kinds[kind]()


class Story:
    """The router's day on leads in memory, each step a transaction as its handlers make it, checked at its end."""

    def __init__(self, agreed: Agreement, following: Agreement) -> None:
        self.agreed, self.following = agreed, following
        self.routing = RoutingState()
        self.now = MONDAY
        self.leads: dict[str, Lead] = {}
        self.inquiries: dict[str, InquiryReceived] = {}
        self.standing: dict[str, str] = {}
        self.versions: Counter[str] = Counter()
        self.announced: Counter[tuple[str, int]] = Counter()
        self.still: dict[str, list[TurnRecord]] = {}

    def step(self, kind: str, what: Any) -> None:
        """One transaction."""
        self.routing.begin()
        getattr(self, f"_{kind}")(what)
        self.leads |= self.routing.changed
        self.routing.begin()
        before = [lead for lead in self.leads.values() if lead.state == "parked"]
        self._drain()
        self.leads |= self.routing.changed
        self._longest_waiting_first(before)
        self._check()

    def _inquiry(self, fields: Mapping[str, Any]) -> None:
        contact = fields["contact"]
        asked = InquiryReceived(
            lead_id=f"ld_{contact.email or contact.phone}",
            inquiry_id=f"inq_{len(self.inquiries)}",
            source="website",
            kind="demo_request",
            accepted_at=self.now,
            **fields,
        )
        self.inquiries[asked.inquiry_id] = asked
        self.routing.load(self._chain(asked.lead_id))
        keys = set(contact_keys(contact))
        self.routing.load(
            lead for _, lead in sorted(self.leads.items()) if lead.state != "merged" and keys & set(person_keys(lead))
        )
        self._drain()
        accounts = Accounts(self._owned()) if self.agreed.needs_accounts else Accounts()
        owner = accounts.owner_of(keys_of(asked.company, contact))
        self._add(decide(self.routing, self.agreed, asked, self.now, owner))
        assert asked.inquiry_id in self.standing

    def _owned(self) -> list[Owned]:
        mine = sorted(
            (lead for lead in self.leads.values() if owns(lead)), key=lambda lead: (lead.assigned_at, lead.lead_id)
        )
        return [
            Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id) for lead in mine
        ]

    def _fact(self, what: tuple[int, str]) -> None:
        lead = self._held(what[0])
        if lead is None:
            return
        if what[1] == "declined":
            if lead.state == "assigned":
                self._hand_on(lead, ReassignReason("declined", by=lead.rep))
            return
        fact = ActivityRecorded(lead_id=lead.lead_id, activity_id="a", kind=what[1], accepted_at=self.now)
        after = followed_by(lead, fact, self.now)
        if after is not None:
            self.routing.save(after)

    def _missed(self, number: int) -> None:
        lead = self._held(number)
        if lead is not None and lead.state == "assigned":
            self._hand_on(lead, ReassignReason("missed"))

    def _move(self, what: tuple[int, str]) -> None:
        lead = self._held(what[0])
        if lead is None:
            return
        to: dict[str, Any] = {"to_pool": what[1]} if what[1] in POOLS else {"to_rep": what[1]}
        try:
            self._hand_on(lead, ReassignReason("manual", by="mia", reason="because", **to))
        except Refused:
            assert not self.routing.changed

    def _hold(self, what: tuple[str, int | None]) -> None:
        until = self.now + timedelta(hours=what[1]) if what[1] is not None else None
        state = msgspec.structs.replace(self.routing.state(what[0]), hold=Hold(self.now, until))
        self.routing.set_state(what[0], state)

    def _release(self, rep: str) -> None:
        self.routing.set_state(rep, msgspec.structs.replace(self.routing.state(rep), hold=None))

    def _leave(self, what: tuple[str, int, Any]) -> None:
        rep, days, half = what
        first: date = (self.now + timedelta(days=days)).date()
        leave = Leave(first, first if half else first + timedelta(days=days), half)
        self.routing.set_state(rep, msgspec.structs.replace(self.routing.state(rep), leave=(leave,)))

    def _clock(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _agreement(self, _: None) -> None:
        self.agreed, self.following = self.following, self.agreed
        team = {each.id for one in self._every() for each in one.people.values() if each.active}
        for lead in list(self.leads.values()):
            if lead.state == "assigned" and lead.rep not in team:
                self.routing.load([lead])
                self._hand_on(lead, ReassignReason("left"))

    def _every(self) -> list[Agreement]:
        return [self.agreed, *(pilot.agreement for pilot in self.agreed.pilots)]

    def _drain(self) -> None:
        for pool in list(pools_with_capacity(self.agreed, self.routing, self.now)):
            stuck: set[object] = set()
            waiting = [lead for lead in self.leads.values() if lead.state == "parked" and lead.pool == pool]
            for each in sorted(waiting, key=lambda lead: (lead.parked_at, lead.lead_id)):
                if each.lead_id not in self.routing.leads:
                    self.routing.load([each])
                lead = self.routing.leads[each.lead_id]
                key = routing_key(self.agreed, lead)
                if lead.state != "parked" or (key is not None and key in stuck):
                    continue
                gone = self._hand_on(lead, ReassignReason("drained")) is not None
                if not gone and key is not None:
                    stuck.add(key)

    def _held(self, number: int) -> Lead | None:
        held = [lead for _, lead in sorted(self.leads.items()) if lead.state in HELD]
        if not held:
            return None
        self.routing.load([held[number % len(held)]])
        return held[number % len(held)]

    def _chain(self, lead_id: str | None) -> list[Lead]:
        found = []
        while lead_id is not None and lead_id in self.leads:
            found.append(self.leads[lead_id])
            lead_id = self.leads[lead_id].into
        return found

    def _hand_on(self, lead: Lead, cause: ReassignReason) -> Verdict | None:
        verdict = reassign(self.routing, self.agreed, cause, lead, self.inquiries[lead.inquiry_id], self.now)
        if verdict is not None:
            self._add(verdict)
        return verdict

    def _add(self, verdict: Verdict) -> None:
        self._announce(verdict)
        proof = verdict.proof
        under = next(each for each in self._every() if each.hash == proof.agreement.hash)
        assert differences(msgspec.json.decode(msgspec.json.encode(proof), type=type(proof)), under) == ()
        assert not verdict.errors
        if proof.ask is not None and proof.ask.kind != "manual" and proof.before is not None:
            assert proof.rep not in {*proof.before.declined_by, *proof.before.missed_by}
        turn = proof.turn
        if turn is None:
            return
        person, state = under.people[turn.rep], proof.states.get(turn.rep)
        assert state is None or why_not(person, state, under.pools[turn.pool], self.now) is None
        after = self.routing.state(turn.rep)
        assert person.max_open is None or after.open <= person.max_open
        assert person.max_new_per_day is None or after.new_today <= person.max_new_per_day
        assert sum(turn.balances_before.values()) == 0
        self._is_fair(turn, under)

    def _is_fair(self, turn: TurnRecord, under: Agreement) -> None:
        """Each is less than one lead off their share while the same members take turns from the beginning, and less
        than two when they come to it with what is left over from other constellations.
        """
        run = self.still.setdefault(turn.pool, [])
        if run and run[-1].weights != turn.weights:
            run.clear()
        if under.pools[turn.pool].strategy != "weighted_turns":
            run.clear()
            return
        run.append(turn)
        got, total = Counter(each.rep for each in run), sum(turn.weights.values())
        limit = 2 if any(run[0].balances_before.values()) else 1
        for rep, weight in turn.weights.items():
            assert abs(Fraction(len(run) * weight, total) - got[rep]) < limit, (rep, run)

    def _announce(self, verdict: Verdict) -> None:
        events: list[Event] = [verdict.event, *verdict.further_events]
        for event in events:
            self.announced[event.lead_id, event.lead_version] += 1  # type: ignore[attr-defined]
            kind = event.TYPE.split(".")[2]
            if event.lead_version > self.versions[event.inquiry_id]:  # type: ignore[attr-defined]
                self.versions[event.inquiry_id] = event.lead_version  # type: ignore[attr-defined]
                self.standing[event.inquiry_id] = "assigned" if kind == "reassigned" else kind  # type: ignore[attr-defined]

    def _check(self) -> None:
        self._nothing_is_lost()
        self._one_owner()
        self._nobody_waits_in_vain()

    def _nothing_is_lost(self) -> None:
        assert set(self.standing) == set(self.inquiries)
        assert max(self.announced.values(), default=1) == 1, "an event's id is given once, or readers drop it"
        for lead in self.leads.values():
            if lead.state not in ("closed", "merged"):
                assert self.standing[lead.inquiry_id] == lead.state
            assert (lead.rep is not None) >= (lead.state == "assigned")
        counted = Counter(lead.inquiry_id for lead in self.leads.values() if lead.state in HELD)
        assert set(counted.values()) <= {1}

    def _one_owner(self) -> None:
        held, waiting = Counter[str](), Counter[str]()
        for lead in self.leads.values():
            if lead.state == "assigned":
                held[str(lead.rep)] += 1
            if lead.state == "parked":
                waiting[str(lead.pool)] += 1
        assert held == Counter({rep: state.open for rep, state in self.routing.reps.items()})
        assert waiting == Counter(self.routing.waiting)
        owners: dict[str, set[str]] = {}
        for asked in self.inquiries.values():
            if asked.test:
                continue
            last = self._chain(asked.lead_id)[-1]
            for key in contact_keys(asked.contact):
                if last.state in HELD:
                    owners.setdefault(key, set()).add(last.lead_id)
        assert all(len(found) == 1 for found in owners.values()), owners

    def _longest_waiting_first(self, waiting: list[Lead]) -> None:
        """Of those who wait for the same, in pool and rule, nobody is overtaken."""
        for pool, key in {(lead.pool, routing_key(self.agreed, lead)) for lead in waiting} - {(None, None)}:
            equals = [lead for lead in waiting if (lead.pool, routing_key(self.agreed, lead)) == (pool, key)]
            equals.sort(key=lambda lead: (lead.parked_at, lead.lead_id))
            left = [self.leads[lead.lead_id].state == "parked" for lead in equals]
            assert key is None or left == sorted(left), (pool, key, left)

    def _nobody_waits_in_vain(self) -> None:
        """As far as a lead waits where the rules in force, or a person, would send it."""
        for lead in self.leads.values():
            under = agreement_for(self.agreed, lead)
            if lead.state != "parked" or lead.pool is None or lead.pool not in under.pools:
                continue
            facts = known_facts(self.inquiries[lead.inquiry_id], lead, None, self.now, again=True)
            rule = next(each for each in routes(under, facts) if each.owner is None)
            if str(lead.rule).startswith("moved by "):
                wanted = {}
            elif rule.pool == lead.pool:
                wanted = wanted_of(rule.only, facts)
            else:
                continue
            free = self.routing.candidates(under, under.pools[lead.pool], wanted, self.now).available
            assert set(free) <= {*lead.declined_by, *lead.missed_by}, (lead, free)


@settings(max_examples=400, derandomize=True)
@given(st.randoms(use_true_random=True), st.integers(20, 90))
def test_whatever_happens_nothing_is_lost_and_nobody_gets_what_they_may_not_have(rng: Random, length: int) -> None:
    story = Story(agreement(rng, "one"), agreement(rng, "two"))
    for kind, what in steps(rng, length):
        story.step(kind, what)
