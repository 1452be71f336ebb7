"""A lead changes hands: because the promise was missed, the rep gave it back, a person decided, the owner left the
team, or a parked lead's time has come.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.router.domain.desk import Desk
from services.router.domain.lead import Lead
from services.router.domain.placement import Placement, in_pool, last_owner, place, wanted_of
from services.router.domain.proof import Ask, Proof, known_facts
from shared.bus.envelope import event_id
from shared.domain.agreement import Agreement, Person
from shared.domain.errors import Refused
from shared.domain.events import Event, InquiryReceived, LeadAssigned, LeadParked, LeadReassigned, RepRef
from shared.domain.promises import owed, respond_by

BY_HAND = "moved by "
"""How the rule is called where a person decided; a lead that waits since then goes on waiting for that pool."""


class Verdict(msgspec.Struct, frozen=True):
    """What was decided: the lead as it is from now on, the event to announce, the proof to keep.

    `ceased` are other leads of the same person that go on as this one, `also` the events that say so. `errors` are
    those of conditions that failed and counted as a fact that is not there.
    """

    lead: Lead
    event: Event
    proof: Proof
    inquiry_id: str
    ceased: tuple[Lead, ...] = ()
    also: tuple[Event, ...] = ()
    errors: tuple[str, ...] = ()


def hand_on(
    agreement: Agreement, ask: Ask, lead: Lead, inquiry: InquiryReceived, desk: Desk, now: datetime
) -> Verdict | None:
    """The verdict that gives the lead to somebody else; None when it stays where it is.

    A lead that was missed stays when nobody of its pool is left who has not missed it, so that it does not go round
    for ever; one that was given back, or whose owner left, waits in the queue instead. `inquiry` is the one that made
    it a lead. Raises Refused when a person asks for what can't be.
    """
    agreement = ruling(agreement, lead)
    placed, lead = _placed(agreement, ask, lead, inquiry, desk, now)
    if placed is None or (placed.rep is None and (ask.kind in ("missed", "drained") or lead.state == "parked")):
        return None
    return _handed(agreement, ask, lead, placed, inquiry, desk, now)


def ruling(agreement: Agreement, lead: Lead) -> Agreement:
    """The agreement for a lead: that of its pilot, as long as there is one, else the one in force."""
    return next((each.agreement for each in agreement.pilots if each.name == lead.pilot), agreement)


def _placed(
    agreement: Agreement, ask: Ask, lead: Lead, inquiry: InquiryReceived, desk: Desk, now: datetime
) -> tuple[Placement | None, Lead]:
    if ask.kind == "manual":
        return _asked_for(agreement, ask, lead, desk, now), lead
    if ask.kind == "missed":
        lead = replace(lead, missed_by=(*lead.missed_by, str(lead.rep)))
    if ask.kind == "declined":
        lead = replace(lead, declined_by=(*lead.declined_by, str(lead.rep)))
    facts = known_facts(inquiry, lead, None, now, again=True)
    without = _without(ask, lead)
    pool = agreement.pools.get(lead.pool or "")
    rule = next((each for each in agreement.routing if each.name == lead.rule), None)
    by_hand = rule is None and pool is not None and str(lead.rule).startswith(BY_HAND)
    if (ask.kind == "drained" and not by_hand) or (pool is None and ask.kind != "missed"):
        last = last_owner(lead, lead.earlier_rep) if lead.earlier_rep not in without else None
        return place(agreement, facts, desk, now, last=last, without=without), lead
    if pool is None:
        return None, lead
    wanted = wanted_of(rule.only, facts) if rule is not None else {}
    return in_pool(agreement, pool, desk, now, wanted=wanted, rule=lead.rule or "", without=without), lead


def _without(ask: Ask, lead: Lead) -> dict[str, str]:
    out = dict.fromkeys(lead.declined_by, "gave the lead back")
    out |= dict.fromkeys(lead.missed_by, "had the lead and missed the promise")
    if ask.kind == "left" and lead.rep is not None:
        out[lead.rep] = "is no longer in the team"
    return out


def _asked_for(agreement: Agreement, ask: Ask, lead: Lead, desk: Desk, now: datetime) -> Placement:
    rule = f"{BY_HAND}{ask.by or 'hand'}"
    if ask.to_pool is not None:
        pool = agreement.pools.get(ask.to_pool)
        if pool is None:
            known = ", ".join(agreement.pools)
            raise Refused(f"The agreement has no pool {ask.to_pool!r}. It has: {known}.", pointer="/to/pool")
        without = {lead.rep: "had the lead until now"} if lead.rep is not None else None
        return in_pool(agreement, pool, desk, now, wanted={}, rule=rule, without=without)
    person = agreement.people.get(ask.to_rep or "")
    if person is None or not person.active or person.calendar is None:
        able = ", ".join(each.id for each in agreement.people.values() if each.active and each.calendar is not None)
        raise Refused(f"{ask.to_rep!r} can't own leads. Those who can: {able}.", pointer="/to/rep")
    if person.id == lead.rep:
        raise Refused(f"{person.id} has the lead already.", pointer="/to/rep")
    mine = [name for name, pool in agreement.pools.items() if person.id in pool.members]
    pool_name = lead.pool if lead.pool in mine else next(iter(mine), "")
    return Placement(rule, str(pool_name), person.id, f"{ask.by or 'somebody'} gave it to {person.id}")


def _handed(
    agreement: Agreement,
    ask: Ask,
    lead: Lead,
    placed: Placement,
    inquiry: InquiryReceived,
    desk: Desk,
    now: datetime,
) -> Verdict:
    base = replace(lead, version=lead.version + 1, updated_at=now, agreement=agreement.ref)
    reason = f"{_because(ask, lead)}; {placed.why}"
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
        "ask": ask,
        "before": desk.leads.get(lead.lead_id),
        "states": placed.states,
        "passed_over": placed.passed_over,
        "pilot": lead.pilot,
    }
    if placed.rep is None:
        return _parked(base, placed, record, desk, now)
    waited = lead.state == "parked"
    person = agreement.people[placed.rep]
    after = held(agreement, replace(base, parked_at=None), person, placed.pool, placed.rule, now)
    desk.hand_to(person, after, now)
    kind = LeadAssigned if waited else LeadReassigned
    event = assigned(kind, agreement, after, previous=lead.rep, because=ask.kind)
    proof = Proof(verdict="assigned" if waited else "reassigned", **record)
    return Verdict(after, event, proof, lead.inquiry_id)


def _parked(base: Lead, placed: Placement, record: dict[str, Any], desk: Desk, now: datetime) -> Verdict:
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
    desk.keep(lead)
    event = LeadParked(queue=placed.queue, **decided(lead, lead.reason))
    return Verdict(lead, event, Proof(verdict="parked", **record), lead.inquiry_id)


def _because(ask: Ask, lead: Lead) -> str:
    said = f": {ask.reason}" if ask.reason else ""
    return {
        "missed": f"{lead.rep} missed the promise",
        "declined": f"{lead.rep} gave the lead back{said}",
        "manual": f"moved by {ask.by or 'hand'}{said}",
        "left": f"{lead.rep} is no longer in the team",
        "drained": f"it waited for {lead.pool}",
    }[ask.kind]


def held(agreement: Agreement, lead: Lead, person: Person, pool: str, rule: str, now: datetime) -> Lead:
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
        assignment_id=event_id("assignment", lead.lead_id, generation).replace("ev_", "as_"),
        assigned_at=now,
        respond_by=respond_by(promised),
    )


def assigned(
    kind: type[LeadAssigned],
    agreement: Agreement,
    lead: Lead,
    *,
    previous: str | None = None,
    because: str | None = None,
) -> LeadAssigned:
    """The event that says who has the lead now."""
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


def decided(lead: Lead, reason: str) -> dict[str, Any]:
    """What events without a new owner say."""
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
