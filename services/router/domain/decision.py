"""The verdict on an inquiry: the lead before and after it, the event, and the proof.

Every inquiry ends assigned, parked, rejected or merged. If the person's lead has an owner, the inquiry is merged into
it and the owner stays, no matter which address or number they used. A person who was rejected, or whose lead is closed,
is judged again; if the inquiry is rejected then, a closed lead stays as it was. A test inquiry is judged completely, as
if from someone new, and changes nothing but a lead of tests.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.asked import (
    Asked,
    about_person,
    joined,
    judged,
    other_keys,
    rejected_before,
    remembered,
    scored_again,
)
from services.router.domain.availability import RepState, leave_ahead
from services.router.domain.formats import BOTH_LEADS_END, FORMAT, OLDEST_FORMAT, WHOLE_PERSON
from services.router.domain.lead import HELD, Lead, filled, first_received_at, remembered_signals
from services.router.domain.merging import absorb
from services.router.domain.placement import Placement, last_owner, place, recorded
from services.router.domain.proof import CONSENT_WITHDRAWN, Proof, VerdictKind
from services.router.domain.qualification import Judgement, arms_for, pilot_for
from services.router.domain.reassignment import agreement_for
from services.router.domain.routing_state import Owner, RoutingState
from services.router.domain.same_person import MAX_SHARING, apart, one_person
from services.router.domain.verdict import Verdict, assigned_event, decided_event, parked_event, with_owner
from shared.domain.agreement import Agreement, Person
from shared.domain.conditions import DecisionFacts
from shared.domain.events import AgreementRef, InquiryReceived, LeadAssigned, LeadMerged, LeadRejected

_GIVEN = ("contact", "company", "kind", "source", "message")
"""What the event of an inquiry that joins a lead has of it."""


def decide(
    routing: RoutingState,
    agreement: Agreement,
    inquiry: InquiryReceived,
    now: datetime,
    account: Owner | None = None,
    *,
    withdrawn_at: datetime | None = None,
) -> Verdict:
    """The verdict on one inquiry; `account` is the owner of the person's company, `withdrawn_at` when they withdrew
    consent before they had a lead. Changes `routing`: the lead is saved, and other leads of the person that become part
    of it.
    """
    proof_format = routing.proof_format
    if inquiry.test and proof_format > OLDEST_FORMAT:
        return _try_out(routing, agreement, inquiry, now, account)
    own = routing.leads.get(inquiry.lead_id)
    persons, maybe = _persons(inquiry, routing)
    lead = _surviving(persons, inquiry, proof_format)
    others = tuple([each for each in persons if each is not lead])
    if lead is None and own is not None and own.test:
        lead = own
    links = tuple([each for each in routing.chain(inquiry.lead_id) if each is not lead and each not in others])
    asked = Asked(inquiry, now, lead, others, links, maybe, account, proof_format, withdrawn_at)
    joins = lead is not None and (lead.state in HELD or _ended_since(lead, inquiry))
    if lead is not None and joins and not (asked.withdrawn and lead.state in HELD):
        verdict = _join(asked, lead, agreement)
        routing.save(verdict.lead)
    else:
        verdict = _judge(routing, agreement, asked)
    return absorb(routing, verdict, inquiry, others, own)


def _persons(inquiry: InquiryReceived, routing: RoutingState) -> tuple[list[Lead], tuple[Lead, ...]]:
    """The leads of this person, the one with the inquiry's id first, and those with the same address or number; and
    leads that may be theirs.
    """
    own = routing.lead(inquiry.lead_id)
    if own is not None and own.test:
        own = None
    others = [lead for lead in routing.same_person(inquiry.contact) if own is None or lead.lead_id != own.lead_id]
    maybe: list[Lead] = []
    if others and routing.proof_format > OLDEST_FORMAT:
        others, maybe = apart(inquiry.contact, own, others)
        others, strangers = one_person(inquiry.contact, own, others)
        maybe += strangers
    shown = tuple(sorted(maybe, key=lambda lead: lead.lead_id)[:MAX_SHARING])
    return ([own, *others] if own is not None else others), shown


def _surviving(persons: Sequence[Lead], inquiry: InquiryReceived, proof_format: int) -> Lead | None:
    """Which of a person's leads continues: assigned before parked before ended; the first assigned; the inquiry's. One
    that sales ended after the inquiry counts as it was before.
    """
    if len(persons) < 2:
        return persons[0] if persons else None

    def rank(lead: Lead) -> int:
        if proof_format >= BOTH_LEADS_END and _ended_since(lead, inquiry):
            return 0 if lead.rep is not None else 1
        return {"assigned": 0, "parked": 1}.get(lead.state, 2)

    return min(persons, key=lambda lead: (rank(lead), lead.assigned_at or lead.received_at))


def _ended_since(lead: Lead, inquiry: InquiryReceived) -> bool:
    """Whether sales ended the lead after this inquiry was accepted, although that was read first."""
    return lead.state == "closed" and lead.ended_at is not None and inquiry.accepted_at <= lead.ended_at


def _judge(routing: RoutingState, agreement: Agreement, asked: Asked) -> Verdict:
    """Qualify the inquiry, and place it if it is a lead. Changes `routing`: the lead is saved, and a turn is taken."""
    inquiry, facts = asked.inquiry, asked.facts
    pilot = pilot_for(agreement, facts)
    arms = arms_for(agreement, pilot, facts)
    agreement = pilot.agreement if pilot is not None else agreement
    judgement = judged(asked, asked.known, agreement, facts)
    if asked.withdrawn:
        reason = f"{CONSENT_WITHDRAWN}, and none has been given since"
        judgement = replace(judgement, qualified=False, stage="inquiry", reason=reason)
    base = _lead(asked, agreement.ref, judgement, pilot.name if pilot is not None else None)
    base = replace(base, pilot_arms=arms or None, segments=judgement.segments)
    if not judgement.qualified:
        verdict = _not_qualified(asked, base, judgement.reason)
    elif inquiry.test:
        # On a copy of its own, since nobody gets the lead and no turn is to be taken.
        placed = _place(routing.copy(), agreement, asked, facts)
        would = f"rule '{placed.rule}' would send it to {placed.pool or placed.rep}"
        verdict = _rejected(asked, base, f"a test: valid, {would}", placed.states)
    else:
        placed = _place(routing, agreement, asked, facts)
        if placed.rep is None:
            verdict = _parked(asked, base, placed)
        else:
            verdict = _assigned(routing, agreement, asked, base, placed, agreement.people[placed.rep])
    if verdict.proof.verdict != "assigned":
        routing.save(verdict.lead)
    return replace(verdict, errors=tuple(facts.errors)) if facts.errors else verdict


def _place(routing: RoutingState, agreement: Agreement, asked: Asked, facts: DecisionFacts) -> Placement:
    """Where the lead goes. Changes `routing`: a turn is taken."""
    last = last_owner(asked.known, asked.known.last_rep) if asked.known is not None else None
    return place(routing, agreement, facts, asked.now, last=last, account=asked.account)


def _lead(asked: Asked, agreement: AgreementRef, judgement: Judgement, pilot: str | None) -> Lead:
    """The lead as it is judged: a new one, or a new cycle of the person's lead."""
    inquiry, before = asked.inquiry, asked.known
    lead = Lead(
        lead_id=inquiry.lead_id,
        version=asked.before.version + 1 if asked.before is not None else 1,
        state="received",
        stage=judgement.stage,
        score=judgement.score,
        reason=judgement.reason,
        inquiry_id=inquiry.inquiry_id,
        contact=inquiry.contact,
        company=inquiry.company,
        campaign=inquiry.campaign,
        channel=inquiry.channel,
        received_at=inquiry.accepted_at,
        updated_at=asked.now,
        agreement=agreement,
        reasons=judgement.reasons,
        pilot=pilot,
        intents=judgement.intents,
        signals=inquiry.signals,
        **about_person(asked),
    )
    if before is None:
        return lead
    contact = filled(inquiry.contact, before.contact)
    return replace(
        lead,
        lead_id=before.lead_id,
        contact=contact,
        other_keys=other_keys(contact, inquiry, (before, *asked.others)),
        company=filled(inquiry.company, before.company),
        signals=remembered_signals(before.signals, inquiry.signals),
        generation=before.generation,
        last_rep=before.last_rep,
        earlier_rep=before.last_rep,
        cycle=before.cycle + int(judgement.qualified and before.state == "closed"),
        ended_at=before.ended_at,
        ends=before.ends,
        others=rejected_before(asked, before),
    )


