"""The agreement as an immutable value.

`shared.agreement_file` builds it from YAML; every rule of the router and the monitor takes it as an argument.
Equal content has an equal `hash`, which every decision under it records.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from shared.domain.approvals import Approval, Review
from shared.domain.calendar import Calendar
from shared.domain.conditions import Condition
from shared.domain.content_and_goals import Content, Goal
from shared.domain.duty import Duty
from shared.domain.errors import Refused
from shared.domain.events import AgreementRef
from shared.domain.silences import QuietHours, Silence

PilotMode = Literal["live", "shadow"]
PromiseClock = Literal["rep_calendar", "wall"]
Side = Literal["sales", "operations", "marketing"]
"""Who owes a promise."""
PromisedBy = Literal["anyone", "owner"]
"""Whose activities keep a promise."""
OnLeave = Literal["pause", "move"]
"""What happens to the leads of someone on leave: their clocks wait, or others get them."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; negative means before. `business` seconds run in a calendar; `text` is how it was written.

    `days` are business days: dates on which the calendar has hours, at the same time of day. With them `seconds` is 0
    and `business` is true.
    """

    seconds: int
    business: bool = False
    text: str = ""
    days: int = 0


@dataclass(frozen=True, slots=True)
class FactType:
    """The kind of a declared fact, a key of `conditions.OPERATORS`; `one_of` lists the values of that kind."""

    kind: str
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Inquiries that are not leads for sales, with the reason."""

    reason: str
    when: Condition


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """Points added (or taken) when the condition holds, and the reason that is shown.

    `intent` is true when the condition asks what someone did (the inquiry, a signal) and not who they are: such
    points fade by the agreement's half-life, and are remembered of earlier inquiries.
    """

    add: int
    reason: str
    when: Condition
    intent: bool = False


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
    """A rep or manager. Without a `calendar` their time runs day and night.

    `max_open` limits how many leads they hold, `max_new_per_day` how many they get on one date of their calendar's
    zone; None is no limit. A person who is not `active` gets no leads, and the leads they hold are reassigned.
    `on_leave` says what happens to their leads meanwhile; with `move` these go to the `deputy` first, if there is one.
    """

    id: str
    email: str
    calendar: Calendar | None = None
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    reports_to: str | None = None
    role: str = "rep"
    max_open: int | None = None
    max_new_per_day: int | None = None
    active: bool = True
    deputy: str | None = None
    on_leave: OnLeave = "pause"


@dataclass(frozen=True, slots=True)
class Pool:
    """People who share turns. `members` maps a person's id to a weight of at least 1, in the order of the file.

    `strategy` is `weighted_turns` or `least_open`. With `only_in_hours` a member takes leads only while their calendar
    is open. `park_in` names the queue in which leads wait when no member can take them; it is a key of
    `Agreement.queues`.
    """

    name: str
    members: Mapping[str, int]
    strategy: str = "weighted_turns"
    only_in_hours: bool = False
    park_in: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """Where leads wait for someone; `owner` is the person who sees to it that they don't wait long."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Only:
    """Restricts a pool to members with one of `values` in `attribute` (`languages`, `skills`, `territories`), or with
    the value of the lead's fact `field`, if given. Ignores case.
    """

    attribute: str
    values: tuple[str, ...] = ()
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One routing rule. `when` None always matches. Leads go to `pool`, restricted by `only`, or to an `owner`:
    `account` is the owner of the lead's company, `lead` the lead's previous owner.

    A rule with an owner is skipped if there is none, or if they are away for longer than `unless_away_for`.
    """

    name: str
    pool: str | None = None
    when: Condition | None = None
    owner: str | None = None
    only: tuple[Only, ...] = ()
    unless_away_for: Duration | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """How long one pause may stop the clock of a promise (business time is the owner's), and how many pauses of a lead
    count.
    """

    at_most: Duration
    times: int = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """How soon a promise is to be kept for leads that have at least this score, and for which `when` holds."""

    within: Duration
    at_least_score: int | None = None
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What someone owes on a lead. `met_by` are kinds of activity, of which
    `at_least` are needed.

    `outcomes` lists for some of these kinds which outcomes count; of other kinds all do but `bounced`. `by` says whose
    activities count. Of its `segments`, the first that a lead is in counts; a lead in none is promised nothing. Without
    segments, `within` is for all leads, else it is that of the first. Lengths are `business` exactly when the clock is
    the rep's calendar.
    """

    name: str
    within: Duration
    met_by: tuple[str, ...]
    ladder: str
    clock: PromiseClock = "rep_calendar"
    segments: tuple[Segment, ...] = ()
    at_least: int = 1
    side: Side = "sales"
    outcomes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by: PromisedBy = "anyone"
    pause: Pause | None = None

    @property
    def asks_facts(self) -> bool:
        """Whether any of its segments depends on facts of the lead other than the score."""
        return any(segment.when is not None for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A commitment of marketing over a period, for all leads together: `per` is `day`, `week`, `month` or
    `quarter`.

    `measure` is `volume` (`target` qualified leads accepted), `accepted_share` and `completeness` (a share from 0 to 1;
    `fields` must be filled), or `hand_off_latency` (seconds for the 95th percentile).
    """

    measure: str
    target: Decimal
    per: str
    ladder: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a ladder, counted from 1: `after_s` seconds from the deadline (negative: before), in the rep's
    calendar if `business`, else on the wall clock; or `after_days` business days.

    `tell` are roles: `rep`, `manager`, `ops`, `marketing_lead`, `sales_lead`.
    `move_within` is `pool` when the lead goes to another member.
    `if_unanswered`: the step also fires on an acknowledged escalation until the promise is kept.
    """

    level: int
    after_s: int
    business: bool = False
    after_days: int = 0
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
    """A reason for sales to reject; `needs_text` requires a sentence, `only_after` a promise of sales (`attempts`) that
    must be kept first.
    """

    code: str
    needs_text: bool = False
    only_after: str | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of a role or, by their id, a person: `kind` (`email`, `slack`, `pagerduty` ...) with its settings;
    secrets are given as `env:NAME` or `file:PATH`. Several of the same `who` are tried in this order.
    """

    who: str
    kind: str
    settings: Mapping[str, str]


