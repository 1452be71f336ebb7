"""A lead changes hands: because the promise was missed, the rep gave it back, a person decided, the owner left the team
or went on leave, or a parked lead's time has come. A reopened or split lead goes back to its owner; a rescored one
stays.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import absence, leave_ahead
from services.router.domain.facts import Fact
from services.router.domain.lead import Lead, reopened_at
from services.router.domain.lead_ends import released
from services.router.domain.placement import (
    NobodyInstead,
    Placement,
    in_pool,
    instead_of,
    last_owner,
    moves,
    place,
    pool_of,
    recorded,
    wanted_of,
)
from services.router.domain.promise_segments import known_segments
from services.router.domain.proof import ON_LEAVE, STAYS_WITH_OWNER, ReassignReason, VerdictKind, known_facts, proof_on
from services.router.domain.routing_state import Owner, RoutingState
from services.router.domain.verdict import Verdict, assigned_event, assigned_since, parked_event, with_owner
from shared.domain.agreement import Agreement
from shared.domain.conditions import DecisionFacts
from shared.domain.errors import Refused
from shared.domain.events import Event, InquiryReceived, LeadAssigned, LeadReassigned
from shared.domain.lead import highest

MANUAL_RULE_PREFIX = "moved by "
"""The rule's name if a person decided; a lead parked by that keeps waiting for that pool."""


def reassign(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    inquiry: InquiryReceived,
    now: datetime,
    account: Owner | None = None,
) -> Verdict | None:
    """The verdict that moves the lead to someone else; None if it stays. Changes `routing`: the lead is saved, and a
    turn is taken.

    A missed lead stays if every member of its pool has missed it, so that it does not circulate forever. A lead that
    was given back, or whose owner left, waits in the queue instead. A reopened lead goes to the owner it had, and a
    rescored one stays with them, unless they have left, or are on leave and others are to get their leads: then, as if
    they went on leave, a deputy comes first. `inquiry` is the one that made it a lead, or raised its score, `account`
    the owner of the person's company. Raises Refused if a person asks for something impossible.
    """
    ruling = agreement_for(agreement, lead)
    if ruling is agreement and lead.pilot is not None:
        lead = replace(lead, pilot=None, pilot_arms=lead.arms)
    agreement = ruling
    facts = known_facts(inquiry, lead, account, now, again=True, proof_format=routing.proof_format)
    placed, lead = _place_again(routing, agreement, cause, lead, facts, now, account)
    if placed is None or (placed.rep is None and _stays(cause, lead, placed)):
        return None
    lead = replace(lead, segments=known_segments(agreement, lead, inquiry, account, routing.proof_format))
    verdict = _reassigned(routing, agreement, cause, lead, placed, inquiry, now)
    return replace(verdict, proof=replace(verdict.proof, account=account))


def reason_in(lead: Lead, fact: Fact) -> ReassignReason | None:
    """Why the fact gives the lead to someone: its rep gave it back, or sales accepted it after rejecting it. None if
    it does not.
    """
    if fact.kind == "declined" and lead.state == "assigned" and fact.by in (None, lead.rep):
        return ReassignReason("declined", by=fact.by, reason=fact.reason or fact.text)
    at = reopened_at(lead, fact)
    by = fact.by if fact.kind == "accepted" else None
    return ReassignReason("reopened", by=by, at=at) if at is not None else None


def _stays(cause: ReassignReason, lead: Lead, placed: Placement) -> bool:
    """Whether a lead for which no rep is available stays where it is. One that another version of the agreement routes
    elsewhere waits there.
    """
    if cause.kind == "drained":
        return placed.pool == lead.pool
    return cause.kind == "missed" or lead.state == "parked"


def departed_reps(agreement: Agreement, routing: RoutingState) -> list[str]:
    """Reps who hold leads and are in no team any more, neither of the agreement nor of a pilot that decides."""
    return [rep for rep, state in routing.reps.items() if state.open > 0 and rep not in agreement.team]


def agreement_for(agreement: Agreement, lead: Lead) -> Agreement:
    """The agreement for a lead: that of its pilot while it decides, else the one in force."""
    live = (each for each in agreement.pilots if each.mode == "live" and each.name == lead.pilot)
    return next((each.agreement for each in live), agreement)


