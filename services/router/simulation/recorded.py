"""The past as it was: what the record says became of each lead, followed verdict by verdict.

It is what a change is compared with, and lends replays its clock: what is about to happen in a replay, and was about
to happen in the same way then, happens when it happened then.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.router.domain.handover import held
from services.router.domain.lead import Lead, first_received_at, followed_by
from services.router.domain.simulation import Outcome, why
from services.router.simulation.book import Book
from services.router.simulation.keeping import Standing
from services.router.simulation.past import Row, Told
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded
from shared.domain.lead import Company, Contact

NOBODY, NOWHERE = Contact(), Company()


class Recorded:
    """Follows the record. `in_force` is the agreement that its last verdicts were made under, `waiting` counts the
    leads that waited for each pool.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.in_force: Agreement | None = None
        self.waiting: dict[str, int] = {}

    def under(self, rows: Sequence[Row], agreements: Mapping[str, Agreement]) -> None:
        """Learn from verdicts which agreement they were made under. Those on leads of a pilot don't tell."""
        self.book.agreements.update(agreements)
        for row in rows:
            if row.told is not None and row.told.pilot is None:
                self.in_force = self.book.agreements[row.told.agreement.hash]

    def follow(self, rows: Sequence[Row]) -> None:
        """What was recorded at one instant."""
        heard: list[ActivityRecorded] = []
        asked: list[str] = []
        for row in rows:
            if row.told is not None:
                if row.told.inquiry is not None and row.told.ask is None:
                    asked += [str(row.lead_id), row.told.inquiry.lead_id]
                self._decided(str(row.lead_id), row.told)
            elif row.fact is not None and self.book.hear(row.fact):
                heard.append(row.fact)
        starts = {lead_id: lead.received_at for lead_id in asked if (lead := self._goes_on(lead_id)) is not None}
        for fact in (*heard, *self.book.take_early(starts)):
            lead = self._goes_on(fact.lead_id)
            after = followed_by(lead, fact, rows[0].at) if lead is not None and fact.kind != "declined" else None
            if after is not None:
                self._change(after, rows[0].at)

    def outcome(self, standing: Standing, now: datetime) -> Outcome:
        """What became of the lead by `now`; its deadline, which no proof holds, is worked out as it was then."""
        lead = standing.lead
        if lead.rep is not None and lead.assigned_at is not None:
            agreement = self.book.agreements[lead.agreement.hash]
            person = agreement.people[lead.rep]
            again = held(agreement, lead, person, lead.pool or "", lead.rule or "", lead.assigned_at)
            standing.lead = replace(lead, respond_by=again.respond_by)
        return self.book.outcome(standing, now)

    def _goes_on(self, lead_id: str) -> Lead | None:
        """The lead with this id, or the one that it became part of."""
        return next((lead for lead in self.book.chain(lead_id) if lead.into is None), None)

    def _decided(self, lead_id: str, told: Told) -> None:
        known = self.book.leads.get(lead_id)
        before = known.lead if known is not None else None
        said = why(
            told.verdict,
            told.reason,
            ask=told.ask,
            rule=told.rule,
            rep=told.rep,
            turn=told.turn.why if told.turn is not None else None,
        )
        if told.verdict == "merged" and before is not None:
            self._change(_joined(before, told), told.decided_at, asked=True)
        else:
            lead = _lead(lead_id, told, before, self.book.agreements[told.agreement.hash])
            self._change(lead, told.decided_at, said, asked=told.ask is None)
        self._cease(lead_id, told)

    def _cease(self, lead_id: str, told: Told) -> None:
        """Other ids of the person become part of this lead."""
        others = {other.lead_id for other in told.same_person if other.state != "merged"}
        inquiry = told.inquiry if told.ask is None else None
        if inquiry is not None and inquiry.lead_id != lead_id:
            known = self.book.leads.get(inquiry.lead_id)
            if known is None:
                survivor = self.book.leads.get(lead_id)
                assert survivor is not None, "it was just kept"  # noqa: S101
                link = replace(survivor.lead, lead_id=inquiry.lead_id, generation=0, state="received")
                self._change(_part_of(link, lead_id), told.decided_at, asked=True)
        for other in others - {lead_id}:
            known = self.book.leads.get(other)
            if known is not None and known.lead.state != "merged":
                self._change(_part_of(known.lead, lead_id), told.decided_at)

    def _change(self, lead: Lead, now: datetime, reason: str = "", *, asked: bool = False) -> None:
        known = self.book.leads.get(lead.lead_id)
        for each, step in ((known.lead if known is not None else None, -1), (lead, 1)):
            if each is not None and each.state == "parked" and each.pool is not None:
                self.waiting[each.pool] = self.waiting.get(each.pool, 0) + step
        self.book.change(lead, now, reason, asked=asked)