def _assigned(
    routing: RoutingState, agreement: Agreement, asked: Asked, base: Lead, placed: Placement, person: Person
) -> Verdict:
    """The verdict that a person gets the lead. Changes `routing`: the lead is saved, and counted as theirs."""
    leave = leave_ahead(person, routing.state(person.id), asked.now)
    lead = with_owner(agreement, base, person, placed.pool, placed.rule, asked.now, leave)
    routing.assign_to(person, lead, asked.now)
    reason = f"rule '{placed.rule}' sends it to {placed.pool or placed.rep}; {placed.why}"
    proof = recorded(_judged("assigned", reason, asked, base), placed)
    event = assigned_event(LeadAssigned, agreement, lead, owner_away=placed.away, arms=lead.arms)
    return Verdict(lead, event, proof, asked.inquiry.inquiry_id)


def _parked(asked: Asked, base: Lead, placed: Placement) -> Verdict:
    lead = replace(
        base, state="parked", pool=placed.pool, rule=placed.rule, reason=placed.why, parked_at=base.updated_at
    )
    proof = recorded(_judged("parked", placed.why, asked, base), placed)
    return Verdict(lead, parked_event(lead, placed.queue), proof, asked.inquiry.inquiry_id)


def _not_qualified(asked: Asked, base: Lead, reason: str) -> Verdict:
    """The verdict that an inquiry is rejected. A closed lead stays as it was, but for what is known of the person."""
    before, inquiry = asked.known, asked.inquiry
    if asked.proof_format == OLDEST_FORMAT:
        return _rejected(asked, base, reason)
    if before is None or before.state != "closed":
        return _rejected(asked, base, f"a test: {reason}" if inquiry.test else reason)
    contact = filled(before.contact, inquiry.contact)
    lead = replace(
        before,
        version=base.version,
        contact=contact,
        other_keys=other_keys(contact, inquiry, (before, *asked.others)),
        company=filled(before.company, inquiry.company),
        signals=base.signals,
        intents=base.intents,
        consent_at=base.consent_at,
        withdrawn_at=base.withdrawn_at,
    )
    return _only_inquiry(_rejected(asked, base, reason), lead)