def _place_again(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    facts: DecisionFacts,
    now: datetime,
    account: Owner | None,
) -> tuple[Placement | None, Lead]:
    """Where the lead goes, and the lead with who missed it or gave it back. Changes `routing`: a turn is taken."""
    if cause.kind == "manual":
        return _place_as_asked(routing, agreement, cause, lead, now), lead
    if cause.kind == "missed":
        lead = replace(lead, missed_by=(*lead.missed_by, str(lead.rep)))
    if cause.kind == "reopened":
        lead = reopened(lead, cause)
    if cause.kind == "split":
        lead = replace(released(lead), reason=_cause(cause, lead))
    if cause.kind == "declined":
        lead = replace(lead, declined_by=(*lead.declined_by, str(lead.rep)))
    without = _without(cause, lead)
    if cause.kind not in (*STAYS_WITH_OWNER, ON_LEAVE) or lead.rep is None or not _can_own(agreement, lead.rep):
        return _place_elsewhere(routing, agreement, cause, lead, facts, now, account, without), lead
    found = _given_to_owner_or_deputy(routing, agreement, cause, lead, now, without)
    if isinstance(found, Placement):
        return found, lead
    without[lead.rep] = found.why
    placed = _place_elsewhere(routing, agreement, cause, lead, facts, now, account, without)
    if placed is not None:
        placed = replace(placed, states={**found.states, **placed.states})
    return placed, lead


def _place_elsewhere(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    facts: DecisionFacts,
    now: datetime,
    account: Owner | None,
    without: Mapping[str, str],
) -> Placement | None:
    """Who gets the lead of those who can have it; None if it stays. Changes `routing`: a turn is taken."""
    pool = agreement.pools.get(lead.pool or "")
    rule = next((each for each in agreement.routing if each.name == lead.rule), None)
    by_hand = rule is None and pool is not None and str(lead.rule).startswith(MANUAL_RULE_PREFIX)
    if (cause.kind == "drained" and not by_hand) or (pool is None and cause.kind != "missed"):
        last = last_owner(lead, lead.earlier_rep) if lead.earlier_rep not in without else None
        account = account if account is None or account.rep not in without else None
        return place(routing, agreement, facts, now, last=last, account=account, without=without)
    if pool is None:
        return None
    wanted = wanted_of(rule.only, facts) if rule is not None else {}
    return in_pool(routing, agreement, pool, now, wanted=wanted, rule=lead.rule or "", without=without)


def _given_to_owner_or_deputy(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    now: datetime,
    without: Mapping[str, str],
) -> Placement | NobodyInstead:
    """The owner goes on with the lead, unless they are on leave and the agreement gives their leads to others."""
    rep, rule = str(lead.rep), str(lead.rule)
    if cause.kind == ON_LEAVE or moves(agreement.people[rep], routing.state(rep), now):
        return instead_of(routing, agreement, agreement.people[rep], rule, lead.pool or "", now, without)
    return _given_to(routing, agreement, lead, rep, rule, f"{rep} has it", now)


def reopened(lead: Lead, cause: ReassignReason) -> Lead:
    """The lead since it is open again. Its next owner is never the first one, for whom what came before would count."""
    lead = replace(lead, stage=highest(lead.stage, "sal"), generation=max(lead.generation, 1), sales_rejected=True)
    return replace(lead, outcome=None, ends=(), reason=_cause(cause, lead), reopened_at=cause.at)


def _can_own(agreement: Agreement, rep: str) -> bool:
    return any(each.id == rep and each.active for each in agreement.owners)


def _without(cause: ReassignReason, lead: Lead) -> dict[str, str]:
    out = dict.fromkeys(lead.declined_by, "gave the lead back")
    out |= dict.fromkeys(lead.missed_by, "had the lead and missed the promise")
    if cause.kind in ("left", *STAYS_WITH_OWNER) and lead.rep is not None:
        out[lead.rep] = "is no longer in the team"
    return out