def _joined(lead: Lead, told: Told) -> Lead:
    assert told.inquiry is not None and told.before is not None, "an inquiry joined a lead"  # noqa: S101, PT018
    return replace(lead, received_at=first_received_at(replace(lead, cycle=told.before.cycle), told.inquiry))


def _part_of(lead: Lead, into: str) -> Lead:
    return replace(lead, state="merged", into=into, rep=None, parked_at=None, respond_by=None)


def _lead(lead_id: str, told: Told, before: Lead | None, agreement: Agreement) -> Lead:
    """The lead after a verdict, without what tells who the buyer is."""
    inquiry = told.inquiry
    afresh: dict[str, Any] = {}
    if told.ask is None and inquiry is not None:
        afresh = {"received_at": inquiry.accepted_at, "channel": inquiry.channel, "campaign": inquiry.campaign}
    before = before or _first(lead_id, told, afresh)
    owned = told.verdict in ("assigned", "reassigned")
    pool = None if told.verdict == "rejected" else _pool(told, before, agreement)
    # Somebody asked for it: the rule by which it waits stays that of its last owner's.
    rule = before.rule if told.ask is not None and not owned else told.rule
    return replace(
        before,
        version=before.version + 1,
        state="assigned" if owned else told.verdict,
        stage=told.stage,
        score=told.score,
        rep=told.rep if owned else None,
        last_rep=told.rep if owned else before.last_rep,
        pool=pool,
        rule=rule if told.verdict != "rejected" else None,
        generation=before.generation + owned,
        assigned_at=told.decided_at if owned else None if told.ask is None else before.assigned_at,
        parked_at=told.decided_at if told.verdict == "parked" else None,
        updated_at=told.decided_at,
        agreement=told.agreement,
        pilot=told.pilot,
        outcome=None if told.ask is None else before.outcome,
        **afresh,
    )


def _first(lead_id: str, told: Told, afresh: dict[str, Any]) -> Lead:
    assert told.inquiry is not None, "a lead begins with an inquiry"  # noqa: S101
    return Lead(
        lead_id=lead_id,
        version=0,
        state="received",
        stage="",
        score=0,
        reason="",
        inquiry_id=told.inquiry.inquiry_id,
        contact=NOBODY,
        company=NOWHERE,
        updated_at=told.decided_at,
        agreement=told.agreement,
        **afresh,
    )


def _pool(told: Told, before: Lead, agreement: Agreement) -> str:
    """The pool in which the lead is after the verdict; no proof names it unless somebody took a turn."""
    if told.turn is not None:
        return told.turn.pool
    if told.verdict == "parked":
        if told.ask is not None and (told.ask.to_pool or before.pool in agreement.pools):
            return told.ask.to_pool or str(before.pool)
        return str(next(route.pool for route in agreement.routing if route.name == told.rule))
    mine = [name for name, pool in agreement.pools.items() if told.rep in pool.members]
    same = told.account.pool if told.account is not None and _asks_account(told, agreement) else before.pool
    return str(same) if same in mine else next(iter(mine), "")


def _asks_account(told: Told, agreement: Agreement) -> bool:
    route = next((each for each in agreement.routing if each.name == told.rule), None)
    return route is not None and route.owner == "account"
