"""Leads in a replay or in the recorded past, with sales activities and missed promises."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.router.domain.lead import Lead
from services.router.domain.simulation_promises import (
    LadderMove,
    OwedPromise,
    SalesFact,
    due_promises,
    ladder_moves,
    missed_of,
    sales_fact,
)
from services.router.simulation.storage import DiskDict, ReplayedLead
from services.router.simulation.summary import LeadOutcome
from shared.domain.activities import WITHDRAWN
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded
from shared.domain.settlement import passes_on


class ReplayState:
    """Leads by id with their facts; used by replays and the recorded past. `agreements` are by hash."""

    def __init__(self, leads: DiskDict[ReplayedLead], tolerance: timedelta) -> None:
        self.leads = leads
        self.agreements: dict[str, Agreement] = {}
        self.tolerance = tolerance
        self._held: defaultdict[str, set[str]] = defaultdict(set)
        self._early: dict[str, list[ActivityRecorded]] = {}
        self._not_followed: dict[str, list[ActivityRecorded]] = {}

    def lead(self, lead_id: str) -> Lead | None:
        """The lead with this id, if there is one."""
        known = self.leads.get(lead_id)
        return known.lead if known is not None else None

    def assigned_to(self, reps: Iterable[str]) -> list[str]:
        """The ids of the leads that these reps have."""
        return sorted(lead_id for rep in reps for lead_id in self._held.get(rep, ()))

    def moves_of(self, lead: Lead) -> list[LadderMove]:
        """When the ladders of the lead's promises ask for another owner, in order of time."""
        agreement = self.agreements[lead.agreement.hash]
        pauses = any(promise.pause is not None for promise in agreement.promises.values())
        known = self.leads.get(lead.lead_id) if pauses else None
        return ladder_moves(agreement, lead, self.tolerance, known.facts if known is not None else ())

    def chain(self, lead_id: str) -> Iterator[Lead]:
        """The lead with this id, if there is one, and those that it became part of, one after the other."""
        found = self.leads.get(lead_id)
        while found is not None:
            yield found.lead
            found = self.leads.get(found.lead.into) if found.lead.into is not None else None

    def change(self, lead: Lead, now: datetime, reason: str = "", *, asked: bool = False) -> None:
        """Save the changed lead. What was recorded under an id that becomes part of another lead counts for that one,
        as far as it passes on, and not for promises that start after a split.
        """
        before, known = self.lead(lead.lead_id), self.leads.get(lead.lead_id)
        if before is not None and before.rep is not None:
            self._held[before.rep].discard(lead.lead_id)
        if lead.rep is not None and lead.state == "assigned":
            self._held[lead.rep].add(lead.lead_id)
        if known is None:
            early = self._early.pop(lead.lead_id, ())
            known = ReplayedLead(lead, facts=tuple([sales_fact(fact) for fact in early]))
        elif _renewed(known.lead, lead):
            known.renewed = (*known.renewed, known.lead)
        elif _over(known.lead, lead):
            known.due += self._due(known, ended_at=now, now=now)
            known.renewed = ()
        known.lead = lead
        known.why = reason or known.why
        if asked:
            known.asked_at = now
        self.leads.put(lead.lead_id, known)
        if before is not None and before.into is not None and lead.into is None:
            self._mark_gone(before.into, known.facts, now)
        if lead.into is not None and (before is None or before.into is None):
            merged_at = None if before is None else lead.one_person_since or now
            passed_on = [fact for fact in known.facts if passes_on(fact.kind, fact.accepted_at, merged_at)]
            self._add_facts(lead.into, tuple(passed_on))

    def _mark_gone(self, lead_id: str, facts: tuple[SalesFact, ...], now: datetime) -> None:
        """From `now` on they count for new promises neither on the lead with this id nor on those that it became."""
        theirs = frozenset(facts)
        for lead in self.chain(lead_id) if theirs else ():
            known = self.leads.get(lead.lead_id)
            if known is not None:
                known.facts = tuple([replace(each, gone_at=now) if each in theirs else each for each in known.facts])
                self.leads.put(lead.lead_id, known)

    def add_fact(self, fact: ActivityRecorded) -> bool:
        """Add a fact for the promises to the person; whether there is a lead. Otherwise promises on it wait for it."""
        if self.leads.get(fact.lead_id) is None:
            self._early.setdefault(fact.lead_id, []).append(fact)
            return False
        self._add_facts(fact.lead_id, (sales_fact(fact),))
        return True

    def add_early(self, fact: ActivityRecorded) -> None:
        """Store a fact that is to be followed once its lead exists."""
        self._not_followed.setdefault(fact.lead_id, []).append(fact)

    def early(self, lead_ids: Iterable[str]) -> list[ActivityRecorded]:
        """Facts that are to be followed once these leads exist."""
        return [fact for lead_id in lead_ids for fact in self._not_followed.get(lead_id, ())]

    def take_early(self, starts: Mapping[str, datetime]) -> list[ActivityRecorded]:
        """Facts that came before these leads did, in order, each once. Those from before the start of their lead stay,
        as they do in the router.
        """
        found: list[ActivityRecorded] = []
        for lead_id, start_at in starts.items():
            waiting = self._not_followed.pop(lead_id, [])
            found += [fact for fact in waiting if fact.accepted_at >= start_at]
            too_early = [fact for fact in waiting if fact.accepted_at < start_at]
            if too_early:
                self._not_followed[lead_id] = too_early
        return sorted(found, key=lambda fact: (fact.accepted_at, fact.activity_id))

    def outcome(self, replayed: ReplayedLead, now: datetime) -> LeadOutcome:
        """What became of the lead by `now`."""
        lead = replayed.lead
        # Of earlier owners too only now: a merge may have changed which facts are about the person.
        breached = missed_of((*replayed.due, *self._due(replayed, ended_at=None, now=now)), replayed.facts)
        return LeadOutcome(
            lead.state,
            lead.stage,
            lead.rep,
            lead.pool,
            lead.rule,
            lead.respond_by,
            tuple(sorted(breached)),
            replayed.why,
        )

    def _add_facts(self, lead_id: str, facts: tuple[SalesFact, ...]) -> None:
        """Add them to the lead with this id, and to those that it became part of, as far as they pass on."""
        for lead in self.chain(lead_id):
            known = self.leads.get(lead.lead_id)
            if known is not None and facts:
                known.facts += facts
                self.leads.put(lead.lead_id, known)
            if lead.into is not None:
                facts = tuple([each for each in facts if passes_on(each.kind, each.accepted_at, lead.one_person_since)])

    def _due(self, replayed: ReplayedLead, *, ended_at: datetime | None, now: datetime) -> tuple[OwedPromise, ...]:
        lead = replayed.lead
        if lead.rep is None or lead.state not in ("assigned", "closed"):
            return ()
        if ended_at is None and lead.outcome == WITHDRAWN:
            ended_at = lead.ended_at  # It may be older than the lead, and no fact that counts for its promises.
        held = [(self.agreements[each.agreement.hash], each) for each in (*replayed.renewed, lead)]
        return due_promises(held, replayed.facts, tolerance=self.tolerance, ended_at=ended_at, now=now)


def _renewed(before: Lead, after: Lead) -> bool:
    """Whether the owner before has it still, and owes more since its score has risen."""
    since = [(lead.state, lead.cycle, lead.reopened_at) for lead in (before, after)]
    return (
        after.state == "assigned"
        and since[0] == since[1]
        and before.rep == after.rep
        and after.generation == before.generation + 1
    )


def _over(before: Lead, after: Lead) -> bool:
    """Whether the owner before no longer has it; one who closed it is still its last."""
    return after.generation != before.generation or (
        before.state in ("assigned", "closed") and after.state not in ("assigned", "closed")
    )
