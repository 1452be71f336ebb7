"""The shape of the agreement file, block by block.

A block is added by a model here, by taking its path out of `shared.agreement_file.planned`, and by building its value
in `shared.agreement_file.building` or a module beside it. Conditions are shaped by `shared.agreement_file.conditions`.
"""

from typing import Annotated, Any, Literal

import pydantic

from shared.agreement_file.values import Day, Every, Hours, Instant, Length, Offset, Times, Zone
from shared.domain.agreement import Review


class Block(pydantic.BaseModel):
    """One mapping of the file: no other keys than the named ones, and no value is bent to fit."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, pydantic.StringConstraints(min_length=1)]
Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Currency = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Z]{3}$")]
Mailbox = Annotated[str, pydantic.StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", to_lower=True)]
Some = pydantic.Field(min_length=1)


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
        """As the domain keeps it."""
        return Review(self.every, self.content_every)


class CalendarBlock(Block):
    """Working hours."""

    hours: dict[str, list[Hours]]
    timezone: Zone | None = None
    holidays: list[Text] = []
    closed: list[Day] = []


class Reasoned(Block):
    """An exclusion."""

    reason: Text
    when: Any


class Consent(Block):
    """On which grounds a lead may be spoken to."""

    basis: Annotated[list[Text], Some]


class Threshold(Block):
    """The least score that will do."""

    at_least: int


class MqlBlock(Block):
    """What a marketing qualified lead is."""

    minimum_data: list[Text] = []
    consent: Consent | None = None
    exclude: list[Reasoned] = []
    fit: Any = None
    score: Threshold | None = None
    hand_off_within: Length | None = None


class Definitions(Block):
    """The shared language."""

    mql: MqlBlock


class ScoreBlock(Block):
    """Points for a fact."""

    add: int
    reason: Text
    when: Any


class PersonBlock(Block):
    """A rep or a manager."""

    id: Name
    email: Mailbox
    calendar: Text | None = None
    languages: list[Text] = []
    reports_to: Text | None = None
    role: Literal["rep", "manager"] = "rep"


class Parking(Block):
    """Where leads wait."""

    park_in: Name


class PoolBlock(Block):
    """Members with their weights."""

    members: dict[str, int]
    strategy: Literal["weighted_turns"] = "weighted_turns"
    when_nobody_available: Parking | None = None


class Target(Block):
    """Where a rule sends a lead."""

    pool: Text


class RouteBlock(Block):
    """One routing rule."""

    name: Text
    to: Target
    when: Any = None


class PromiseWhen(Block):
    """Which leads get the promise, and not the one under `otherwise`."""

    score: Threshold


class Otherwise(Block):
    """The promise to all other leads."""

    within: Length


class FirstResponse(Block):
    """How soon a rep answers a new lead."""

    within: Length
    met_by: Annotated[list[Literal["call", "email", "meeting", "accepted", "rejected"]], Some]
    ladder: Text
    clock: Literal["rep_calendar", "wall"] = "rep_calendar"
    from_: Literal["assigned"] = pydantic.Field(default="assigned", alias="from")
    when: PromiseWhen | None = None
    otherwise: Otherwise | None = None


class SalesPromises(Block):
    """What sales owes."""

    first_response: FirstResponse


class Promises(Block):
    """What the sides owe each other."""

    sales: SalesPromises


class Move(Block):
    """To whom a lead moves."""

    within: Literal["pool"]


class StepBlock(Block):
    """One step of a ladder, or the line that repeats the last one."""

    at: Offset | None = None
    tell: list[Literal["rep", "manager", "ops"]] = []
    move: Move | None = None
    page: bool = False
    if_: Literal["unanswered"] | None = pydantic.Field(default=None, alias="if")
    repeat: Times | None = None
    every: Length | None = None


class RejectBlock(Block):
    """A reason for which sales may reject."""

    code: Name
    needs: Literal["text"] | None = None


class Feedback(Block):
    """What sales says back."""

    reject_reasons: list[RejectBlock] = []
    objections: list[Text] = []


class AgreementBlocks(Block):
    """The whole file. Each block may be missing here, so that the good ones can be checked when others are wrong."""

    agreement: Name | None = None
    version: Annotated[int, pydantic.Field(ge=1)] | None = None
    effective_from: Instant | None = None
    approved_by: ApprovedBy | None = None
    timezone: Zone | None = None
    currency: Currency | None = None
    review: ReviewBlock | None = None
    fields: dict[Text, Any] | None = None
    calendars: dict[Name, CalendarBlock] | None = None
    definitions: Definitions | None = None
    scoring: list[ScoreBlock] | None = None
    people: Annotated[list[PersonBlock], Some] | None = None
    pools: Annotated[dict[Name, PoolBlock], Some] | None = None
    routing: Annotated[list[RouteBlock], Some] | None = None
    promises: Promises | None = None
    ladders: dict[Name, list[StepBlock]] | None = None
    feedback: Feedback | None = None


REQUIRED = {
    "agreement": "give the agreement a name: `agreement: my-agreement`",
    "version": "count the versions: `version: 1`",
    "effective_from": "say from when it holds: `effective_from: 2026-01-01T00:00:00+01:00`",
    "approved_by": "both marketing and sales have to approve it, or it does not take effect",
    "timezone": "give the zone that dates and calendars are in: `timezone: Europe/Brussels`",
    "calendars": "say when people work, or `calendars: {always: {hours: {mon-sun: [00:00-24:00]}}}`",
    "people": "list who can own leads",
    "pools": "say who shares turns: `pools: {everybody: {members: {ann: 1}}}`",
    "routing": "without a rule every lead would be dropped: add `- {name: everyone else, to: {pool: ...}}`",
    "promises": "promise a first response: `promises: {sales: {first_response: ...}}`",
    "ladders": "say who is told when a promise is missed",
}
"""Blocks without which no agreement works, and what to write."""
