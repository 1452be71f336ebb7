"""One inquiry, one verdict: the lead before and after it, the event that says so, and the proof.

Every inquiry ends assigned, parked, rejected or merged. A person whose lead is in somebody's hands is joined to it
and keeps that owner; one who was rejected, or whose lead is closed, is judged anew. A test inquiry is judged to the
end, but nobody gets it.
"""

from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from services.router.domain.assignment import Turn, Turns, take_turn
from services.router.domain.lead import HELD, Lead
from services.router.domain.proof import Proof, turn_of
from services.router.domain.qualification import Judgement, judge, route
from shared.bus.envelope import event_id, instant
from shared.domain.agreement import Agreement, Person, Pool
from shared.domain.conditions import facts_of
from shared.domain.events import (
    Event,
    InquiryReceived,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
    MoveRequested,
    RepRef,
)
from shared.domain.lead import Company, Contact
from shared.domain.promises import owed

Facts = TypeVar("Facts", Contact, Company)


class Verdict(msgspec.Struct, frozen=True):
    """What was decided: the lead as it is from now on, the event to announce, the proof to keep."""

    lead: Lead
    event: Event
    proof: Proof
    inquiry_id: str


def decide(
    agreement: Agreement,
    inquiry: InquiryReceived,
    lead: Lead | None,
    turns: MutableMapping[str, Turns],
    now: datetime,
) -> Verdict:
    """The verdict on one inquiry. `lead` is what we have of this person; `turns` is brought forward when a turn is
    taken.
    """
    if lead is not None and lead.state in HELD:
        return _join(agreement, inquiry, lead, now)
    facts = facts_of(inquiry)
    judgement = judge(agreement, inquiry, facts)
    base = _lead(agreement, inquiry, lead, judgement, now)
    if not judgement.qualified:
        return _reject(agreement, inquiry, base, judgement, now)
    rule = route(agreement, facts)
    pool = agreement.pools[rule.pool]
    if inquiry.test:
        would = f"a test: valid, rule '{rule.name}' would send it to {pool.name}"
        return _reject(agreement, inquiry, base, replace(judgement, reason=would), now)
    turn = _turn(pool, turns, without=())
    if turn is None:
        return _park(agreement, inquiry, base, judgement, pool, now)
    held = _held(agreement, base, agreement.people[turn.rep], pool.name, rule.name, now)
    proof = Proof(
        verdict="assigned",
        reason=f"rule '{rule.name}' sends it to {pool.name}; {turn.rep} is {turn.why}",
        rule=rule.name,
        turn=turn_of(turn, pool.name, pool.members, {}),
        **_common(agreement, inquiry, held, judgement, now),
    )
    return Verdict(held, _assigned(LeadAssigned, agreement, held, previous=None), proof, inquiry.inquiry_id)


def move(
    agreement: Agreement, asked: MoveRequested, lead: Lead, turns: MutableMapping[str, Turns], now: datetime
) -> Verdict | None:
    """Give the lead to a member of its pool who has not missed it yet; None when the ask is out of date or nobody is
    left, so that a lead does not go round for ever.
    """
    if lead.state != "assigned" or lead.generation != asked.generation or lead.pool is None:
        return None
    pool = agreement.pools.get(lead.pool)
    missed_by = (*lead.missed_by, str(lead.rep))
    turn = _turn(pool, turns, without=missed_by) if pool is not None else None
    if pool is None or turn is None:
        return None
    base = replace(lead, version=lead.version + 1, updated_at=now, agreement=agreement.ref, missed_by=missed_by)
    moved = _held(agreement, base, agreement.people[turn.rep], pool.name, lead.rule or "", now)
    candidates = {rep: weight for rep, weight in pool.members.items() if rep not in missed_by}
    passed_over = dict.fromkeys(missed_by, "had the lead and missed the promise")
    proof = Proof(
        verdict="reassigned",
        reason=f"{lead.rep} missed the promise; {turn.rep} is {turn.why}",
        lead_version=moved.version,
        agreement=agreement.ref,
        decided_at=instant(now),
        stage=moved.stage,
        score=moved.score,
        rule=lead.rule,
        turn=turn_of(turn, pool.name, candidates, passed_over),
        moved_from=lead.rep,
    )
    return Verdict(moved, _assigned(LeadReassigned, agreement, moved, previous=lead.rep), proof, lead.inquiry_id)


def _turn(pool: Pool, turns: MutableMapping[str, Turns], *, without: tuple[str, ...]) -> Turn | None:
    available = pool.members
    if without:
        available = {rep: weight for rep, weight in available.items() if rep not in without}
    if not available:
        return None
    turn = take_turn(turns.get(pool.name, Turns()), available)
    turns[pool.name] = turn.after
    return turn


