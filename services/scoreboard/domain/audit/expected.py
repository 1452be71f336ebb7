"""A promise that should be watched, and what the facts say about it: what keeps it, what ends it, and when a breach of
it may be announced.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.persons import ENDS, Activity, Persons
from services.scoreboard.domain.audit.working_time import Interval, NotChecked, due_at
from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.events import LeaveInterval

_ONE_FOR_ALL = {"meeting", "accepted", *ENDS}
_LETS_GO = {"declined", *ENDS}
JUST_AFTER = timedelta(microseconds=1)
_ROUTER_CLOCK = timedelta(minutes=1)
"""How far the router's clock and the database's may differ where a breach caused the move that ends it."""
_READING_LAG = timedelta(seconds=30)
"""How much longer a promise that an assignment keeps waits for its verdict."""


@dataclass(frozen=True, slots=True)
class Departure:
    """From `at` on the promise no longer applied. `ladder_goes_on` for a lead that only changed hands; `missed` if that
    was because a promise was missed.
    """

    at: datetime
    why: str
    ladder_goes_on: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """A promise that should be watched. `dues` are its deadlines in turn, since leave changed or the clock stood still:
    a promise that ends has the deadline of that moment. `leaves` are the owner's leave as of each change, `departures`
    what ended it early, `pauses` the times during which its clock stands still, as of each change. `starts_at` is from
    when facts count, `ends_from_at` from when ends of the lead do. `generation` is 0 for operations. `within` is how
    soon it was to be kept, None for as the promise says. `unchecked` says why it is not worked out how it should have
    ended. `instead` are windows of which one may be there in its place, `perhaps` if it may as well not be there.
    `if_ended`: this is right only for one that had ended before all was known.
    """

    window_id: str
    lead_id: str
    promise: Promise
    agreement: Agreement
    owner: str
    generation: int
    version: int
    opened_at: datetime
    starts_at: datetime
    ends_from_at: datetime | None
    dues: tuple[datetime, ...]
    cycle: int = 1
    kinds: tuple[str, ...] = ()
    leaves: tuple[tuple[LeaveInterval, ...], ...] = ((),)
    within: Duration | None = None
    departures: tuple[Departure, ...] = ()
    assigned: tuple[Activity, ...] = ()
    unchecked: str = ""
    pauses: tuple[tuple[Interval, ...], ...] = ()
    instead: tuple[str, ...] = ()
    perhaps: bool = False
    if_ended: bool = False

    @property
    def due_at(self) -> datetime:
        """Its deadline."""
        return self.dues[-1]

    @property
    def leave(self) -> tuple[LeaveInterval, ...]:
        """The owner's leave as last known."""
        return self.leaves[-1]

    @property
    def calendar(self) -> Calendar:
        """The owner's calendar; around the clock for a role."""
        owner = self.agreement.people.get(self.owner)
        return (owner.calendar if owner is not None else None) or ALWAYS


def with_due(expected: Expected) -> Expected:
    """The promise with the deadline that follows from when it opened, under the owner's leave as last known. Raises
    NotChecked.
    """
    promise = expected.promise
    wall = promise.clock == "wall"
    due = due_at(expected.within or promise.within, expected.calendar, expected.opened_at, expected.leave, wall=wall)
    return replace(expected, dues=(*expected.dues, due))


def of_operations(
    promise: Promise, agreement: Agreement, owner: str, since_at: datetime, ids: tuple[str, str]
) -> Expected:
    """A promise of operations on a lead; `ids` are those of the lead and of the window. Raises NotChecked."""
    if owner not in agreement.people:
        raise NotChecked(f"the agreement does not know {owner}")
    lead_id, window_id = ids
    return Expected(window_id, lead_id, promise, agreement, owner, 0, 0, since_at, since_at, None, ())


def counts(expected: Expected, activity: Activity, tolerance: timedelta) -> bool:
    """Whether the activity is not from before the promise: up to the tolerance before its start, but nothing earlier
    for operations, and nothing by which the owner before let go. What happened since the lead's cycle began and became
    known only under a later owner counts for them.
    """
    strict = expected.generation == 0 or (expected.generation > 1 and activity.kind in _LETS_GO)
    earliest_at = expected.starts_at if strict else expected.starts_at - tolerance
    if activity.at >= earliest_at:
        return True
    became_known = expected.generation > 1 and activity.known_at is not None and activity.known_at >= earliest_at
    return became_known and expected.ends_from_at is not None and activity.at >= expected.ends_from_at - tolerance


def kept_at(expected: Expected, activities: Iterable[Activity], tolerance: timedelta) -> Activity | None:
    """The activity that keeps the promise, in time or late; None if none does."""
    promise, operations = expected.promise, expected.generation == 0
    needed, done = 1 if operations else promise.at_least, 0
    for each in activities:
        if each.kind not in expected.kinds or not counts(expected, each, tolerance):
            continue
        wanted = None if operations else promise.outcomes.get(each.kind)
        failed = each.outcome == "bounced" if wanted is None else each.outcome not in (None, *wanted)
        of_another = not operations and promise.by == "owner" and each.by not in (None, expected.owner)
        if failed or (of_another and each.at <= expected.due_at + tolerance):
            continue
        done += needed if each.kind in _ONE_FOR_ALL or each.outcome == "connected" else 1
        if done >= needed:
            return each
    return None


def ended_at(expected: Expected, activities: Iterable[Activity], tolerance: timedelta) -> Activity | None:
    """The first activity that ended the lead without keeping the promise; None if none did."""
    for each in activities:
        in_cycle = expected.ends_from_at is not None and each.at >= expected.ends_from_at
        ends = each.kind in ENDS and (in_cycle or counts(expected, each, tolerance))
        if ends and kept_at(expected, [each], tolerance) is None:
            return each
    return None


def reports(expected: Expected, persons: Persons) -> list[Activity]:
    """All that may keep or end the promise, in order of time."""
    found = [*persons.about(expected.lead_id), *expected.assigned]
    return sorted(found, key=lambda activity: (activity.at, activity.key))


def verdict_at(expected: Expected, tolerance: timedelta) -> datetime:
    """When a breach may be announced, once all is known until then."""
    lag = _READING_LAG if "assigned" in expected.kinds else timedelta()
    return expected.due_at + tolerance + lag + JUST_AFTER


def may_be_breached(expected: Expected, tolerance: timedelta) -> bool:
    """Whether what ended the promise early was caused by a breach of it, whatever the router's clock says."""
    near_at = expected.due_at + tolerance - _ROUTER_CLOCK
    return any(each.missed and each.at >= near_at for each in expected.departures)
