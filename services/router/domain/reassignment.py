"""A lead changes hands: because the promise was missed, the rep gave it back, a person decided, the owner left the
team, or a parked lead's time has come.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.router.domain.lead import Lead
from services.router.domain.placement import Placement, in_pool, last_owner, place, wanted_of
from services.router.domain.proof import Proof, ReassignReason, known_facts
from services.router.domain.routing_state import RoutingState
from shared.domain.agreement import Agreement, Person
from shared.domain.errors import Refused
from shared.domain.events import Event, InquiryReceived, LeadAssigned, LeadParked, LeadReassigned, RepRef
from shared.domain.ids import assignment_id
from shared.domain.promises import owed, respond_by

MANUAL_RULE_PREFIX = "moved by "
"""The rule's name if a person decided; a lead parked by that keeps waiting for that pool."""


class Verdict(msgspec.Struct, frozen=True):
    """A decision: the new state of the lead, the event to publish, the proof to store.

    `merged_leads` are other leads of the person that were merged into this one, `further_events` their events. `errors`
    are those of conditions that failed and counted as a missing fact.
    """

    lead: Lead
    event: Event
    proof: Proof
    inquiry_id: str
    merged_leads: tuple[Lead, ...] = ()
    further_events: tuple[Event, ...] = ()
    errors: tuple[str, ...] = ()


def reassign(
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    inquiry: InquiryReceived,
    routing: RoutingState,
    now: datetime,
) -> Verdict | None:
    """The verdict that moves the lead to someone else; None if it stays.

    A missed lead stays if every member of its pool has missed it, so that it does not circulate forever. A lead that
    was given back, or whose owner left, waits in the queue instead. `inquiry` is the one that made it a lead. Raises
    Refused if a person asks for something impossible.
    """
    agreement = agreement_for(agreement, lead)
    placed, lead = _place_again(agreement, cause, lead, inquiry, routing, now)
    if placed is None or (placed.rep is None and (cause.kind in ("missed", "drained") or lead.state == "parked")):
        return None
    return _reassigned(agreement, cause, lead, placed, inquiry, routing, now)


def agreement_for(agreement: Agreement, lead: Lead) -> Agreement:
    """The agreement for a lead: that of its pilot, if there is one, else the one in force."""
    return next((each.agreement for each in agreement.pilots if each.name == lead.pilot), agreement)


def _place_again(
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    inquiry: InquiryReceived,
    routing: RoutingState,
    now: datetime,
) -> tuple[Placement | None, Lead]:
    if cause.kind == "manual":
        return _place_as_asked(agreement, cause, lead, routing, now), lead
    if cause.kind == "missed":
        lead = replace(lead, missed_by=(*lead.missed_by, str(lead.rep)))
    if cause.kind == "declined":
        lead = replace(lead, declined_by=(*lead.declined_by, str(lead.rep)))
    facts = known_facts(inquiry, lead, None, now, again=True)
    without = _without(cause, lead)
    pool = agreement.pools.get(lead.pool or "")
    rule = next((each for each in agreement.routing if each.name == lead.rule), None)
    by_hand = rule is None and pool is not None and str(lead.rule).startswith(MANUAL_RULE_PREFIX)
    if (cause.kind == "drained" and not by_hand) or (pool is None and cause.kind != "missed"):
        last = last_owner(lead, lead.earlier_rep) if lead.earlier_rep not in without else None
        return place(agreement, facts, routing, now, last=last, without=without), lead
    if pool is None:
        return None, lead
    wanted = wanted_of(rule.only, facts) if rule is not None else {}
    return in_pool(agreement, pool, routing, now, wanted=wanted, rule=lead.rule or "", without=without), lead


def _without(cause: ReassignReason, lead: Lead) -> dict[str, str]:
    out = dict.fromkeys(lead.declined_by, "gave the lead back")
    out |= dict.fromkeys(lead.missed_by, "had the lead and missed the promise")
    if cause.kind == "left" and lead.rep is not None:
        out[lead.rep] = "is no longer in the team"
    return out


def _place_as_asked(
    agreement: Agreement, cause: ReassignReason, lead: Lead, routing: RoutingState, now: datetime
) -> Placement:
    rule = f"{MANUAL_RULE_PREFIX}{cause.by or 'hand'}"
    if cause.to_pool is not None:
        pool = agreement.pools.get(cause.to_pool)
        if pool is None:
            known = ", ".join(agreement.pools)
            raise Refused(f"The agreement has no pool {cause.to_pool!r}. It has: {known}.", pointer="/to/pool")
        without = {lead.rep: "had the lead until now"} if lead.rep is not None else None
        return in_pool(agreement, pool, routing, now, wanted={}, rule=rule, without=without)
    person = agreement.people.get(cause.to_rep or "")
    if person is None or not person.active or person.calendar is None:
        able = ", ".join(each.id for each in agreement.people.values() if each.active and each.calendar is not None)
        raise Refused(f"{cause.to_rep!r} can't own leads. Those who can: {able}.", pointer="/to/rep")
    if person.id == lead.rep:
        raise Refused(f"{person.id} has the lead already.", pointer="/to/rep")
    mine = [name for name, pool in agreement.pools.items() if person.id in pool.members]
    pool_name = lead.pool if lead.pool in mine else next(iter(mine), "")
    return Placement(rule, str(pool_name), person.id, f"{cause.by or 'somebody'} gave it to {person.id}")


