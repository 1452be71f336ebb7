"""The base of all events, the topics they travel on, and the references that several of them have."""

from datetime import datetime
from typing import ClassVar

import msgspec

INQUIRIES = "baton.inquiries.v1"
ACTIVITIES = "baton.activities.v1"
ASSIGNMENTS = "baton.assignments.v1"
ESCALATIONS = "baton.escalations.v1"
QUARANTINE = "baton.quarantine.v1"
TOPICS = (INQUIRIES, ACTIVITIES, ASSIGNMENTS, ESCALATIONS, QUARANTINE)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all events: a type name, a topic, and the lead (or source) that is the record's key."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]

    lead_id: str


class AgreementRef(msgspec.Struct, frozen=True):
    """The agreement under which a decision was made; `hash` is `sha256:` and the digest of its content."""

    name: str
    version: int
    hash: str


class RepRef(msgspec.Struct, frozen=True):
    """A rep in an event."""

    id: str
    email: str


class PilotArm(msgspec.Struct, frozen=True):
    """A pilot in whose scope a lead is, and what decided on the lead first: its draft, or the agreement in force."""

    pilot: str
    arm: str


class PromiseSegment(msgspec.Struct, frozen=True):
    """In which segment of a promise a lead is: 1 is the first in the agreement. 0 is none: nothing is promised."""

    promise: str
    segment: int


class LeaveInterval(msgspec.Struct, frozen=True):
    """A time from `starts_at` until just before `ends_at` during which a rep is on leave."""

    starts_at: datetime
    ends_at: datetime


class PromisePeriod(msgspec.Struct, frozen=True):
    """The `day`, `week`, `month` or `quarter` of a promise about all leads together, from `starts_at` until just before
    `ends_at`.
    """

    per: str
    starts_at: datetime
    ends_at: datetime


class NextStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """The next step of a ladder that does something, due at `at` if nobody acts before: it notifies `notify`, pages
    them with `page`, and `moves` the lead to another rep.
    """

    at: datetime
    notify: tuple[str, ...] = ()
    page: bool = False
    moves: bool = False


class Progress(msgspec.Struct, frozen=True):
    """How far a promise about a period has come: `counted` leads out of `of`, for a `target`. `pace` is what the period
    comes to if it goes on like this; None while nothing is known.
    """

    counted: int
    of: int
    target: float
    pace: float | None = None


class Recipient(msgspec.Struct, frozen=True):
    """A role that a step notifies, and who that is; no `person` if the agreement does not say."""

    role: str
    person: str | None = None
