"""The lead after a recorded verdict, without personal data."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.router.domain.formats import BOTH_LEADS_END, OLDEST_FORMAT, WHOLE_PERSON
from services.router.domain.lead import (
    Lead,
    first_received_at,
    joined_later,
)
from services.router.domain.lead_ends import released
from services.router.domain.placement import pool_of
from services.router.domain.proof import ON_LEAVE
from services.router.domain.reassignment import reopened
from services.router.domain.verdict import assigned_since
from services.router.simulation.record_reader import RecordedVerdict
from shared.domain.agreement import Agreement
from shared.domain.lead import Company, Contact, LeadState

NO_CONTACT, NO_COMPANY = Contact(), Company()
ROUTED_AGAIN = ("drained", "rejudged")
"""Kinds of reasons for which a lead goes where the rules of the agreement send it."""


def after_joining(lead: Lead, verdict: RecordedVerdict) -> Lead:
    """The lead that the inquiry of the verdict joined."""
    assert verdict.inquiry is not None and verdict.before is not None, "an inquiry joined a lead"  # noqa: S101, PT018
    received_at = first_received_at(replace(lead, cycle=verdict.before.cycle), verdict.inquiry)
    # The score of a lead that someone has changes with their promises, by a verdict of its own.
    score = verdict.score if lead.state == "parked" else lead.score
    later = joined_later(lead, verdict.inquiry) if verdict.format >= WHOLE_PERSON else ()
    return replace(lead, received_at=received_at, score=score, later=later)


def merged_into(lead: Lead, into: str, *, was: LeadState | None, since: datetime | None = None) -> Lead:
    """The lead, which was in the state `was`, as a part of another; both are one person `since` then."""
    lead = replace(lead, state="merged", was=was, into=into, one_person_since=since)
    return replace(lead, rep=None, parked_at=None, respond_by=None)


def one_person_since(verdict: RecordedVerdict) -> datetime | None:
    """Since when the leads that the verdict merged are one person's; None by the rules of an earlier release."""
    if verdict.format < BOTH_LEADS_END:
        return None
    return verdict.inquiry.accepted_at if verdict.ask is None and verdict.inquiry is not None else verdict.decided_at


def lead_after(lead_id: str, verdict: RecordedVerdict, before: Lead | None, agreement: Agreement) -> Lead:
    """The lead after a verdict, without personal data."""
    inquiry = verdict.inquiry
    afresh: dict[str, Any] = {"segments": verdict.segments}
    if verdict.ask is None and inquiry is not None:
        afresh |= {"received_at": inquiry.accepted_at, "channel": inquiry.channel, "campaign": inquiry.campaign}
        afresh |= {"reopened_at": None, "accepted_at": None, "sales_rejected": False, "later": ()}
    before = before or _first(lead_id, verdict, afresh)
    if verdict.ask is not None and verdict.ask.kind == "reopened":
        before = reopened(before, verdict.ask)
    if verdict.ask is not None and verdict.ask.kind == "split":
        before = released(before)
    owned = verdict.verdict in ("assigned", "reassigned")
    pool = None if verdict.verdict == "rejected" else _pool(verdict, before, agreement)
    assigned_at = before.assigned_at if verdict.ask is not None else None
    if owned:
        reopened_at = verdict.ask.at if verdict.ask is not None else None
        assigned_at = assigned_since(before, str(verdict.rep), reopened_at, verdict.decided_at)
    # A person requested it: the rule by which it waits stays that of its last owner.
    by_request = verdict.ask is not None and not owned and verdict.ask.kind not in ROUTED_AGAIN
    rule = before.rule if by_request else verdict.rule
    return replace(
        before,
        version=before.version + 1,
        state="assigned" if owned else verdict.verdict,
        stage=verdict.stage,
        score=verdict.score,
        rep=verdict.rep if owned else None,
        last_rep=verdict.rep if owned else before.last_rep,
        pool=pool,
        rule=rule if verdict.verdict != "rejected" else None,
        generation=before.generation + owned,
        assigned_at=assigned_at,
        respond_by=None,
        parked_at=_parked_at(verdict, before),
        updated_at=verdict.decided_at,
        agreement=verdict.agreement,
        pilot=verdict.pilot,
        outcome=None if verdict.ask is None else before.outcome,
        test=inquiry is not None and inquiry.test and verdict.format > OLDEST_FORMAT,
        **afresh,
    )


def _parked_at(verdict: RecordedVerdict, before: Lead) -> datetime | None:
    """Since when the lead waits after the verdict; one that waited and was routed elsewhere keeps its place."""
    if verdict.verdict != "parked":
        return None
    waited = verdict.ask is not None and before.state == "parked"
    return (before.parked_at if waited else None) or verdict.decided_at


def _first(lead_id: str, verdict: RecordedVerdict, afresh: dict[str, Any]) -> Lead:
    assert verdict.inquiry is not None, "a lead begins with an inquiry"  # noqa: S101
    return Lead(
        lead_id=lead_id,
        version=0,
        state="received",
        stage="",
        score=0,
        reason="",
        inquiry_id=verdict.inquiry.inquiry_id,
        contact=NO_CONTACT,
        company=NO_COMPANY,
        updated_at=verdict.decided_at,
        agreement=verdict.agreement,
        **afresh,
    )


def _pool(verdict: RecordedVerdict, before: Lead, agreement: Agreement) -> str:
    """The pool in which the lead is after the verdict; no proof names it unless someone took a turn."""
    if verdict.turn is not None:
        return verdict.turn.pool
    if verdict.verdict == "parked":
        rerouted = verdict.ask is not None and verdict.ask.kind in ROUTED_AGAIN
        if verdict.ask is not None and not rerouted and (verdict.ask.to_pool or before.pool in agreement.pools):
            return verdict.ask.to_pool or str(before.pool)
        return str(next(route.pool for route in agreement.routing if route.name == verdict.rule))
    same = before.pool
    in_its_pool = verdict.ask is not None and verdict.ask.kind == ON_LEAVE and before.pool in agreement.pools
    if verdict.account is not None and _asks_account(verdict, agreement) and not in_its_pool:
        same = verdict.account.pool
    return pool_of(agreement, verdict.rep, same)


def _asks_account(verdict: RecordedVerdict, agreement: Agreement) -> bool:
    route = next((each for each in agreement.routing if each.name == verdict.rule), None)
    return route is not None and route.owner == "account"
