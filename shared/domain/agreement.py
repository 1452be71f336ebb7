"""The agreement as an immutable value: what runs once the file has been read and checked.

`shared.agreement_file` makes it from YAML; every rule of the router and the monitor takes it as an argument.
Equal content gives an equal `hash`, which stands in every decision made under it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from shared.domain.calendar import Calendar
from shared.domain.conditions import Condition
from shared.domain.events import AgreementRef


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; negative means before. `business` seconds run in a calendar; `text` is how it was written."""

    seconds: int
    business: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who signed for one side, and on which date."""

    name: str
    on: date


@dataclass(frozen=True, slots=True)
class Review:
    """How often both sides meet over the agreement, and over the material, as written: `2 weeks`."""

    every: str
    content_every: str | None = None


@dataclass(frozen=True, slots=True)
class FactType:
    """The kind of a declared fact, a key of `conditions.OPERATORS`; `one_of` lists the values of that kind."""

    kind: str
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Inquiries that are no lead for sales, and the reason that is given."""

    reason: str
    when: Condition


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """Points added (or taken) when the condition holds, and the reason that is shown."""

    add: int
    reason: str
    when: Condition


@dataclass(frozen=True, slots=True)
class Mql:
    """What both sides call a marketing qualified lead."""

    minimum_data: tuple[str, ...] = ()
    consent_basis: tuple[str, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    fit: Condition | None = None
    score_at_least: int | None = None
    hand_off_within: Duration | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A rep or manager. `calendar` is None for people who own no leads."""

    id: str
    email: str
    calendar: Calendar | None = None
    languages: tuple[str, ...] = ()
    reports_to: str | None = None
    role: str = "rep"


@dataclass(frozen=True, slots=True)
class Pool:
    """People who share turns. `members` maps a person's id to a weight of at least 1, in the order of the file.

    `park_in` names the queue in which leads wait when no member can take them.
    """

    name: str
    members: Mapping[str, int]
    park_in: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One routing rule. `when` None always matches. Leads go to `pool`."""

    name: str
    pool: str
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a rep owes on a lead. `clock` is `rep_calendar` or `wall`; `met_by` are kinds of activity.

    `within` and `otherwise` are `business` exactly when the clock is the rep's calendar. With `at_least_score`, leads
    below it get `otherwise`, or no such promise when that is None.
    """

    name: str
    within: Duration
    met_by: tuple[str, ...]
    ladder: str
    clock: str = "rep_calendar"
    at_least_score: int | None = None
    otherwise: Duration | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a ladder, counted from 1: `after_s` seconds from the deadline (negative: before), in the rep's
    calendar when `business`, else on the wall clock.

    `tell` are roles: `rep`, `manager`, `ops`. `move_within` is `pool` when the lead goes to another member.
    `if_unanswered`: the step also fires on an acknowledged escalation, as long as the promise is not kept.
    """

    level: int
    after_s: int
    business: bool = False
    tell: tuple[str, ...] = ()
    page: bool = False
    move_within: str | None = None
    if_unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of an escalation in order, then `repeats` more rounds of the last, `repeat_every_s` seconds apart."""

    name: str
    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_every_s: int = 0


@dataclass(frozen=True, slots=True)
class RejectReason:
    """A reason sales may reject with; `needs_text` when a sentence must come with it."""

    code: str
    needs_text: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """The whole written deal. Mappings keep the order of the file.

    `hash` is `sha256:` and the digest of the content, so that layout and comments don't count; `text` is the file.
    """

    name: str
    version: int
    hash: str
    text: str
    timezone: str
    effective_from: datetime
    calendars: Mapping[str, Calendar]
    mql: Mql
    scoring: tuple[ScoreRule, ...]
    people: Mapping[str, Person]
    pools: Mapping[str, Pool]
    routing: tuple[Route, ...]
    promises: Mapping[str, Promise]
    ladders: Mapping[str, Ladder]
    currency: str | None = None
    approved_by: Mapping[str, Approval] = field(default_factory=dict)
    review: Review | None = None
    fields: Mapping[str, FactType] = field(default_factory=dict)
    reject_reasons: Mapping[str, RejectReason] = field(default_factory=dict)
    objections: tuple[str, ...] = ()

    @property
    def ref(self) -> AgreementRef:
        """How events name this agreement."""
        return AgreementRef(self.name, self.version, self.hash)
