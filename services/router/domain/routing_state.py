"""The state that routing decisions read and change: turns, loads of reps, and the leads and accounts in question. The
next verdict of a batch sees the changes of the previous one; changes are saved at the end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from services.router.domain.assignment import Turns
from services.router.domain.availability import RepState, why_not, with_one_less, with_one_more
from services.router.domain.formats import FORMAT
from services.router.domain.lead import InquiryCopy, Lead
from services.router.domain.same_person import contact_keys, person_keys
from shared.domain.agreement import Agreement, Person, Pool
from shared.domain.events import InquiryReceived
from shared.domain.lead import Contact


class Owner(msgspec.Struct, frozen=True):
    """Who owns a company: the rep of its lead `lead_id`. `how` says how we know that it is the same company."""

    rep: str
    pool: str
    lead_id: str
    how: str


class Candidates(msgspec.Struct, frozen=True):
    """Members of a pool who can have a lead, with their weights; why the others can't; and the states that this
    hangs on.
    """

    available: Mapping[str, int]
    passed_over: Mapping[str, str]
    states: Mapping[str, RepState]


class RoutingState:
    """Mutable. `turns` (by pool), `reps` and `waiting` (parked leads by pool) carry over between transactions; `leads`
    (by id) and `persons` (ids of leads by contact key) are for one transaction.

    `relieved` are reps on leave, with since when, who have no leads any more that others are to get.
    `proof_format` says by which rules to decide: an older one if a verdict is derived again, or its past replayed.

    `changed`, `ended`, `newly_assigned` and `touched_*` are what to save: changed leads, leads that lost their owner,
    leads in the order in which they got one, pools and reps.
    """

    def __init__(
        self,
        turns: Mapping[str, Turns] | None = None,
        reps: Mapping[str, RepState] | None = None,
        waiting: Mapping[str, int] | None = None,
        seq: int = 0,
        *,
        proof_format: int = FORMAT,
    ) -> None:
        self.turns = dict(turns or {})
        self.reps = dict(reps or {})
        self.waiting = dict(waiting or {})
        self.seq = seq
        self.proof_format = proof_format
        self.relieved: dict[str, datetime] = {}
        self.begin()

    def copy(self) -> "RoutingState":
        """Turns and reps on their own, by the same rules, to try out what would be decided."""
        return RoutingState(self.turns, self.reps, proof_format=self.proof_format)

    def begin(self) -> None:
        """Clear what belongs to one transaction: another instant, other leads."""
        self.leads: dict[str, Lead] = {}
        self.persons: dict[str, list[str]] = {}
        self.changed: dict[str, Lead] = {}
        self.ended: set[str] = set()
        self.newly_assigned: list[Lead] = []
        self.touched_turns: set[str] = set()
        self.touched_reps: set[str] = set()
        self._candidates: dict[tuple[str, str, object], Candidates] = {}

    def next_seq(self) -> int:
        """The next place in the router's record."""
        self.seq += 1
        return self.seq

    def lead(self, lead_id: str) -> Lead | None:
        """The lead with this id, or the one that it became part of."""
        found = self.leads.get(lead_id)
        while found is not None and found.into is not None:
            found = self.leads.get(found.into)
        return found

    def chain(self, lead_id: str) -> Iterator[Lead]:
        """The lead with this id, and those that it became part of, one after the other."""
        found = self.leads.get(lead_id)
        while found is not None:
            yield found
            found = self.leads.get(found.into) if found.into is not None else None

    def same_person(self, contact: Contact) -> list[Lead]:
        """The leads that share an address or a number with `contact`, each once."""
        ids = (lead_id for key in contact_keys(contact) for lead_id in self.persons.get(key, ()))
        found = (self.lead(lead_id) for lead_id in ids)
        return list({lead.lead_id: lead for lead in found if lead is not None}.values())

    def starts_of(self, inquiries: Sequence[InquiryReceived | InquiryCopy]) -> dict[str, datetime]:
        """From when facts count for the leads of these inquiries, also under an id that has become part of another."""
        starts: dict[str, datetime] = {}
        for inquiry in inquiries:
            lead = self.lead(inquiry.lead_id)
            if lead is not None:
                starts |= {inquiry.lead_id: lead.received_at, lead.lead_id: lead.received_at}
        return starts

    def load(self, leads: Iterable[Lead]) -> None:
        """Load leads as they are."""
        for lead in leads:
            self.leads[lead.lead_id] = lead
            if lead.into is None:
                for key in person_keys(lead):
                    known = self.persons.setdefault(key, [])
                    if lead.lead_id not in known:
                        known.append(lead.lead_id)

    def save(self, lead: Lead) -> None:
        """Put a changed lead. Updates the loads of its owners and the number of parked leads."""
        before = self.leads.get(lead.lead_id)
        if before is not None and before.state == "assigned" and not _keeps_owner(before, lead):
            self._set_rep(str(before.rep), with_one_less(self.state(str(before.rep))))
            self.ended.add(lead.lead_id)
        self._count_parked(before, lead)
        self.changed[lead.lead_id] = lead
        for key in set(person_keys(before)).difference(person_keys(lead)) if before is not None else ():
            if lead.lead_id in self.persons.get(key, ()):
                self.persons[key].remove(lead.lead_id)
        self.load([lead])

    def assign_to(self, person: Person, lead: Lead, now: datetime) -> None:
        """Save a lead that the person gets, and count it: as new today, unless they have it already."""
        before = self.leads.get(lead.lead_id)
        had_it = before is not None and before.state == "assigned" and before.rep == person.id
        self.save(lead)
        self.newly_assigned.append(lead)
        state = self.state(person.id)
        state = msgspec.structs.replace(state, open=state.open + 1) if had_it else with_one_more(person, state, now)
        self._set_rep(person.id, state)

    def state(self, rep: str) -> RepState:
        """The state of a rep; empty for a new one."""
        return self.reps.get(rep) or RepState()

    def set_state(self, rep: str, state: RepState) -> None:
        """Change hold or leave of a rep."""
        self._set_rep(rep, state)
        self._candidates.clear()

    def set_turns(self, pool: str, turns: Turns) -> None:
        """The rotation after a turn."""
        self.turns[pool] = turns
        self.touched_turns.add(pool)

    def candidates(
        self, agreement: Agreement, pool: Pool, wanted: Mapping[str, frozenset[str]], now: datetime
    ) -> Candidates:
        """The pool's members with one of the `wanted` values in each attribute, and whether they can have a lead."""
        key = (agreement.hash, pool.name, tuple(sorted(wanted.items())) if wanted else None)
        found = self._candidates.get(key)
        if found is None:
            found = self._candidates[key] = self._compute_candidates(agreement, pool, wanted, now)
        return found

    def _compute_candidates(
        self, agreement: Agreement, pool: Pool, wanted: Mapping[str, frozenset[str]], now: datetime
    ) -> Candidates:
        available: dict[str, int] = {}
        passed_over: dict[str, str] = {}
        states: dict[str, RepState] = {}
        for rep, weight in pool.members.items():
            person, state = agreement.people[rep], self.state(rep)
            if _matters(person, state, pool):
                states[rep] = state
            why = _lacks(person, wanted) or why_not(person, state, pool, now)
            if why is None:
                available[rep] = weight
            else:
                passed_over[rep] = why
        return Candidates(available, passed_over, states)

    def _set_rep(self, rep: str, state: RepState) -> None:
        self.reps[rep] = state
        self.touched_reps.add(rep)
        stale = [key for key, found in self._candidates.items() if rep in found.states]
        for key in stale:
            del self._candidates[key]

    def _count_parked(self, before: Lead | None, after: Lead) -> None:
        if before is not None and before.state == "parked" and before.pool is not None:
            self.waiting[before.pool] = self.waiting.get(before.pool, 0) - 1
        if after.state == "parked" and after.pool is not None:
            self.waiting[after.pool] = self.waiting.get(after.pool, 0) + 1


def _keeps_owner(before: Lead, after: Lead) -> bool:
    """Whether the lead stays with the owner it had."""
    return after.state == "assigned" and after.generation == before.generation


def _matters(person: Person, state: RepState, pool: Pool) -> bool:
    """Whether the rep's state can affect who gets the lead."""
    limited = person.max_open is not None or person.max_new_per_day is not None
    return limited or state.hold is not None or bool(state.leave) or pool.strategy == "least_open"


def _lacks(person: Person, wanted: Mapping[str, frozenset[str]]) -> str | None:
    for attribute, values in wanted.items():
        has = {value.casefold() for value in getattr(person, attribute)}
        if not has & values:
            asked = " or ".join(sorted(values)) or "what the lead does not say"
            return f"{attribute}: not {asked}"
    return None
