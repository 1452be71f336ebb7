"""The verdict on an inquiry: the lead before and after it, the event, and the proof.

Every inquiry ends assigned, parked, rejected or merged. If the person's lead has an owner, the inquiry is merged into
it and the owner stays, no matter which address or number they used. A person who was rejected, or whose lead is closed,
is judged again. A test inquiry is judged completely but not assigned.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from services.router.domain.lead import HELD, MAX_KEYS, Lead, first_received_at, remembered_signals
from services.router.domain.placement import Placement, last_owner, place
from services.router.domain.proof import Proof, known_facts
from services.router.domain.qualification import Judgement, judge
from services.router.domain.reassignment import Verdict, assigned_event, decision_fields, with_owner
from services.router.domain.routing_state import Owner, RoutingState, contact_keys, person_keys
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived, LeadAssigned, LeadMerged, LeadParked, LeadRejected
from shared.domain.lead import Company, Contact

Party = TypeVar("Party", Contact, Company)


def decide(
    agreement: Agreement, inquiry: InquiryReceived, routing: RoutingState, now: datetime, account: Owner | None = None
) -> Verdict:
    """The verdict on one inquiry, saved in `routing`. `account` is the owner of the person's company."""
    own = routing.leads.get(inquiry.lead_id)
    persons = _persons(inquiry, routing)
    lead = _surviving(persons)
    others = [each for each in persons if each is not lead]
    known = {"before": lead, "same_person": (*_links(inquiry, routing), *others), "account": account}
    if lead is not None and lead.state in HELD:
        verdict = _join(agreement, inquiry, lead, others, now, known)
    else:
        facts = known_facts(inquiry, lead, account, now)
        verdict = _judge(agreement, inquiry, facts, routing, now, known)
        if facts["@errors"]:
            verdict = replace(verdict, errors=tuple(facts["@errors"]))
    if verdict.proof.verdict != "assigned":
        routing.save(verdict.lead)
    return _absorb(verdict, inquiry, own, others, routing, now)


def _persons(inquiry: InquiryReceived, routing: RoutingState) -> list[Lead]:
    """The leads of this person: the one with the inquiry's id, and those with the same address or number."""
    own = routing.lead(inquiry.lead_id)
    others = [lead for lead in routing.same_person(inquiry.contact) if own is None or lead.lead_id != own.lead_id]
    return [own, *others] if own is not None else others


def _links(inquiry: InquiryReceived, routing: RoutingState) -> Iterator[Lead]:
    """What leads from the inquiry's id to the lead that it became part of."""
    found = routing.leads.get(inquiry.lead_id)
    while found is not None and found.into is not None:
        yield found
        found = routing.leads.get(found.into)


def _surviving(persons: Sequence[Lead]) -> Lead | None:
    """Which of a person's leads continues: assigned before parked before ended; the first assigned; the inquiry's."""
    if len(persons) < 2:
        return persons[0] if persons else None
    rank = {"assigned": 0, "parked": 1}
    return min(persons, key=lambda lead: (rank.get(lead.state, 2), lead.assigned_at or lead.received_at))


def _judge(
    agreement: Agreement,
    inquiry: InquiryReceived,
    facts: dict[str, Any],
    routing: RoutingState,
    now: datetime,
    known: dict[str, Any],
) -> Verdict:
    before: Lead | None = known["before"]
    others = [each for each in known["same_person"] if each.into is None]
    pilot = next((each for each in agreement.pilots if each.mode == "live" and each.scope.test(facts)), None)
    if pilot is not None:
        agreement = pilot.agreement
    judgement = judge(agreement, inquiry, facts, before.intents if before is not None else ())
    base = _lead(agreement, inquiry, before, others, judgement, now, pilot.name if pilot else None)
    record = {**_common(agreement, inquiry, base, now), **known, "pilot": base.pilot}
    if not judgement.qualified:
        return _reject(inquiry, base, judgement.reason, record)
    last = last_owner(before, before.last_rep) if before is not None else None
    if inquiry.test:
        # On a copy, because the lead is not assigned and no turn is taken.
        placed = place(agreement, facts, _scratch_copy(routing), now, last=last, account=known["account"])
        record["states"] = placed.states
        return _reject(inquiry, base, f"a test: valid, {_would(placed)}", record)
    placed = place(agreement, facts, routing, now, last=last, account=known["account"])
    record |= {"rule": placed.rule, "skipped": placed.skipped, "states": placed.states}
    if placed.rep is None:
        return _park(inquiry, base, placed, record)
    person = agreement.people[placed.rep]
    lead = with_owner(agreement, base, person, placed.pool, placed.rule, now)
    routing.assign_to(person, lead, now)
    reason = f"rule '{placed.rule}' sends it to {placed.pool or placed.rep}; {placed.why}"
    proof = Proof(verdict="assigned", reason=reason, turn=placed.turn, rep=placed.rep, **record)
    return Verdict(lead, assigned_event(LeadAssigned, agreement, lead), proof, inquiry.inquiry_id)


