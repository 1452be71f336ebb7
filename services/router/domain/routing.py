"""What the router decides in one transaction. There is one implementation: a running router calls it on its database,
and a simulation on the past that it replays.

Each call looks up what it needs (`Lookup`), decides, and changes the `RoutingState`, so that the next decision sees its
result. What must be saved at the end is in the state and in the lists of `Routing`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from services.router.domain.accounts import keys_of
from services.router.domain.availability import AvailabilityChange, Hold, Leave
from services.router.domain.company_owners import CompanyOwners
from services.router.domain.decision import decide
from services.router.domain.facts import Fact
from services.router.domain.formats import EARLY_WITHDRAWALS, FORMAT, LAST_WORD
from services.router.domain.journal import JournalEntry, JournalKind
from services.router.domain.lead import (
    HELD,
    InquiryCopy,
    Lead,
    LeadsRejudged,
    backdated,
    comes_before,
    consent_given_at,
    followed_by,
)
from services.router.domain.lead_loader import LeadLoader
from services.router.domain.lookup import Lookup
from services.router.domain.merging import concerns_heir, merge, passed_on_by, refuse_wrong_merge
from services.router.domain.owner_leave import held_by, moves_on_leave, rescheduled, to_relieve
from services.router.domain.parked import Rerouted, RoutingKey, pools_with_capacity, routing_key
from services.router.domain.proof import ON_LEAVE, OTHERS_GET_IT, ReassignReason, comes_too_late, withdraws_early
from services.router.domain.reassignment import departed_reps, reason_in, reassign
from services.router.domain.rejudgement import judge_again, may_be_judged_again
from services.router.domain.routing_state import RoutingState
from services.router.domain.shadow import Shadow, shadows
from services.router.domain.splitting import shared_out, split
from services.router.domain.verdict import Verdict, backdated_event, closed_event
from shared.domain.activities import ANSWERS, CHANGES_LEAD, WITHDRAWN
from shared.domain.agreement import Agreement
from shared.domain.errors import Conflict
from shared.domain.events import ActivityRecorded, Event, InquiryReceived, LeadBackdated

PAGE = 200
MAX_LEADS = 1000
"""How many parked leads of a pool, or leads of departed reps, one call looks at, so that a transaction stays short."""


class Routing:
    """The router's decisions at one instant, `now`, under the agreement in force. Every method changes `state`.

    `verdicts` and `journal` are what was decided and received, in the order of the record; `shadows` what drafts would
    have decided; `early_facts` are from before their lead, and wait for it. `events` announce what was decided, in
    order, and `backdated` come before them. `proof_format` says by which rules to decide.
    """

    def __init__(
        self, state: RoutingState, lookup: Lookup, agreement: Agreement, now: datetime, *, proof_format: int = FORMAT
    ) -> None:
        self.state = state
        state.proof_format = proof_format
        self.agreement = agreement
        self.now = now
        self.verdicts: list[Verdict] = []
        self.journal: list[JournalEntry] = []
        self.shadows: list[Shadow] = []
        self.early_facts: list[ActivityRecorded] = []
        self.backdated: list[LeadBackdated] = []
        self.events: list[Event] = []
        self._lookup = lookup
        self._owners = CompanyOwners(state, lookup, agreement)
        self._leads = LeadLoader(state, lookup, self._owners)
        self._inquiries: dict[str, InquiryReceived] = {}
        self._asked: dict[str, InquiryReceived] = {}
        self._withdrawn_at: Mapping[str, datetime] = {}

    def judge(self, inquiries: Sequence[InquiryReceived]) -> None:
        """Decide on each inquiry in order, after the parked leads."""
        self._leads.load_persons(inquiries)
        if self.state.proof_format >= EARLY_WITHDRAWALS:
            self._withdrawn_at = self._leads.early_withdrawals(inquiries)
        self.drain()
        for inquiry in inquiries:
            self._judge(inquiry)
        self._give_to_owners()
        self._follow(self._lookup.take_early_facts(self.state.starts_of(inquiries)))
        if self.state.ended:
            self.drain()

    def backdate(self, copies: Sequence[InquiryCopy]) -> bool:
        """Let leads start with copies that were accepted before those that were judged; whether any does."""
        self._leads.load({copy.lead_id for copy in copies})
        early = [copy for copy in copies if self._starts_later(copy)]
        judged = self._lookup.accepted_at(early) if early else {}
        moved = [copy for copy in early if copy.inquiry_id in judged and self._backdate(copy, judged[copy.inquiry_id])]
        if moved:
            self._follow(self._lookup.take_early_facts(self.state.starts_of(moved)))
            self.drain()
        return bool(moved)

    def apply(self, facts: Sequence[ActivityRecorded]) -> None:
        """Record what sales did, and change the leads that it is about."""
        for fact in facts:
            self.record("activity", fact)
        kinds = (*CHANGES_LEAD, *ANSWERS) if moves_on_leave(self.agreement) else CHANGES_LEAD
        facts = [fact for fact in facts if fact.kind in kinds]
        if not facts:
            return
        self._leads.load({fact.lead_id for fact in facts})
        early = [fact for fact in facts if comes_before(self.state.lead(fact.lead_id), fact)]
        self.early_facts += early
        self._follow([fact for fact in facts if fact not in early or withdraws_early(fact, self.state.proof_format)])
        self.drain()

    def move_missed(self, missed: Sequence[tuple[str, int]]) -> None:
        """Move leads whose owner missed the promise, each given with the generation that missed it: a lead that has
        moved on meanwhile stays.
        """
        self._leads.load({lead_id for lead_id, _ in missed})
        for lead_id, generation in missed:
            lead = self.state.lead(lead_id)
            known = (lead_id, "assigned", generation)
            if lead is not None and (lead.lead_id, lead.state, lead.generation) == known:
                self._reassign(lead, ReassignReason("missed"))
        self.drain()

    def move(self, lead_id: str, reason: ReassignReason) -> Verdict | None:
        """Move a lead on a person's request; returns the verdict, or None if no rep is available and it keeps waiting.

        Raises `NotFound`, `Conflict` if the lead is neither assigned nor parked, and `Refused` if the named rep
        cannot own it.
        """
        self._leads.load([lead_id])
        lead = self._leads.known(lead_id)
        if lead.state not in HELD:
            raise Conflict(f"The lead is {lead.state}. Only assigned or parked leads can be moved.")
        verdict = self._reassign(lead, reason)
        self.drain()
        return verdict

    def merge(self, lead_id: str, into_id: str, reason: ReassignReason) -> Lead:
        """Let a lead go on as another, because a person says that both are of one person; returns that one.

        Raises `NotFound`, and `Conflict` if they are one lead already or one is of tests only.
        """
        self._leads.load([lead_id, into_id])
        lead, into = self._leads.known(lead_id), self._leads.known(into_id)
        refuse_wrong_merge(lead, into)
        verdict = merge(self.state, lead, into, reason, self.now)
        self._add(verdict)
        self.drain()
        return verdict.lead

    def split(self, lead_id: str, reason: ReassignReason) -> Lead:
        """Let an id that became part of a lead be a lead of its own again, because a person says so; returns it.
        Raises `NotFound`, and `Conflict` if it is part of no lead or its inquiries are no longer stored.
        """
        self._leads.load([lead_id])
        lead, other = self.state.leads.get(lead_id), self._leads.known(lead_id)
        if lead is None or lead.into is None:
            raise Conflict(f"Lead {lead_id} is part of no other lead, so there is nothing to split.")
        found = self._lookup.all_inquiries([each.lead_id for each in self.state.chain(lead_id)])
        self._leads.load({each.lead_id for each in found})
        inquiries = shared_out(self.state, lead, found)
        self._add(split(self.state, lead, other, inquiries, reason, self.now))
        self._give_again(lead_id, inquiries.theirs[-1], reason)
        self._give_again(other.lead_id, inquiries.others[-1], reason)
        self.drain()
        return self._leads.known(lead_id)

    def _give_again(self, lead_id: str, inquiry: InquiryReceived, reason: ReassignReason) -> None:
        """Give one of two leads that were split to its owner, or judge what its own person gave if it has none. One
        that has ended stays so, and one that waits.
        """
        lead = self._leads.known(lead_id)
        if lead.state in ("assigned", "received") and lead.rep is not None:
            self._reassign(lead, reason, inquiry)
        elif lead.state == "received":
            self._leads.load_persons([inquiry])
            owner = self._owners.of(keys_of(inquiry.company, inquiry.contact))
            self._add(decide(self.state, self.agreement, replace(inquiry, lead_id=lead_id), self.now, owner))

    def set_absence(self, rep: str, hold: Hold | None, leave: tuple[Leave, ...]) -> None:
        """Set the rep's hold and days off. Unless this only put them on hold, parked leads get their chance."""
        before = self.state.state(rep)
        self.state.set_state(rep, replace(before, hold=hold, leave=leave))
        self.record("availability", AvailabilityChange(rep, hold, leave))
        if leave != before.leave and before.open:
            held = held_by(rep, self.state, self._lookup)
            for lead, event in rescheduled(held, self.state.state(rep), self.agreement, self._lookup, self.now):
                self.state.save(lead)
                self.events.append(event)
        self.relieve()
        if hold is None or hold == before.hold:
            self.drain()

    def relieve(self, spared: Callable[[str], bool] = lambda _: False) -> None:
        """Move up to 200 leads that nobody answered before their owner went on leave, but for `spared` ones."""
        for lead in list(islice(to_relieve(self.agreement, self.state, self._lookup, self.now, spared), PAGE)):
            self._reassign(lead, ReassignReason(ON_LEAVE))

    def reassign_departed(self) -> bool:
        """Reassign leads of reps who left the team; whether there may be more than one call takes."""
        departed = departed_reps(self.agreement, self.state)
        if not departed:
            return False
        found = self._lookup.assigned_to(departed, MAX_LEADS)
        self._leads.add(found)
        for lead_id in [lead.lead_id for lead in found]:
            lead = self.state.lead(lead_id)
            if lead is not None and lead.state == "assigned" and lead.rep in departed:
                self._reassign(lead, ReassignReason("left"))
        return len(found) == MAX_LEADS

    def drain(self, only: Collection[str] | None = None) -> None:
        """Assign parked leads to available reps; `only` restricts the pools, None means all."""
        for pool in list(pools_with_capacity(self.agreement, self.state, self.now)):
            if only is None or pool in only:
                self._drain_pool(pool)
        self._give_to_owners()

    def reroute_parked(self, after: Rerouted | None = None) -> Rerouted | None:
        """Try the parked leads, those behind `after`, because another version of the agreement may route them
        elsewhere; returns how far it came, None at the end.
        """
        for pool in sorted(name for name, waiting in self.state.waiting.items() if waiting > 0):
            if after is None or pool >= after.pool:
                last = self._drain_pool(pool, after.last if after is not None and after.pool == pool else None)
                if last is not None:
                    return Rerouted(pool, last)
        return None

    def judge_again(self, batch: LeadsRejudged) -> list[tuple[Lead, Verdict | None]]:
        """Judge leads again, after the parked leads; returns what `judge_each_again` does."""
        self.record("rejudged", batch)
        self.drain()
        judged = self.judge_each_again(batch)
        self._give_to_owners()
        return judged

    def judge_each_again(self, batch: LeadsRejudged) -> list[tuple[Lead, Verdict | None]]:
        """Judge leads again; returns each as it was with its verdict, None if nothing changes. Leads that may not be
        judged again, or whose inquiry was trimmed, are left out.
        """
        self._leads.load(batch.lead_ids)
        known = [lead for lead_id in batch.lead_ids if (lead := self.state.leads.get(lead_id)) is not None]
        leads = [lead for lead in known if may_be_judged_again(lead, batch)]
        inquiries = self._lookup.inquiries(leads)
        self._owners.load([keys_of(lead.company, lead.contact) for lead in leads])
        cause = ReassignReason("rejudged", by=batch.by, reason=batch.reason)
        judged: list[tuple[Lead, Verdict | None]] = []
        for lead in leads:
            found = inquiries.get(lead.lead_id)
            if not found or found[0].test:
                continue
            own, others, owner = found[0], found[1:], self._owners.of_lead(lead)
            verdict = judge_again(self.state, self.agreement, cause, lead, own, self.now, owner, others=others)
            if verdict is not None:
                self._add(verdict)
            judged.append((lead, verdict))
        return judged

    def record(
        self, kind: JournalKind, body: ActivityRecorded | AvailabilityChange | InquiryCopy | LeadsRejudged | None = None
    ) -> None:
        """Add an entry other than a verdict to the record."""
        self.journal.append(JournalEntry(self.state.next_seq(), self.now, kind, body))

    def _give_to_owners(self) -> None:
        """Try leads that wait, of companies that got an owner: they need not wait for someone of their pool."""
        while (companies := self._owners.take_new()) and any(self.state.waiting.values()):
            self._leads.load(self._lookup.parked_of(companies))
            waiting = [lead for _, lead in sorted(self.state.leads.items()) if lead.state == "parked"]
            self._owners.load([keys_of(lead.company, lead.contact) for lead in waiting])
            for lead in waiting:
                if self._owners.of_lead(lead) is not None:
                    self._reassign(lead, ReassignReason("drained"))

    def _starts_later(self, copy: InquiryCopy) -> bool:
        return any(copy.accepted_at < lead.received_at for lead in self.state.chain(copy.lead_id))

    def _backdate(self, copy: InquiryCopy, judged: datetime) -> bool:
        """Backdate the lead of the copy, and the lead that it became part of; whether either changed."""
        changed = [backdated(lead, copy, judged, self.now) for lead in self.state.chain(copy.lead_id)]
        leads = [lead for lead in changed if lead is not None]
        for lead in leads:
            self.state.save(lead)
            self.backdated.append(backdated_event(lead, copy))
        if leads:
            self.record("copy", replace(copy, backdated=tuple([lead.lead_id for lead in leads])))
        return bool(leads)

    def _judge(self, inquiry: InquiryReceived, *, again: bool = False) -> None:
        self._asked[inquiry.inquiry_id] = inquiry
        owner = self._owners.of(keys_of(inquiry.company, inquiry.contact))
        withdrawn_at = self._withdrawn_at.get(inquiry.inquiry_id)
        verdict = decide(self.state, self.agreement, inquiry, self.now, owner, withdrawn_at=withdrawn_at)
        self._add(replace(verdict, proof=replace(verdict.proof, again=again)) if again else verdict)
        self._follow(passed_on_by(verdict.proof, inquiry))
        lead = self.state.leads[verdict.lead.lead_id]
        if verdict.raises_score and lead.state == "assigned":
            self._reassign(lead, ReassignReason("rescored"), inquiry)

    def _follow(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            lead = self.state.lead(fact.lead_id)
            if lead is None or not concerns_heir(fact, self.state.chain(fact.lead_id)):
                continue
            if comes_too_late(lead, fact, self.state.proof_format) or self._given_by(fact, lead):
                continue
            after = followed_by(lead, fact, self.now)
            if after is None:
                continue
            self.state.save(after)
            if fact.kind == WITHDRAWN:
                self.events.append(closed_event(after, fact))
            if not self._given_by(fact, after) and lead.state in HELD and after.after_end:
                self._judge_again(after)

    def _judge_again(self, lead: Lead) -> None:
        """Judge the inquiries that joined the lead although sales had ended it before, as if that had been known. What
        was read of it after the first of them stays with the cycle before.
        """
        ids = [each.inquiry_id for each in lead.after_end]
        read = {each.inquiry_id: each for each in self._lookup.joined(lead, ids)} | self._asked
        inquiries = [read[inquiry_id] for inquiry_id in ids if inquiry_id in read]
        if lead.consent_at is not None and lead.consent_at in map(consent_given_at, inquiries):
            self.state.save(replace(lead, consent_at=None))
        self._leads.load_persons(inquiries)
        self.drain()
        for inquiry in inquiries:
            self._judge(inquiry, again=True)
        self._give_to_owners()

    def _given_by(self, fact: Fact, lead: Lead) -> bool:
        """Give the lead to someone if that is what the fact means; whether it is."""
        reason = reason_in(lead, fact)
        if reason is None or (reason.kind == "reopened" and self.state.proof_format < LAST_WORD):
            return False
        # The inquiry on which an ended lead was judged may have been trimmed.
        copy = InquiryCopy(lead.lead_id, lead.inquiry_id, lead.received_at)
        if lead.state in HELD or lead.lead_id in self._inquiries or self._lookup.accepted_at([copy]):
            self._reassign(lead, reason)
        return True

    def _drain_pool(self, pool: str, after: Lead | None = None) -> Lead | None:
        """Try a bounded number of leads that wait for the pool, the longest waiting behind `after` first, then those
        that this transaction changed; returns the last one if there may be more.
        """
        changed = [lead for lead in self.state.changed.values() if lead.state == "parked" and lead.pool == pool]
        ids = {lead.lead_id for lead in changed}
        stuck: set[RoutingKey] = set()
        seen = 0
        while seen < MAX_LEADS and self.state.waiting.get(pool, 0) > 0:
            page = self._lookup.parked(pool, after, PAGE)
            self._drain_leads(pool, [lead for lead in page if lead.lead_id not in ids], stuck)
            after, seen = (page[-1], seen + len(page)) if len(page) == PAGE else (None, MAX_LEADS)
        self._drain_leads(pool, sorted(changed, key=lambda lead: lead.lead_id), stuck)
        return after if seen >= MAX_LEADS else None

    def _drain_leads(self, pool: str, leads: Sequence[Lead], stuck: set[RoutingKey]) -> None:
        """A rule without an available rep does not hold up leads of other rules; it is added to the `stuck` ones."""
        for waiting in leads:
            key = routing_key(self.agreement, waiting)
            if key is not None and key in stuck:
                continue
            self._leads.load([waiting.lead_id])
            lead = self.state.lead(waiting.lead_id)
            if lead is None or lead.state != "parked" or lead.pool != pool:
                continue
            verdict = self._reassign(lead, ReassignReason("drained"))
            if verdict is None and key is not None:
                stuck.add(key)

    def _reassign(self, lead: Lead, reason: ReassignReason, inquiry: InquiryReceived | None = None) -> Verdict | None:
        inquiry = inquiry or self._inquiries.get(lead.lead_id) or self._lookup.inquiry(lead)
        account = self._owners.of_lead(lead) if reason.kind in OTHERS_GET_IT else None
        verdict = reassign(self.state, self.agreement, reason, lead, inquiry, self.now, account)
        if verdict is not None:
            self._add(verdict)
        return verdict

    def _add(self, verdict: Verdict) -> None:
        in_force = self.agreement.ref if verdict.proof.agreement.hash != self.agreement.hash else None
        verdict = replace(verdict, proof=replace(verdict.proof, seq=self.state.next_seq(), in_force=in_force))
        self.verdicts.append(verdict)
        self.events += (verdict.event, *verdict.further_events)
        lead, proof = verdict.lead, verdict.proof
        if proof.ask is None and proof.inquiry is not None and lead.inquiry_id == proof.inquiry.inquiry_id:
            self._inquiries[lead.lead_id] = proof.inquiry
        if self.agreement.pilots:
            self.shadows += shadows(self.state, self.agreement, verdict)
        self._owners.add(lead)
