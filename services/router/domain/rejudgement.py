"""Leads that the agreement rejected, or that wait, are judged again under the version in force, because a person wants
it. A lead on which someone has acted since stays as it is.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import leave_ahead
from services.router.domain.lead import Lead, LeadsRejudged, may_be_contacted, other_inquiries
from services.router.domain.placement import Placement, last_owner, place, recorded
from services.router.domain.proof import (
    Proof,
    ReassignReason,
    VerdictKind,
    in_order,
    judged_together,
    judging_instant,
    known_facts,
)
from services.router.domain.qualification import pilot_for
from services.router.domain.reassignment import MANUAL_RULE_PREFIX
from services.router.domain.routing_state import Owner, RoutingState
from services.router.domain.verdict import Verdict, assigned_event, decided_event, parked_event, with_owner
from shared.domain.agreement import Agreement
from shared.domain.events import Event, InquiryReceived, LeadAssigned, LeadRejected

REJUDGED = "rejudged"


def may_be_judged_again(lead: Lead, batch: LeadsRejudged) -> bool:
    """Whether the lead is in one of the states asked for, and nobody has acted on it: it had no owner in this cycle, no
    person parked it, sales reported nothing about it, and the person has not withdrawn consent. A test stays a test.
    """
    acted_on = lead.assigned_at is not None or lead.accepted_at is not None or lead.stage not in ("inquiry", "mql")
    by_hand = str(lead.rule).startswith(MANUAL_RULE_PREFIX)
    return lead.state in batch.states and not (lead.test or acted_on or by_hand) and may_be_contacted(lead)


def judge_again(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    inquiry: InquiryReceived,
    now: datetime,
    account: Owner | None = None,
    *,
    others: Sequence[InquiryReceived] = (),
) -> Verdict | None:
    """The verdict on the lead, from its inquiries and all that is known of the person; None if it comes to the same.
    `inquiry` is the one on which it was judged last: a pilot goes by it. Points fade to when an inquiry was accepted,
    as they did the first time. `account` is the owner of the person's company. Changes `routing`: the lead is saved,
    and a turn is taken.
    """
    proof_format = routing.proof_format
    at = judging_instant(inquiry, now, proof_format)
    known = known_facts(inquiry, lead, account, at, again=True, proof_format=proof_format)
    pilot = pilot_for(agreement, known)
    ruling = pilot.agreement if pilot is not None else agreement
    every = in_order((inquiry, *others))
    judged = judged_together(ruling, lead, every, account, now, proof_format)
    facts, judgement = judged.facts, judged.judgement
    base = replace(
        lead,
        inquiry_id=judged.inquiry.inquiry_id,
        others=other_inquiries(lead, lead.inquiry_id) if judged.inquiry.inquiry_id != lead.inquiry_id else lead.others,
        version=lead.version + 1,
        stage=judgement.stage,
        score=judgement.score,
        reason=judgement.reason,
        reasons=judgement.reasons,
        intents=judgement.intents,
        updated_at=now,
        agreement=ruling.ref,
        pilot=pilot.name if pilot is not None else None,
        pilot_arms=lead.arms,
        segments=judgement.segments,
    )
    if judgement.qualified:
        placed = place(routing, ruling, facts, now, last=last_owner(lead, lead.earlier_rep), account=account)
        verdict = _placed(routing, ruling, cause, lead, base, placed)
    elif lead.state == "rejected":
        return None
    else:
        verdict = _rejected(routing, cause, lead, base)
    if verdict is None:
        return None
    rest = tuple([each for each in every if each is not judged.inquiry])
    proof = replace(verdict.proof, inquiry=judged.inquiry, other_inquiries=rest, account=account, format=proof_format)
    return replace(verdict, proof=proof, errors=tuple(facts.errors))


def _placed(
    routing: RoutingState, agreement: Agreement, cause: ReassignReason, lead: Lead, base: Lead, placed: Placement
) -> Verdict | None:
    """The verdict that the placement comes to; None if the lead goes on waiting as it did. Changes `routing`."""
    event: Event
    if placed.rep is None:
        after = replace(
            base,
            state="parked",
            pool=placed.pool,
            rule=placed.rule,
            reason=placed.why,
            parked_at=lead.parked_at or base.updated_at,
        )
        if lead.state == "parked" and _waits_for(after) == _waits_for(lead):
            return None
        event = parked_event(after, placed.queue, because=REJUDGED)
        routing.save(after)
        return _verdict("parked", placed.why, cause, lead, after, event, placed)
    person = agreement.people[placed.rep]
    now, waiting_no_more = base.updated_at, replace(base, parked_at=None)
    leave = leave_ahead(person, routing.state(person.id), now)
    after = with_owner(agreement, waiting_no_more, person, placed.pool, placed.rule, now, leave)
    event = assigned_event(LeadAssigned, agreement, after, because=REJUDGED, owner_away=placed.away, arms=after.arms)
    routing.assign_to(person, after, now)
    reason = f"rule '{placed.rule}' sends it to {placed.pool or placed.rep}; {placed.why}"
    return _verdict("assigned", reason, cause, lead, after, event, placed)


def _waits_for(lead: Lead) -> object:
    return lead.pool, lead.rule, lead.stage, lead.score, lead.pilot


def _rejected(routing: RoutingState, cause: ReassignReason, lead: Lead, base: Lead) -> Verdict:
    after = replace(base, state="rejected", pool=None, rule=None, parked_at=None)
    routing.save(after)
    event = decided_event(LeadRejected, after, because=REJUDGED)
    return _verdict("rejected", base.reason, cause, lead, after, event, None)


def _verdict(
    kind: VerdictKind,
    reason: str,
    cause: ReassignReason,
    lead: Lead,
    after: Lead,
    event: Event,
    placed: Placement | None,
) -> Verdict:
    version = f"{after.agreement.name} version {after.agreement.version}"
    proof = Proof(
        verdict=kind,
        reason=f"judged again under {version} by {cause.by}, because of “{cause.reason}”: {reason}",
        lead_version=after.version,
        agreement=after.agreement,
        decided_at=after.updated_at,
        stage=after.stage,
        score=after.score,
        score_parts=after.reasons,
        ask=cause,
        before=lead,
        pilot=after.pilot,
        segments=after.segments,
    )
    return Verdict(after, event, recorded(proof, placed) if placed is not None else proof, after.inquiry_id)
