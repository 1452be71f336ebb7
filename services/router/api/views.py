"""What the routes show: a lead, a rep, and both arms of a pilot. The fields are the contract with clients."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from services.router.domain.availability import Hold, Leave
from services.router.domain.lead import Lead
from services.router.domain.shadow import Shadow
from shared.domain.agreement import PilotMode
from shared.domain.events import AgreementRef
from shared.domain.lead import Company, Contact, LeadStage, LeadState


class OwnerView(msgspec.Struct, frozen=True):
    """Who has a lead, and since when."""

    rep: str
    pool: str | None
    assignment_id: str | None
    generation: int
    assigned_at: datetime | None
    respond_by: datetime | None


class LeadView(msgspec.Struct, frozen=True, kw_only=True):
    """A lead; one that is asked for by its id with the inquiries that make it up, one that was moved with a `warning`
    if its new owner is away.
    """

    lead_id: str
    version: int
    state: LeadState
    stage: LeadStage
    score: int
    reason: str
    contact: Contact
    company: Company
    owner: OwnerView | None = None
    agreement: AgreementRef
    updated_at: datetime
    cycle: int
    into: str | None
    pilot: str | None
    test: bool
    maybe_same_person: Sequence[str]
    parked_at: datetime | None
    waits_for: str | None = None
    inquiries: Sequence[Mapping[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    warning: str | msgspec.UnsetType = msgspec.UNSET


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


class ProofsView(msgspec.Struct, frozen=True):
    """The newest verdicts on a lead, oldest first: each with its proof, whether it follows from its inputs, and what
    differs if not. `next_cursor` leads to the verdicts before them; None if there are none.
    """

    lead_id: str
    verdicts: Sequence[Mapping[str, Any]]
    next_cursor: str | None


class ArmView(msgspec.Struct, frozen=True):
    """What became of the leads of an arm: counts, and the shares of leads that qualify, of leads judged by sales that
    sales accepts, and of won or lost leads that are won. Without data a share is null, never 0. `first_at` and
    `last_at` are when the first and the last of the leads were received.
    """

    leads: int
    qualified: int
    rejected: int
    parked: int
    accepted: int
    won: int
    lost: int
    rejected_by_sales: int
    qualified_share: Decimal | None
    accepted_share: Decimal | None
    win_rate: Decimal | None
    first_at: datetime | None
    last_at: datetime | None


class LivePilotView(msgspec.Struct, frozen=True):
    """A live pilot: the same figures for the leads in its scope on which it decided first (`draft`), the first of
    them received at `since`, and on which the agreement in force did (`in_force`), while the pilot was in shadow.
    """

    pilot: str
    mode: PilotMode
    agreement: AgreementRef
    since: datetime | None
    arms: Mapping[str, ArmView]


class ShadowPilotView(msgspec.Struct, frozen=True):
    """A pilot that decides nothing: counts of what it would have decided, and the latest differences. `decided` has
    the figures of a live pilot's arms: `draft` are leads from when it was live.
    """

    pilot: str
    mode: PilotMode
    agreement: AgreementRef
    arms: Mapping[str, Any]
    differing: Sequence[Shadow]
    decided: Mapping[str, ArmView]


def lead_view(lead: Lead, inquiries: Sequence[Mapping[str, Any]] | msgspec.UnsetType = msgspec.UNSET) -> LeadView:
    """A lead as the contract has it."""
    owner = msgspec.convert(lead, OwnerView, from_attributes=True) if lead.rep is not None else None
    view = msgspec.convert(lead, LeadView, from_attributes=True)
    waits_for = lead.pool if lead.state == "parked" else None
    return replace(view, owner=owner, waits_for=waits_for, inquiries=inquiries)
