"""What the routes show: a lead, a rep, and both arms of a pilot. The fields are the contract with clients."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from services.router.domain.availability import Hold, Leave
from services.router.domain.lead import Lead
from services.router.domain.shadow import Shadow
from shared.domain.events import AgreementRef
from shared.domain.lead import Company, Contact


class OwnerView(msgspec.Struct, frozen=True):
    """Who has a lead, and since when."""

    rep: str
    pool: str | None
    assignment_id: str | None
    generation: int
    assigned_at: datetime | None
    respond_by: datetime | None


class LeadView(msgspec.Struct, frozen=True):
    """A lead as it stands."""

    lead_id: str
    version: int
    state: str
    stage: str
    score: int
    reason: str
    contact: Contact
    company: Company
    owner: OwnerView | None
    agreement: AgreementRef
    updated_at: datetime
    cycle: int
    into: str | None
    pilot: str | None
    parked_at: datetime | None
    waits_for: str | None


class WholeLeadView(LeadView, frozen=True):
    """A lead with the inquiries that make it up."""

    inquiries: Sequence[Mapping[str, Any]]


class Limits(msgspec.Struct, frozen=True):
    """How much a rep takes."""

    max_open: int | None
    max_new_per_day: int | None


class PoolShare(msgspec.Struct, frozen=True):
    """A rep's weight in a pool, and the turns they took."""

    weight: int
    turns: int


class RepView(msgspec.Struct, frozen=True):
    """Whether a rep can have a lead now, and if not, why; what they hold, and when they are away."""

    rep: str
    available: bool
    reason: str | None
    open: int
    new_today: int
    hold: Hold | None
    leave: tuple[Leave, ...]
    limits: Limits
    pools: Mapping[str, PoolShare]


class AvailabilityView(msgspec.Struct, frozen=True):
    """A rep's hold, or that it ended."""

    rep: str
    state: Literal["hold", "available"]
    until: datetime | None


class LeaveView(msgspec.Struct, frozen=True):
    """A rep's days off from now on."""

    rep: str
    leave: tuple[Leave, ...]


class LivePilotView(msgspec.Struct, frozen=True):
    """A pilot that decides some leads: the same figures for those leads and for the others. A share without data is
    null, never 0.
    """

    pilot: str
    mode: str
    agreement: AgreementRef
    since: datetime | None
    arms: Mapping[str, Mapping[str, int | Decimal | None]]


class ShadowPilotView(msgspec.Struct, frozen=True):
    """A pilot that decides nothing: counts of what it would have decided, and the latest differences."""

    pilot: str
    mode: str
    agreement: AgreementRef
    arms: Mapping[str, Any]
    differing: Sequence[Shadow]


def lead_view(lead: Lead) -> LeadView:
    """A lead as the contract has it."""
    return LeadView(
        lead_id=lead.lead_id,
        version=lead.version,
        state=lead.state,
        stage=lead.stage,
        score=lead.score,
        reason=lead.reason,
        contact=lead.contact,
        company=lead.company,
        owner=_owner(lead),
        agreement=lead.agreement,
        updated_at=lead.updated_at,
        cycle=lead.cycle,
        into=lead.into,
        pilot=lead.pilot,
        parked_at=lead.parked_at,
        waits_for=lead.pool if lead.state == "parked" else None,
    )


def whole_lead_view(lead: Lead, inquiries: Sequence[Mapping[str, Any]]) -> WholeLeadView:
    """A lead with its inquiries."""
    return WholeLeadView(**msgspec.structs.asdict(lead_view(lead)), inquiries=inquiries)


def _owner(lead: Lead) -> OwnerView | None:
    if lead.rep is None:
        return None
    return OwnerView(
        rep=lead.rep,
        pool=lead.pool,
        assignment_id=lead.assignment_id,
        generation=lead.generation,
        assigned_at=lead.assigned_at,
        respond_by=lead.respond_by,
    )
