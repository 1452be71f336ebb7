"""A lead as the router knows it, and what sales' own words change about it."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared.domain.events import ActivityRecorded, AgreementRef
from shared.domain.lead import Company, Contact

STAGES = ("accepted", "rejected", "won", "lost")
"""Kinds of activity that change a lead; all but the first end it."""

HELD = ("assigned", "parked")
"""States in which a further inquiry of the same person joins the lead."""


class Lead(msgspec.Struct, frozen=True, omit_defaults=True):
    """A lead as the router knows it; `version` counts its changes, `generation` its owners."""

    lead_id: str
    version: int
    state: str
    stage: str
    score: int
    reason: str
    inquiry_id: str
    contact: Contact
    company: Company
    campaign: str | None
    channel: str | None
    received_at: datetime
    updated_at: datetime
    agreement: AgreementRef
    generation: int = 0
    rep: str | None = None
    pool: str | None = None
    rule: str | None = None
    reasons: tuple[str, ...] = ()
    assignment_id: str | None = None
    assigned_at: datetime | None = None
    respond_by: datetime | None = None
    missed_by: tuple[str, ...] = ()


def followed_by(lead: Lead, fact: ActivityRecorded, now: datetime) -> Lead | None:
    """The lead after sales accepted it, or after it ended (rejected, won, lost); None when the fact changes nothing."""
    if lead.state != "assigned" or fact.kind not in STAGES:
        return None
    after = replace(lead, version=lead.version + 1, updated_at=now)
    if fact.kind == "accepted":
        return replace(after, stage="sal")
    reason = f"{fact.kind} by {fact.by or 'sales'}" + (f": {fact.reason}" if fact.reason else "")
    return replace(after, state="closed", reason=reason)