def _lead(
    agreement: Agreement, inquiry: InquiryReceived, before: Lead | None, judgement: Judgement, now: datetime
) -> Lead:
    return Lead(
        lead_id=inquiry.lead_id,
        version=before.version + 1 if before else 1,
        state="received",
        stage=judgement.stage,
        score=judgement.score,
        reason=judgement.reason,
        inquiry_id=inquiry.inquiry_id,
        contact=_filled(inquiry.contact, before.contact) if before else inquiry.contact,
        company=_filled(inquiry.company, before.company) if before else inquiry.company,
        campaign=inquiry.campaign,
        channel=inquiry.channel,
        received_at=inquiry.accepted_at,
        updated_at=now,
        agreement=agreement.ref,
        generation=before.generation if before else 0,
        reasons=judgement.reasons,
    )


def _held(agreement: Agreement, lead: Lead, person: Person, pool: str, rule: str, now: datetime) -> Lead:
    generation = lead.generation + 1
    due = [promise.due_at for promise in owed(agreement, rep=person.id, score=lead.score, assigned_at=now)]
    return replace(
        lead,
        state="assigned",
        generation=generation,
        rep=person.id,
        pool=pool,
        rule=rule,
        assignment_id=event_id("assignment", lead.lead_id, generation).replace("ev_", "as_"),
        assigned_at=now,
        respond_by=min(due, default=None),
    )


def _assigned(kind: type[LeadAssigned], agreement: Agreement, lead: Lead, *, previous: str | None) -> LeadAssigned:
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
    )


def _reject(agreement: Agreement, inquiry: InquiryReceived, base: Lead, judgement: Judgement, now: datetime) -> Verdict:
    lead = replace(base, state="rejected")
    common = _common(agreement, inquiry, lead, judgement, now)
    proof = Proof(verdict="rejected", reason=judgement.reason, **common)
    return Verdict(
        lead, LeadRejected(**_decided(agreement, inquiry, lead, judgement.reason, now)), proof, inquiry.inquiry_id
    )


def _park(
    agreement: Agreement,
    inquiry: InquiryReceived,
    base: Lead,
    judgement: Judgement,
    pool: Pool,
    now: datetime,
) -> Verdict:
    queue = pool.park_in or pool.name
    reason = f"nobody in {pool.name} is available; it waits in {queue}"
    lead = replace(base, state="parked", pool=pool.name, reason=reason)
    common = _common(agreement, inquiry, lead, judgement, now)
    proof = Proof(verdict="parked", reason=reason, **common)
    event = LeadParked(queue=queue, **_decided(agreement, inquiry, lead, reason, now))
    return Verdict(lead, event, proof, inquiry.inquiry_id)


def _join(agreement: Agreement, inquiry: InquiryReceived, lead: Lead, now: datetime) -> Verdict:
    holder = f"{lead.rep} keeps it" if lead.rep else "it still waits for an owner"
    reason = f"the same person is lead {lead.lead_id} already; {holder}"
    joined = replace(
        lead,
        version=lead.version + 1,
        updated_at=now,
        contact=_filled(lead.contact, inquiry.contact),
        company=_filled(lead.company, inquiry.company),
    )
    proof = Proof(
        verdict="merged",
        reason=reason,
        lead_version=joined.version,
        agreement=agreement.ref,
        decided_at=instant(now),
        inquiry=inquiry,
        stage=joined.stage,
        score=joined.score,
        joined=lead.inquiry_id,
    )
    event = LeadMerged(rep=lead.rep, **_decided(agreement, inquiry, joined, reason, now))
    return Verdict(joined, event, proof, inquiry.inquiry_id)


def _common(
    agreement: Agreement, inquiry: InquiryReceived, lead: Lead, judgement: Judgement, now: datetime
) -> dict[str, Any]:
    return {
        "lead_version": lead.version,
        "agreement": agreement.ref,
        "decided_at": instant(now),
        "inquiry": inquiry,
        "stage": judgement.stage,
        "score": judgement.score,
        "score_parts": judgement.reasons,
    }


def _decided(agreement: Agreement, inquiry: InquiryReceived, lead: Lead, reason: str, now: datetime) -> dict[str, Any]:
    return {
        "lead_id": lead.lead_id,
        "lead_version": lead.version,
        "inquiry_id": inquiry.inquiry_id,
        "decided_at": now,
        "reason": reason,
        "stage": lead.stage,
        "score": lead.score,
        "agreement": agreement.ref,
    }


def _filled(first: Facts, other: Facts) -> Facts:
    """`first`, with what it does not say taken from `other`."""
    missing = {name: getattr(other, name) for name in first.__struct_fields__ if getattr(first, name) is None}
    return msgspec.structs.replace(first, **missing)
