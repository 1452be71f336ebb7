"""The recorded outcome of each lead, tracked verdict by verdict. A change is compared with it.

It also provides the clock for replays: if the same thing is about to happen in one, it happens at the recorded time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import AvailabilityChange, Leave, RepState, leave_ahead
from services.router.domain.facts import Fact
from services.router.domain.formats import OLDEST_FORMAT
from services.router.domain.lead import (
    InquiryCopy,
    Lead,
    comes_before,
    consent_given_at,
    followed_by,
    latest,
)
from services.router.domain.merging import concerns_heir, passed_on, with_consent_of
from services.router.domain.owner_leave import with_leave
from services.router.domain.proof import comes_too_late, withdraws_early
from services.router.domain.routing_state import RoutingState
from services.router.domain.splitting import split
from services.router.domain.verdict import had_it
from services.router.simulation.record_reader import RecordedVerdict, RecordRow
from services.router.simulation.recorded_lead import (
    NO_COMPANY,
    NO_CONTACT,
    after_joining,
    lead_after,
    merged_into,
    one_person_since,
)
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import ReplayedLead
from services.router.simulation.summary import LeadOutcome, reason_text
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded
from shared.domain.leave import changed
from shared.domain.promises import owed, respond_by


class History:
    """Follows the record. `in_force` is the agreement that its last verdicts were made under, `proof_format` the newest
    format of its verdicts; `waiting` counts the leads that waited for each pool.
    """

    def __init__(self, state: ReplayState) -> None:
        self.state = state
        self.in_force: Agreement | None = None
        self.proof_format = OLDEST_FORMAT
        self.waiting: dict[str, int] = {}
        self._leave: dict[str, tuple[Leave, ...]] = {}

    def learn_rules(self, rows: Sequence[RecordRow], agreements: Mapping[str, Agreement]) -> None:
        """Learn from verdicts which agreement was in force, and the format. Those that an earlier release made on leads
        of a pilot do not name it.
        """
        self.state.agreements.update(agreements)
        for row in rows:
            if row.verdict is not None:
                self.proof_format = max(self.proof_format, row.verdict.format)
                in_force = row.verdict.in_force or (row.verdict.agreement if row.verdict.pilot is None else None)
                if in_force is not None:
                    self.in_force = self.state.agreements[in_force.hash]

    def follow(self, rows: Sequence[RecordRow]) -> None:
        """Apply what was recorded at one instant."""
        facts: list[ActivityRecorded] = []
        asked: list[str] = []
        for row in rows:
            if row.verdict is not None:
                if row.verdict.again:
                    self._apply_facts(facts, asked, row.at)
                    facts, asked = [], []
                if row.verdict.inquiry is not None and row.verdict.ask is None:
                    asked += [str(row.lead_id), row.verdict.inquiry.lead_id]
                self._apply_verdict(str(row.lead_id), row.verdict)
            elif row.absence is not None:
                self._take_leave(row.absence, row.at)
            elif row.copy is not None:
                asked += [row.copy.lead_id, *row.copy.backdated]
                self._backdate(row.copy, row.at)
            elif row.fact is not None:
                if self.state.add_fact(row.fact):
                    facts.append(row.fact)
                else:
                    self.state.add_early(row.fact)
        self._apply_facts(facts, asked, rows[0].at)

    def outcome(self, replayed: ReplayedLead, now: datetime) -> LeadOutcome:
        """The outcome of the lead at `now`; its deadline, which is not in the proof, is computed again."""
        lead = replayed.lead
        if lead.rep is not None and lead.assigned_at is not None:
            agreement = self.state.agreements[lead.agreement.hash]
            found = owed(
                agreement,
                rep=lead.rep,
                score=lead.score,
                assigned_at=lead.assigned_at,
                leave=lead.owner_leave,
                segments=lead.segments,
            )
            replayed.lead = replace(lead, respond_by=respond_by(found))
        return self.state.outcome(replayed, now)

    def _apply_facts(self, facts: Sequence[ActivityRecorded], asked: Sequence[str], now: datetime) -> None:
        """Apply the facts, and those that waited for the leads under which someone `asked`."""
        starts = {lead_id: lead.received_at for lead_id in asked if (lead := self._goes_on(lead_id)) is not None}
        for fact in (*facts, *self.state.take_early(starts)):
            lead = self._goes_on(fact.lead_id)
            if lead is None or fact.kind == "declined" or comes_too_late(lead, fact, self.proof_format):
                continue
            if not concerns_heir(fact, self.state.chain(fact.lead_id)):
                continue
            early = comes_before(lead, fact)
            if early:
                self.state.add_early(fact)
            if not early or withdraws_early(fact, self.proof_format):
                self._follow(lead, fact, now)

    def _follow(self, lead: Lead | None, fact: Fact, now: datetime) -> None:
        after = followed_by(lead, fact, now) if lead is not None else None
        if after is not None:
            self._change(after, now)

    def _goes_on(self, lead_id: str) -> Lead | None:
        """The lead with this id, or the one that it became part of."""
        return next((lead for lead in self.state.chain(lead_id) if lead.into is None), None)

    def _apply_verdict(self, lead_id: str, verdict: RecordedVerdict) -> None:
        before = self.state.lead(lead_id)
        if verdict.verdict == "split" and before is not None:
            self._split(before, verdict)
        elif verdict.stays is not None and before is not None:
            self._change(before, verdict.decided_at, asked=True)
        elif verdict.verdict == "merged" and verdict.ask is not None and before is not None:
            merged = self.state.lead(verdict.same_person[0].lead_id)
            self._change(before if merged is None else with_consent_of(before, merged), verdict.decided_at)
        elif verdict.verdict == "merged" and before is not None:
            self._change(after_joining(before, verdict), verdict.decided_at, asked=True)
        else:
            agreement = self.state.agreements[verdict.agreement.hash]
            lead = self._with_leave(
                lead_after(lead_id, verdict, before, agreement), before, agreement, verdict.decided_at
            )
            self._change(lead, verdict.decided_at, reason_text(verdict), asked=verdict.ask is None)
        self._add_consent(lead_id, verdict)
        self._merge_others(lead_id, verdict)

    def _take_leave(self, absence: AvailabilityChange, now: datetime) -> None:
        """The rep's leave changed, and with it the deadlines of the leads that they have."""
        self._leave[absence.rep] = absence.leave
        if self.in_force is None:
            return
        for lead_id in self.state.assigned_to([absence.rep]):
            lead = self.state.lead(lead_id)
            if lead is not None:
                agreement = self.state.agreements[lead.agreement.hash]
                after = with_leave(lead, RepState(leave=absence.leave), self.in_force, agreement, now)
                if after is not lead:
                    self._change(after, now)

    def _with_leave(self, lead: Lead, before: Lead | None, agreement: Agreement, now: datetime) -> Lead:
        """The lead with the leave of its owner, as the router knew it then."""
        if lead.state != "assigned" or lead.rep is None or lead.assigned_at is None:
            return replace(lead, owner_leave=())
        leave = leave_ahead(agreement.people[lead.rep], RepState(leave=self._leave.get(lead.rep, ())), now)
        known = before.owner_leave if before is not None and had_it(before, lead.rep) else leave
        return replace(lead, owner_leave=changed(known, leave, lead.assigned_at))

    def _split(self, lead: Lead, verdict: RecordedVerdict) -> None:
        """An id is a lead of its own again; who gets it, unless it is closed, says a further verdict."""
        other = self._goes_on(lead.lead_id)
        assert other is not None and verdict.inquiries and verdict.ask, "it was split"  # noqa: S101, PT018
        parted, why = RoutingState(), {lead.lead_id: reason_text(verdict)}
        split(parted, lead, other, verdict.inquiries, verdict.ask, verdict.decided_at)
        for each in parted.changed.values():
            anonymous = replace(each, contact=NO_CONTACT, company=NO_COMPANY, signals=(), other_keys=())
            self._change(anonymous, verdict.decided_at, why.get(each.lead_id, ""))

    def _add_consent(self, lead_id: str, verdict: RecordedVerdict) -> None:
        """The consent that the inquiry, or another lead of the person, gave or withdrew."""
        lead = self.state.lead(lead_id)
        if lead is None or verdict.inquiry is None or verdict.ask is not None:
            return
        others = [self.state.lead(other.lead_id) for other in verdict.same_person]
        persons = [lead, *(other for other in others if other is not None)]
        given_at = latest((consent_given_at(verdict.inquiry), *(each.consent_at for each in persons)))
        withdrawn_at = latest((verdict.withdrawn_at, *(each.withdrawn_at for each in persons)))
        if (given_at, withdrawn_at) != (lead.consent_at, lead.withdrawn_at):
            self._change(replace(lead, consent_at=given_at, withdrawn_at=withdrawn_at), verdict.decided_at)

    def _backdate(self, copy: InquiryCopy, now: datetime) -> None:
        for lead_id in copy.backdated:
            lead = self.state.lead(lead_id)
            if lead is not None:
                self._change(replace(lead, received_at=copy.accepted_at), now)

    def _merge_others(self, lead_id: str, verdict: RecordedVerdict) -> None:
        """Other ids of the person become part of this lead."""
        joined = verdict.same_person if verdict.verdict != "split" else ()
        others = {other.lead_id for other in joined if other.state != "merged"}
        inquiry = verdict.inquiry if verdict.ask is None else None
        if inquiry is not None and inquiry.lead_id != lead_id and self.state.lead(inquiry.lead_id) is None:
            survivor = self.state.lead(lead_id)
            assert survivor is not None, "it was just stored"  # noqa: S101
            link = replace(survivor, lead_id=inquiry.lead_id, generation=0, state="received")
            self._change(merged_into(link, lead_id, was=None), verdict.decided_at, asked=True)
        leads = [known for other in sorted(others - {lead_id}) if (known := self.state.lead(other)) is not None]
        ended = [known for known in leads if known.state != "merged"]
        for known in ended:
            was, since = (known.state, one_person_since(verdict)) if not known.test else (None, None)
            self._change(merged_into(known, lead_id, was=was, since=since), verdict.decided_at)
        survivor = self.state.lead(lead_id)
        answered_at = latest(each.answered_at for each in (survivor, *ended) if each is not None)
        if survivor is not None and answered_at != survivor.answered_at:
            self._change(replace(survivor, answered_at=answered_at), verdict.decided_at)
        for known in ended:
            for fact in passed_on(known, None if known.test else one_person_since(verdict)):
                self._follow(self.state.lead(lead_id), fact, verdict.decided_at)

    def _change(self, lead: Lead, now: datetime, reason: str = "", *, asked: bool = False) -> None:
        for each, step in ((self.state.lead(lead.lead_id), -1), (lead, 1)):
            if each is not None and each.state == "parked" and each.pool is not None:
                self.waiting[each.pool] = self.waiting.get(each.pool, 0) + step
        self.state.change(lead, now, reason, asked=asked)