def _scratch_copy(routing: RoutingState) -> RoutingState:
    return RoutingState(routing.turns, routing.reps)


def _would(placed: Placement) -> str:
    return f"rule '{placed.rule}' would send it to {placed.pool or placed.rep}"


def _lead(
    agreement: Agreement,
    inquiry: InquiryReceived,
    before: Lead | None,
    others: Sequence[Lead],
    judgement: Judgement,
    now: datetime,
    pilot: str | None,
) -> Lead:
    if before is None:
        return Lead(
            lead_id=inquiry.lead_id,
            version=1,
            contact=inquiry.contact,
            company=inquiry.company,
            signals=inquiry.signals,
            **_new_cycle(agreement, inquiry, judgement, now, pilot),
        )
    contact = _filled(inquiry.contact, before.contact)
    return Lead(
        lead_id=before.lead_id,
        version=before.version + 1,
        contact=contact,
        other_keys=_other_keys(contact, inquiry, (before, *others)),
        company=_filled(inquiry.company, before.company),
        signals=remembered_signals(before.signals, inquiry.signals),
        generation=before.generation,
        last_rep=before.last_rep,
        earlier_rep=before.last_rep,
        cycle=before.cycle + 1 if judgement.qualified and before.state == "closed" else before.cycle,
        **_new_cycle(agreement, inquiry, judgement, now, pilot),
    )


def _new_cycle(
    agreement: Agreement, inquiry: InquiryReceived, judgement: Judgement, now: datetime, pilot: str | None
) -> dict[str, Any]:
    return {
        "state": "received",
        "stage": judgement.stage,
        "score": judgement.score,
        "reason": judgement.reason,
        "inquiry_id": inquiry.inquiry_id,
        "campaign": inquiry.campaign,
        "channel": inquiry.channel,
        "received_at": inquiry.accepted_at,
        "updated_at": now,
        "agreement": agreement.ref,
        "reasons": judgement.reasons,
        "intents": judgement.intents,
        "pilot": pilot,
    }


def _common(agreement: Agreement, inquiry: InquiryReceived, lead: Lead, now: datetime) -> dict[str, Any]:
    return {
        "lead_version": lead.version,
        "agreement": agreement.ref,
        "decided_at": now,
        "inquiry": inquiry,
        "stage": lead.stage,
        "score": lead.score,
        "score_parts": lead.reasons,
    }


def _reject(inquiry: InquiryReceived, base: Lead, reason: str, record: dict[str, Any]) -> Verdict:
    lead = replace(base, state="rejected", reason=reason)
    proof = Proof(verdict="rejected", reason=reason, **record)
    return Verdict(lead, LeadRejected(**decision_fields(lead, reason)), proof, inquiry.inquiry_id)


def _park(inquiry: InquiryReceived, base: Lead, placed: Placement, record: dict[str, Any]) -> Verdict:
    lead = replace(
        base, state="parked", pool=placed.pool, rule=placed.rule, reason=placed.why, parked_at=base.updated_at
    )
    proof = Proof(verdict="parked", reason=placed.why, passed_over=placed.passed_over, **record)
    event = LeadParked(queue=placed.queue, **decision_fields(lead, placed.why))
    return Verdict(lead, event, proof, inquiry.inquiry_id)