def _reassigned(
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    placed: Placement,
    inquiry: InquiryReceived,
    routing: RoutingState,
    now: datetime,
) -> Verdict:
    base = replace(lead, version=lead.version + 1, updated_at=now, agreement=agreement.ref)
    reason = f"{_cause(cause, lead)}; {placed.why}"
    record: dict[str, Any] = {
        "reason": reason,
        "lead_version": base.version,
        "agreement": agreement.ref,
        "decided_at": now,
        "inquiry": inquiry,
        "stage": lead.stage,
        "score": lead.score,
        "rule": placed.rule,
        "skipped": placed.skipped,
        "turn": placed.turn,
        "rep": placed.rep,
        "moved_from": lead.rep,
        "ask": cause,
        "before": routing.leads.get(lead.lead_id),
        "states": placed.states,
        "passed_over": placed.passed_over,
        "pilot": lead.pilot,
    }
    if placed.rep is None:
        return _parked(base, placed, record, routing, now)
    waited = lead.state == "parked"
    person = agreement.people[placed.rep]
    after = with_owner(agreement, replace(base, parked_at=None), person, placed.pool, placed.rule, now)
    routing.assign_to(person, after, now)
    kind = LeadAssigned if waited else LeadReassigned
    event = assigned_event(kind, agreement, after, previous=lead.rep, because=cause.kind)
    proof = Proof(verdict="assigned" if waited else "reassigned", **record)
    return Verdict(after, event, proof, lead.inquiry_id)


def _parked(base: Lead, placed: Placement, record: dict[str, Any], routing: RoutingState, now: datetime) -> Verdict:
    lead = replace(
        base,
        state="parked",
        pool=placed.pool,
        reason=record["reason"],
        parked_at=now,
        rep=None,
        assignment_id=None,
        respond_by=None,
    )
    routing.save(lead)
    event = LeadParked(queue=placed.queue, **decision_fields(lead, lead.reason))
    return Verdict(lead, event, Proof(verdict="parked", **record), lead.inquiry_id)


def _cause(cause: ReassignReason, lead: Lead) -> str:
    said = f": {cause.reason}" if cause.reason else ""
    return {
        "missed": f"{lead.rep} missed the promise",
        "declined": f"{lead.rep} gave the lead back{said}",
        "manual": f"moved by {cause.by or 'hand'}{said}",
        "left": f"{lead.rep} is no longer in the team",
        "drained": f"it waited for {lead.pool}",
    }[cause.kind]


def with_owner(agreement: Agreement, lead: Lead, person: Person, pool: str, rule: str, now: datetime) -> Lead:
    """The lead in the hands of a person from `now` on."""
    generation = lead.generation + 1
    promised = owed(agreement, rep=person.id, score=lead.score, assigned_at=now)
    return replace(
        lead,
        state="assigned",
        generation=generation,
        rep=person.id,
        last_rep=person.id,
        pool=pool,
        rule=rule,
        assignment_id=assignment_id(lead.lead_id, generation),
        assigned_at=now,
        respond_by=respond_by(promised),
    )


def assigned_event(
    kind: type[LeadAssigned],
    agreement: Agreement,
    lead: Lead,
    *,
    previous: str | None = None,
    because: str | None = None,
) -> LeadAssigned:
    """The event about the new owner."""
    person = agreement.people[str(lead.rep)]
    return kind(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        assignment_id=str(lead.assignment_id),
        generation=lead.generation,
        inquiry_id=lead.inquiry_id,
        rep=RepRef(person.id, person.email),
        previous_rep=previous,
        pool=str(lead.pool),
        rule=str(lead.rule),
        assigned_at=lead.updated_at,
        received_at=lead.received_at,
        respond_by=lead.respond_by,
        stage=lead.stage,
        score=lead.score,
        reasons=lead.reasons,
        contact=lead.contact,
        company=lead.company,
        campaign=lead.campaign,
        channel=lead.channel,
        agreement=agreement.ref,
        cycle=lead.cycle,
        because=because,
    )


def decision_fields(lead: Lead, reason: str) -> dict[str, Any]:
    """The fields of events without a new owner."""
    return {
        "lead_id": lead.lead_id,
        "lead_version": lead.version,
        "inquiry_id": lead.inquiry_id,
        "decided_at": lead.updated_at,
        "reason": reason,
        "stage": lead.stage,
        "score": lead.score,
        "agreement": lead.agreement,
    }