def _only_inquiry(rejected: Verdict, lead: Lead) -> Verdict:
    """The verdict that only the inquiry is rejected: `lead` stays what it was."""
    event = decided_event(LeadRejected, replace(rejected.lead, lead_id=lead.lead_id), stays=lead.state)
    return replace(rejected, lead=lead, event=event, proof=replace(rejected.proof, stays=lead.state))


def _try_out(
    routing: RoutingState, agreement: Agreement, inquiry: InquiryReceived, now: datetime, account: Owner | None
) -> Verdict:
    """The verdict on a test inquiry. Changes `routing`: a lead of tests is saved. If the id is a person's, that lead
    stays as it was, with one more version.
    """
    before = routing.lead(inquiry.lead_id)
    links = tuple([each for each in routing.chain(inquiry.lead_id) if each.into is not None])
    asked = Asked(inquiry, now, before, (), links, (), account, FORMAT)
    verdict = _judge(RoutingState(routing.turns, routing.reps), agreement, asked)
    if before is not None and not before.test:
        verdict = _only_inquiry(verdict, replace(before, version=verdict.lead.version))
    else:
        verdict = replace(verdict, lead=replace(verdict.lead, pilot=None, pilot_arms=None, test=True))
    routing.save(verdict.lead)
    return verdict


def _rejected(asked: Asked, base: Lead, reason: str, states: Mapping[str, RepState] | None = None) -> Verdict:
    lead = replace(base, state="rejected", reason=reason)
    proof = replace(_judged("rejected", reason, asked, base), states=states or {})
    return Verdict(lead, decided_event(LeadRejected, lead), proof, asked.inquiry.inquiry_id)


def _judged(verdict: VerdictKind, reason: str, asked: Asked, lead: Lead) -> Proof:
    return replace(asked.proof(verdict, reason, lead, lead.agreement), score_parts=lead.reasons, pilot=lead.pilot)


def _join(asked: Asked, lead: Lead, agreement: Agreement) -> Verdict:
    """The verdict that the inquiry joins a lead that someone has, or that waits."""
    inquiry = asked.inquiry
    ruling = agreement_for(agreement, lead) if asked.proof_format >= WHOLE_PERSON else agreement
    if lead.state == "closed":
        holder = "sales has ended it since"
    else:
        holder = f"{lead.rep} keeps it" if lead.rep else "it still waits for an owner"
    reason = f"the same person is lead {lead.lead_id} already; {holder}"
    received_at = first_received_at(lead, inquiry)
    after = replace(
        joined(lead, inquiry, asked.others, asked.now),
        **about_person(asked),
        received_at=received_at,
        **scored_again(asked, lead, ruling),
        **remembered(asked, lead),
    )
    proof = replace(asked.proof("merged", reason, after, ruling.ref), rep=lead.rep, joined=lead.inquiry_id)
    if ruling is not agreement:
        proof = replace(proof, pilot=lead.pilot)
    event = decided_event(
        LeadMerged,
        after,
        reason=reason,
        inquiry_id=inquiry.inquiry_id,
        rep=lead.rep,
        received_at=received_at if received_at < lead.received_at else None,
    )
    event = replace(event, **{name: getattr(inquiry, name) for name in _GIVEN})
    return Verdict(after, event, proof, inquiry.inquiry_id)