def _join(
    agreement: Agreement,
    inquiry: InquiryReceived,
    lead: Lead,
    others: Sequence[Lead],
    now: datetime,
    known: dict[str, Any],
) -> Verdict:
    holder = f"{lead.rep} keeps it" if lead.rep else "it still waits for an owner"
    reason = f"the same person is lead {lead.lead_id} already; {holder}"
    contact = _filled(lead.contact, inquiry.contact)
    received_at = first_received_at(lead, inquiry)
    joined = replace(
        lead,
        version=lead.version + 1,
        updated_at=now,
        contact=contact,
        other_keys=_other_keys(contact, inquiry, (lead, *others)),
        company=_filled(lead.company, inquiry.company),
        signals=remembered_signals(lead.signals, inquiry.signals),
        received_at=received_at,
    )
    proof = Proof(
        verdict="merged",
        reason=reason,
        rep=lead.rep,
        joined=lead.inquiry_id,
        **{**_common(agreement, inquiry, joined, now), **known, "score_parts": ()},
    )
    fields = decision_fields(joined, reason) | {"inquiry_id": inquiry.inquiry_id}
    event = LeadMerged(rep=lead.rep, received_at=received_at if received_at < lead.received_at else None, **fields)
    return Verdict(joined, event, proof, inquiry.inquiry_id)


def _absorb(
    verdict: Verdict,
    inquiry: InquiryReceived,
    own: Lead | None,
    others: Sequence[Lead],
    routing: RoutingState,
    now: datetime,
) -> Verdict:
    """Merge the person's other ids into the lead that continues.

    If an inquiry under a new id was merged, its own event says so; leads that had an owner get an event each.
    """
    into = verdict.lead
    ceased = [_ceased(each, into, now) for each in others]
    if into.lead_id != inquiry.lead_id and (own is None or own.into is not None):
        ceased.append(_ceased(own or _link(inquiry, into), into, now))
    if not ceased:
        return verdict
    for lead in ceased:
        routing.save(lead)
    said = []
    if isinstance(verdict.event, LeadMerged) and into.lead_id != inquiry.lead_id:
        mine = next(lead for lead in ceased if lead.lead_id == inquiry.lead_id)
        event = replace(verdict.event, lead_id=mine.lead_id, lead_version=mine.version, into=into.lead_id)
        verdict = replace(verdict, event=event)
    for before, lead in zip(others, ceased, strict=False):
        if before.state in HELD and lead.lead_id != inquiry.lead_id:
            said.append(LeadMerged(rep=into.rep, into=into.lead_id, **decision_fields(lead, lead.reason)))
    return replace(verdict, merged_leads=tuple(ceased), further_events=tuple(said))


def _link(inquiry: InquiryReceived, into: Lead) -> Lead:
    return replace(
        into,
        lead_id=inquiry.lead_id,
        version=0,
        generation=0,
        contact=inquiry.contact,
        pilot=None,
        signals=(),
        intents=(),
        other_keys=(),
    )


def _ceased(lead: Lead, into: Lead, now: datetime) -> Lead:
    return replace(
        lead,
        state="merged",
        version=lead.version + 1,
        into=into.lead_id,
        reason=f"the same person is lead {into.lead_id}",
        updated_at=now,
        rep=None,
        parked_at=None,
        assignment_id=None,
        respond_by=None,
    )


def _other_keys(contact: Contact, inquiry: InquiryReceived, persons: Sequence[Lead]) -> tuple[str, ...]:
    """By what the person is known besides `contact`; of very many the newest."""
    shown = contact_keys(contact)
    found = [key for lead in persons for key in person_keys(lead)] + list(contact_keys(inquiry.contact))
    return tuple(dict.fromkeys([key for key in found if key not in shown]))[-MAX_KEYS:]


def _filled(first: Party, other: Party) -> Party:
    """`first`, with missing values taken from `other`."""
    missing = {name: getattr(other, name) for name in first.__struct_fields__ if getattr(first, name) is None}
    return replace(first, **missing)