def _place_as_asked(
    routing: RoutingState, agreement: Agreement, cause: ReassignReason, lead: Lead, now: datetime
) -> Placement:
    """Where a person wants the lead to go. Changes `routing`: a turn is taken."""
    rule = f"{MANUAL_RULE_PREFIX}{cause.by or 'hand'}"
    if cause.to_pool is not None:
        pool = agreement.pools.get(cause.to_pool)
        if pool is None:
            known = ", ".join(agreement.pools)
            raise Refused(f"The agreement has no pool {cause.to_pool!r}. It has: {known}.", pointer="/to/pool")
        without = {lead.rep: "had the lead until now"} if lead.rep is not None else None
        return in_pool(routing, agreement, pool, now, wanted={}, rule=rule, without=without)
    rep = cause.to_rep or ""
    if not _can_own(agreement, rep):
        able = ", ".join(each.id for each in agreement.owners if each.active)
        raise Refused(f"{cause.to_rep!r} can't own leads. Those who can: {able}.", pointer="/to/rep")
    if rep == lead.rep:
        raise Refused(f"{rep} has the lead already.", pointer="/to/rep")
    return _given_to(routing, agreement, lead, rep, rule, f"{cause.by or 'somebody'} gave it to {rep}", now)


def _given_to(
    routing: RoutingState, agreement: Agreement, lead: Lead, rep: str, rule: str, why: str, now: datetime
) -> Placement:
    """The rep gets the lead, no matter whether they are away or how many they have."""
    pool_name, state = pool_of(agreement, rep, lead.pool), routing.state(rep)
    away = absence(agreement.people[rep], state, now)
    if away is None:
        return Placement(rule, pool_name, rep, why)
    return Placement(rule, pool_name, rep, f"{why}, who is {away.why}", states={rep: state}, away=away.why)


def _reassigned(
    routing: RoutingState,
    agreement: Agreement,
    cause: ReassignReason,
    lead: Lead,
    placed: Placement,
    inquiry: InquiryReceived,
    now: datetime,
) -> Verdict:
    """The verdict that the placement comes to. Changes `routing`: the lead is saved."""
    before = routing.leads.get(lead.lead_id)
    base = replace(lead, version=lead.version + 1, updated_at=now, agreement=agreement.ref)
    reason = f"{_cause(cause, lead)}; {placed.why}"
    kind: VerdictKind
    event: Event
    if placed.rep is None:
        rule = placed.rule if cause.kind == "drained" else lead.rule
        kind, after = "parked", _parked(replace(base, rule=rule), placed.pool, reason)
        event = parked_event(after, placed.queue)
        routing.save(after)
    else:
        waited = lead.state == "parked"
        kind = "assigned" if waited else "reassigned"
        person = agreement.people[placed.rep]
        since_at = assigned_since(lead, person.id, cause.at, now)
        leave = leave_ahead(person, routing.state(person.id), now)
        base = replace(base, parked_at=None)
        after = with_owner(agreement, base, person, placed.pool, placed.rule, since_at, leave)
        event_type = LeadAssigned if waited else LeadReassigned
        arms = lead.arms if lead.assigned_at is None else ()
        event = assigned_event(
            event_type, agreement, after, previous=lead.rep, because=cause.kind, owner_away=placed.away, arms=arms
        )
        routing.assign_to(person, after, now)
    proof = proof_on(
        base,
        kind,
        reason,
        agreement=agreement.ref,
        now=now,
        inquiry=inquiry,
        moved_from=lead.rep,
        ask=cause,
        before=before,
        pilot=lead.pilot,
    )
    return Verdict(after, event, recorded(proof, placed), lead.inquiry_id)


def _parked(lead: Lead, pool: str, reason: str) -> Lead:
    return replace(
        lead,
        state="parked",
        pool=pool,
        reason=reason,
        parked_at=lead.parked_at or lead.updated_at,
        rep=None,
        assignment_id=None,
        respond_by=None,
        owner_leave=(),
    )


def _cause(cause: ReassignReason, lead: Lead) -> str:
    why = f": {cause.reason}" if cause.reason else ""
    return {
        "missed": f"{lead.rep} missed the promise",
        "declined": f"{lead.rep} gave the lead back{why}",
        "manual": f"moved by {cause.by or 'hand'}{why}",
        "left": f"{lead.rep} is no longer in the team",
        "on_leave": f"{lead.rep} went on leave",
        "reopened": f"accepted by {cause.by or 'sales'} after it had been rejected",
        "split": f"split by {cause.by}{why}",
        "rescored": f"another inquiry raised the score to {lead.score}",
        "drained": f"it waited for {lead.pool}",
    }[cause.kind]