PILOT_DAYS = 90
"""Of how many days the arms of a pilot are compared."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """Leads in `scope` are judged by another `agreement`: for real when `mode` is `live`, next to it when `shadow`."""

    name: str
    scope: Condition
    agreement: "Agreement"
    mode: PilotMode


@dataclass(frozen=True, slots=True)
class Agreement:
    """The whole agreement. Mappings are in the order of the file.

    `hash` is `sha256:` and the digest of the content, without layout and comments; `text` is the file. `promises` are
    those of sales on single leads, `operations` those of operations (`triage` on parked leads, `disputes`),
    `commitments` those of marketing. `half_life_s` applies to intent points; None means no decay. `duty` says who a
    role is, `silences` when promises notify nobody, `quiet_hours` when a role or person is not notified. `files`
    are the texts of the files that it names, by that name: pilots' agreements and calendars.
    `holidays` are the public ones that its calendars rest on, by country and first year.
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
    half_life_s: int | None = None
    sql_needs: tuple[str, ...] = ()
    queues: Mapping[str, Queue] = field(default_factory=dict)
    operations: Mapping[str, Promise] = field(default_factory=dict)
    commitments: Mapping[str, Commitment] = field(default_factory=dict)
    dispute_within: Duration | None = None
    duty: Mapping[str, Duty] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    quiet_hours: QuietHours | None = None
    channels: tuple[Channel, ...] = ()
    content: tuple[Content, ...] = ()
    goals: tuple[Goal, ...] = ()
    pilots: tuple[Pilot, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    holidays: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    needs_accounts: bool = field(init=False, repr=False, compare=False)
    """Whether any rule, also of a pilot, depends on who owns a company: found once, asked for every inquiry."""
    person_ids: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """The ids of all people, also of pilots, by id and by e-mail address, both without case."""
    team: frozenset[str] = field(init=False, repr=False, compare=False)
    """Who is active, also under a pilot that decides."""

    def __post_init__(self) -> None:
        needs = any(route.owner == "account" or _asks_account(route.when) for route in self.routing)
        object.__setattr__(self, "needs_accounts", needs or any(p.agreement.needs_accounts for p in self.pilots))
        people = [person for each in reversed(self.with_drafts) for person in each.people.values()]
        by_email = {person.email.casefold(): person.id for person in people}
        object.__setattr__(self, "person_ids", by_email | {person.id.casefold(): person.id for person in people})
        team = {person.id for each in self.deciding for person in each.people.values() if person.active}
        object.__setattr__(self, "team", frozenset(team))

    @property
    def ref(self) -> AgreementRef:
        """How events name this agreement."""
        return AgreementRef(self.name, self.version, self.hash)

    @property
    def with_drafts(self) -> "tuple[Agreement, ...]":
        """This agreement, and those of all its pilots."""
        return self, *(pilot.agreement for pilot in self.pilots)

    @property
    def deciding(self) -> "tuple[Agreement, ...]":
        """This agreement, and those of the pilots that decide."""
        return self, *(pilot.agreement for pilot in self.pilots if pilot.mode == "live")

    @property
    def owners(self) -> tuple[Person, ...]:
        """The people who can have leads while they are active: those with a calendar, and members of pools, whose time
        runs day and night without one.
        """
        members = {member for pool in self.pools.values() for member in pool.members}
        return tuple([each for each in self.people.values() if each.calendar is not None or each.id in members])

    def find_person(self, name: str) -> str | None:
        """The id of the person with this id or e-mail address; case and spaces around it do not matter."""
        found = name.strip()
        return found if found in self.people else self.person_ids.get(found.casefold())

    def person_id(self, name: str, *, pointer: str) -> str:
        """As `find_person`. Raises `Refused` with `pointer` if there is no such person."""
        person = self.find_person(name)
        if person is None:
            known = ", ".join(self.people)
            raise Refused(f"Unknown person {name!r}. Give an id or e-mail address of: {known}.", pointer=pointer)
        return person

    def unconfirmed(self, confirmed: Collection[str]) -> tuple[str, ...]:
        """What a rep still has to confirm before the lead counts as an SQL, in the order of the file."""
        return tuple(need for need in self.sql_needs if need not in confirmed)


def _asks_account(condition: Condition | None) -> bool:
    return condition is not None and (condition.op == "account" or any(map(_asks_account, condition.parts)))
