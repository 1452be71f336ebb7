"""Responses to accepted facts: one result per item, in the order of the items."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.ingest.domain.pending_event import Accepted, PendingEvent


class LeadResult(msgspec.Struct, frozen=True):
    """What became of one lead."""

    status: str
    inquiry_id: str
    lead_id: str


class ActivityResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one activity. Promises count it from `counts_at`; without it, from when it was accepted."""

    status: str
    activity_id: str
    lead_id: str
    counts_at: datetime | None = None


class Results(msgspec.Struct, frozen=True):
    """The response to an accepted request, one result per item in order."""

    results: list[LeadResult] | list[ActivityResult]


_encode = msgspec.json.Encoder().encode


def lead_results(outcomes: Sequence[Accepted]) -> bytes:
    """The answer's body for leads."""
    return _encode(Results([LeadResult(_status(o), o.id, o.lead_id) for o in outcomes]))


def activity_results(pending_events: Sequence[PendingEvent], outcomes: Sequence[Accepted]) -> bytes:
    """The answer's body for activities; each is named by the sender's own id, if it has one."""
    pairs = zip(pending_events, outcomes, strict=True)
    return _encode(Results([_activity_result(each, outcome) for each, outcome in pairs]))


def _activity_result(sent: PendingEvent, outcome: Accepted) -> ActivityResult:
    counts_at = None if outcome.duplicate else sent.happened_at
    return ActivityResult(_status(outcome), sent.shown_id or outcome.id, outcome.lead_id, counts_at)


def _status(outcome: Accepted) -> str:
    if outcome.duplicate:
        return "duplicate"
    return "waiting" if outcome.waiting else "accepted"
