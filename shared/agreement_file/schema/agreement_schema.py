"""The shape of the agreement file, block by block.

What the sides owe each other is in `promise_schema`. Conditions are shaped by `shared.agreement_file.conditions`. The
order of the keys here is the order in which a formatted file has them.
"""

from typing import Annotated, Literal

from shared.agreement_file.schema.channel_schema import Channels
from shared.agreement_file.schema.duty_schema import DutyBlock, DutyRole
from shared.agreement_file.schema.promise_schema import Feedback, Promises, StepBlock, Threshold
from shared.agreement_file.schema.quiet_schema import Quiet
from shared.agreement_file.schema.silence_schema import SilenceBlock
from shared.agreement_file.text.block import (
    Address,
    Block,
    Closed,
    Count,
    Currency,
    Day,
    Empty,
    Every,
    FactKind,
    Hours,
    Instant,
    Length,
    Mailbox,
    Name,
    Points,
    Some,
    Target,
    Text,
    Wanted,
    When,
    Zone,
    one_of,
)
from shared.domain.agreement import OnLeave, PilotMode
from shared.domain.approvals import Review


class Signature(Block):
    """Who signed for a side."""

    name: Text
    on: Day


class ApprovedBy(Block):
    """Both sides' signatures."""

    marketing: Signature
    sales: Signature


class ReviewBlock(Block):
    """How often both sides meet."""

    every: Every
    content_every: Every | None = None

    def value(self) -> Review:
        """The domain's value."""
        return Review(self.every, self.content_every)


class OpenBlock(Block):
    """A date with hours of its own."""

    on: Day
    hours: Annotated[list[Hours], Some]


class CalendarBlock(Block):
    """Working hours."""

    hours: dict[str, list[Hours]]
    timezone: Zone | None = None
    holidays: Annotated[list[Text], Empty]
    closed: Annotated[list[Closed], Empty]
    open: Annotated[list[OpenBlock], Empty]


class Reasoned(Block):
    """An exclusion."""

    reason: Text
    when: When


class ConsentBlock(Block):
    """On which grounds a lead may be spoken to."""

    basis: Annotated[list[Text], Some]


class MqlBlock(Block):
    """What a marketing qualified lead is."""

    minimum_data: Annotated[list[Text], Empty]
    consent: ConsentBlock | None = None
    exclude: Annotated[list[Reasoned], Empty]
    fit: When = None
    score: Threshold | None = None
    hand_off_within: Length | None = None


class SqlBlock(Block):
    """What a rep confirms before a lead counts as qualified by sales."""

    needs: Annotated[list[Name], Some]


class Definitions(Block):
    """The shared language."""

    mql: MqlBlock
    sql: SqlBlock | None = None


class ScoreBlock(Block):
    """Points for a fact."""

    model_config = one_of("when", "cel")

    add: Points
    reason: Text
    when: When = None
    cel: Text | None = None


class DecayBlock(Block):
    """How fast points for what someone did fade."""

    half_life: Length


class PersonBlock(Block):
    """A rep or a manager."""

    id: Name
    email: Mailbox
    calendar: Text | None = None
    languages: Annotated[list[Text], Empty]
    skills: Annotated[list[Text], Empty]
    territories: Annotated[list[Text], Empty]
    reports_to: Text | None = None
    deputy: Text | None = None
    on_leave: OnLeave | None = None
    role: Literal["rep", "manager"] = "rep"
    max_open: Count | None = None
    max_new_per_day: Count | None = None
    active: bool = True


class Parking(Block):
    """Where leads wait."""

    park_in: Name


class PoolBlock(Block):
    """Members with their weights."""

    members: dict[str, int]
    strategy: Literal["weighted_turns", "least_open"] = "weighted_turns"
    only_in_hours: bool = False
    when_nobody_available: Parking | None = None


class QueueBlock(Block):
    """Who sees to the leads that wait."""

    owner: Text | None = None


class OnlyBlock(Block):
    """What a member of the pool must have to get the lead."""

    languages: Wanted | None = None
    skills: Wanted | None = None
    territories: Wanted | None = None


class To(Block):
    """Where a rule sends a lead: to a pool or to an owner."""

    model_config = one_of("pool", "owner")

    pool: Text | None = None
    only: OnlyBlock | None = None
    owner: Literal["account", "lead"] | None = None


class RouteBlock(Block):
    """One routing rule."""

    name: Text
    when: When = None
    to: To
    unless_away_for: Length | None = None


class ContentBlock(Block):
    """Material for buyers."""

    id: Name
    title: Text
    url: Address
    answers: Annotated[list[Text], Empty]
    owner: Literal["marketing", "sales"] = "marketing"


class GoalBlock(Block):
    """What both sides want to reach."""

    name: Text
    kpi: Name
    target: Target
    by: Day
    celebrate_in: Text | None = None


class PilotBlock(Block):
    """Another agreement for some of the leads."""

    name: Text
    scope: When
    agreement: Text
    mode: PilotMode


class AgreementBlocks(Block):
    """The whole file. Each block is optional here, so that valid blocks can be checked if others are invalid."""

    agreement: Name | None = None
    version: Count | None = None
    effective_from: Instant | None = None
    approved_by: ApprovedBy | None = None
    timezone: Zone | None = None
    currency: Currency | None = None
    review: ReviewBlock | None = None
    on_leave: OnLeave | None = None
    fields: dict[Text, FactKind] | None = None
    calendars: dict[Name, CalendarBlock] | None = None
    definitions: Definitions | None = None
    scoring: list[ScoreBlock] | None = None
    decay: DecayBlock | None = None
    people: Annotated[list[PersonBlock], Some] | None = None
    pools: Annotated[dict[Name, PoolBlock], Some] | None = None
    queues: dict[Name, QueueBlock] | None = None
    routing: Annotated[list[RouteBlock], Some] | None = None
    promises: Promises | None = None
    ladders: dict[Name, list[StepBlock]] | None = None
    duty: dict[DutyRole, DutyBlock] | None = None
    silences: list[SilenceBlock] | None = None
    quiet_hours: dict[Text, Quiet] | None = None
    channels: dict[Text, Channels] | None = None
    feedback: Feedback | None = None
    content: list[ContentBlock] | None = None
    goals: list[GoalBlock] | None = None
    pilots: list[PilotBlock] | None = None


REQUIRED = {
    "agreement": "give the agreement a name: `agreement: my-agreement`",
    "version": "count the versions: `version: 1`",
    "effective_from": "say from when it holds: `effective_from: 2026-01-01T00:00:00+01:00`",
    "approved_by": "both marketing and sales have to approve it, or it does not take effect",
    "timezone": "give the zone that dates and calendars are in: `timezone: Europe/Brussels`",
    "calendars": "say when people work, or `calendars: {always: {hours: {mon-sun: [00:00-24:00]}}}`",
    "people": "list who can own leads",
    "pools": "say who shares turns: `pools: {everyone: {members: {ann: 1}}}`",
    "routing": "without a rule every lead would be dropped: add `- {name: everyone else, to: {pool: ...}}`",
    "promises": "promise a first response: `promises: {sales: {first_response: ...}}`",
    "ladders": "say who is told when a promise is missed",
}
"""Blocks without which no agreement works, and what to write."""
