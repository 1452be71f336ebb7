"""The shape of what the sides owe each other: promises, commitments, ladders, channels and feedback."""

from typing import Annotated, Any, Literal

import pydantic

from shared.agreement_file.text.block import (
    CONDITION,
    Answer,
    Block,
    Count,
    Empty,
    Integer,
    Length,
    Name,
    Offset,
    Share,
    Some,
    Text,
    Times,
)
from shared.domain.agreement import PromiseClock, PromisedBy

Role = Literal["rep", "manager", "ops", "marketing_lead", "sales_lead"]
Period = Literal["day", "week", "month", "quarter"]


class Threshold(Block):
    """The least score that will do."""

    at_least: Integer


_WITH_SCORE = {
    "type": "object",
    "description": "A score that the lead needs; a condition may stand next to it.",
    "properties": {
        "score": {
            "type": "object",
            "properties": {"at_least": {"type": "integer"}},
            "required": ["at_least"],
            "additionalProperties": False,
        }
    },
    "required": ["score"],
}
SegmentWhen = Annotated[Any, pydantic.WithJsonSchema({"anyOf": [_WITH_SCORE, CONDITION]})]


class Otherwise(Block):
    """The promise to other leads."""

    within: Length
    when: SegmentWhen = None
    otherwise: "Otherwise | None" = None


class SalesPromise(Block):
    """What a rep owes on each lead."""

    within: Length
    met_by: Annotated[list[Answer], Some]
    by: PromisedBy = "anyone"
    ladder: Text
    clock: PromiseClock = "rep_calendar"
    when: SegmentWhen = None
    otherwise: Otherwise | None = None


class FirstResponse(SalesPromise):
    """How soon a rep answers a new lead."""

    from_: Literal["assigned"] = pydantic.Field(default="assigned", alias="from")


class Attempts(SalesPromise):
    """How often a rep tries before giving up."""

    at_least: Count


class PauseBlock(Block):
    """For how long, how often, and for which promises the clock may stand still."""

    at_most: Length
    times: Annotated[int, pydantic.Field(ge=1, le=9)] = 1
    promises: Annotated[list[Literal["attempts", "disposition", "feedback"]], Some] | None = None


class SalesPromises(Block):
    """What sales owes."""

    first_response: FirstResponse
    attempts: Attempts | None = None
    disposition: SalesPromise | None = None
    acceptance: SalesPromise | None = None
    feedback: SalesPromise | None = None
    pause: PauseBlock | None = None


class Volume(Block):
    """How many qualified leads marketing brings that sales accepts."""

    mql_accepted: Count
    per: Period
    ladder: Text


class AcceptedShare(Block):
    """Which share of them sales accepts."""

    at_least: Share
    per: Period
    ladder: Text


class Completeness(Block):
    """In which share of them the fields are filled."""

    fields: Annotated[list[Text], Some]
    at_least: Share
    per: Period
    ladder: Text


class HandOffLatency(Block):
    """How soon 95 of 100 qualified leads are handed to sales."""

    p95: Length
    per: Period
    ladder: Text


class MarketingPromises(Block):
    """What marketing owes."""

    volume: Volume | None = None
    accepted_share: AcceptedShare | None = None
    completeness: Completeness | None = None
    hand_off_latency: HandOffLatency | None = None


class Triage(Block):
    """How long a lead may wait in a queue."""

    parked_within: Length
    ladder: Text


class Disputes(Block):
    """How soon a dispute is answered."""

    answered_within: Length
    ladder: Text


class HandOff(Block):
    """What follows when an inquiry has no verdict within `hand_off_within`."""

    ladder: Text


class OperationsPromises(Block):
    """What the teams owe each other behind the scenes."""

    hand_off: HandOff | None = None
    triage: Triage | None = None
    disputes: Disputes | None = None


class Promises(Block):
    """What the sides owe each other."""

    sales: SalesPromises
    marketing: MarketingPromises | None = None
    operations: OperationsPromises | None = None


class MoveBlock(Block):
    """To whom a lead moves."""

    within: Literal["pool"]


class StepBlock(Block):
    """One step of a ladder, or the line that repeats the last one."""

    at: Offset | None = None
    tell: Annotated[list[Role], Empty]
    move: MoveBlock | None = None
    page: bool = False
    if_: Literal["unanswered"] | None = pydantic.Field(default=None, alias="if")
    repeat: Times | None = None
    every: Length | None = None


class RejectBlock(Block):
    """A reason for which sales may reject."""

    code: Name
    needs: Literal["text"] | None = None
    only_after: Text | None = None


class Feedback(Block):
    """Feedback from sales."""

    reject_reasons: Annotated[list[RejectBlock], Empty]
    objections: Annotated[list[Text], Empty]
    dispute_within: Length | None = None
