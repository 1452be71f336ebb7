"""What the torture test knows without asking Baton: what it sent and was answered, what it got by webhook; and
the evidence that it reads afterwards. Instants are this process's clock unless a name says otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

MOVES_BY_NAME, MOVES_BY_TURN = "mia", "cleo"
"""Who moves leads by hand: one names the new owner, the other lets the pool's turn decide."""


@dataclass
class Inquiry:
    """A lead as its sender sees it. `answers` are all pairs of ids that its posts were answered with. `person` is who
    sent it; empty for a stranger.
    """

    external_id: str
    first_tried_at: datetime
    accepted_at: datetime | None = None
    answers: set[tuple[str, str]] = field(default_factory=set)
    person: str = ""


@dataclass
class Activity:
    """A follow-up as its sender sees it: on a person, under whichever id or address of theirs. `happened_at` is when it
    happened, if it was sent with that.
    """

    activity_id: str
    person: str
    kind: str
    first_tried_at: datetime
    accepted_at: datetime | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True)
class Move:
    """A move by hand that was answered with 200: the lead has its owner as this generation."""

    lead_id: str
    generation: int


@dataclass(frozen=True)
class Webhook:
    """One delivery as the subscriber got it; `verified` by its signature."""

    webhook_id: str
    event: Mapping[str, Any]
    verified: bool


@dataclass(frozen=True)
class Receipt:
    """A message to a role, as that got it: about `count` promises. `verified` by its signature; without an answer, the
    sender can't know that it arrived.
    """

    at: datetime
    message_id: str
    kind: str
    role: str
    count: int
    verified: bool
    answered: bool


@dataclass
class Ledger:
    """Everything that was sent and received, outside of all faults. `set_aside` are the ids of inquiries that can't be
    read, `bad_records` the topics and places of records that no service can read: both have to be quarantined."""

    inquiries: dict[str, Inquiry] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    set_aside: set[str] = field(default_factory=set)
    bad_records: set[tuple[str, str]] = field(default_factory=set)

    def persons(self) -> dict[str, str]:
        """Who each lead id is of; a stranger is known by the id itself."""
        return {
            lead_id: inquiry.person or lead_id for inquiry in self.inquiries.values() for _, lead_id in inquiry.answers
        }


@dataclass(frozen=True)
class Record:
    """An event on a topic, at its place. `data` is its body, decoded."""

    topic: str
    partition: int
    offset: int
    event_id: str
    type: str
    lead_id: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """A row of the router: what became of an inquiry, or, as `reassigned`, of a lead without one."""

    lead_id: str
    version: int
    outcome: str
    inquiry_id: str


@dataclass(frozen=True)
class Holding:
    """A row of the router: who has, or had, a lead."""

    assignment_id: str
    lead_id: str
    generation: int
    rep: str
    pool: str
    active: bool


@dataclass(frozen=True)
class Standing:
    """What a service stores about a lead id at the end. `into` is the id under which the person goes on, if it is
    another; `outcome` is how sales ended the lead.
    """

    state: str
    owner: str | None = None
    outcome: str | None = None
    into: str | None = None


@dataclass(frozen=True)
class Rotation:
    """How often whose turn it was in a pool, as the router counts."""

    number: int
    taken: Mapping[str, int]


@dataclass(frozen=True)
class NoticeRow:
    """A row of delivery: a notice of an event to a role, what became of it, and the message that it is in."""

    notice_id: str
    message_id: str | None
    event_id: str
    window_id: str
    escalation_id: str | None
    kind: str
    role: str
    person: str | None
    state: str


@dataclass(frozen=True)
class PeriodRow:
    """A row of the monitor: what it counted for a promise about a period that is over, and how that ended.
    `counted_late` says whether counting began during the period.
    """

    measure: str
    starts_at: datetime
    ends_at: datetime
    state: str
    counted: int
    of: int
    counted_late: bool


@dataclass
class Evidence:
    """What Baton left behind. `windows` are states by lead and generation; `decided` and `shown` are the leads as the
    router and the scoreboard store them; `unfinished` counts what never came to rest, by its name. While something of
    `interrupted` was so, from when to when by this process's clock, a message may have been sent and not recorded."""

    records: Sequence[Record] = ()
    verdicts: Sequence[Verdict] = ()
    holdings: Sequence[Holding] = ()
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    windows: Mapping[tuple[str, int], str] = field(default_factory=dict)
    decided: Mapping[str, Standing] = field(default_factory=dict)
    shown: Mapping[str, Standing] = field(default_factory=dict)
    conservation: Mapping[str, Any] = field(default_factory=dict)
    unfinished: Mapping[str, int] = field(default_factory=dict)
    notices: Sequence[NoticeRow] = ()
    interrupted: Sequence[tuple[datetime, datetime]] = ()


@dataclass(frozen=True)
class Rules:
    """What the checker has to know of the agreement: the weights of each pool, which activities meet and which end a
    promise, the tolerance in seconds, which roles the steps of the ladder notify from the deadline on, within how many
    seconds each inquiry has its verdict, the targets of promises about periods, and what of a contact is complete."""

    pools: Mapping[str, Mapping[str, int]]
    tolerance_s: float
    met_by: frozenset[str] = frozenset({"call", "email", "meeting"})
    ended_by: frozenset[str] = frozenset({"rejected", "won", "lost", "consent_withdrawn"})
    steps: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    hand_off_within_s: float = 2.0
    commitments: Mapping[str, Fraction] = field(default_factory=dict)
    complete_with: tuple[str, ...] = ("email",)


@dataclass(frozen=True)
class Finding:
    """One way in which a promise of the product did not hold."""

    kind: str
    what: str
