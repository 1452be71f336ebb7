"""What a rep owes on a lead, and by when: the router tells it with the assignment, the monitor watches it. One rule
for both, so that the deadline a rep was told is the deadline they are held to."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.business_time import deadline
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.errors import Refused


@dataclass(frozen=True, slots=True)
class Owed:
    """One promise as it stands for one lead: the duration that applies, the calendar in which business time of this
    promise and its ladder counts (the rep's; around the clock for somebody without one), and the deadline, UTC.
    """

    promise: Promise
    due_at: datetime
    within: Duration
    calendar: Calendar


def owed(agreement: Agreement, *, rep: str, score: int, assigned_at: datetime) -> tuple[Owed, ...]:
    """What `rep` owes on a lead with `score` from `assigned_at` on, in the order of the agreement.

    A promise with `at_least_score` above the lead's score is owed within `otherwise`, and not at all without one.
    Under `clock: rep_calendar` every duration counts working time, also one written as plain minutes; under
    `clock: wall` only one written as business time does. Raises Refused when the agreement does not know `rep`, and
    NeverOpens when the calendar has no such time to come.
    """
    person = agreement.people.get(rep)
    if person is None:
        raise Refused(f"agreement {agreement.name} version {agreement.version} has no person {rep!r}: add them")
    calendar = person.calendar or ALWAYS
    found = []
    for promise in agreement.promises.values():
        within = _within(promise, score)
        if within is not None:
            found.append(Owed(promise, _due_at(promise, within, calendar, assigned_at), within, calendar))
    return tuple(found)


def _within(promise: Promise, score: int) -> Duration | None:
    wanted = promise.at_least_score
    return promise.within if wanted is None or score >= wanted else promise.otherwise


def _due_at(promise: Promise, within: Duration, calendar: Calendar, assigned_at: datetime) -> datetime:
    if promise.clock == "wall" and not within.business:
        return assigned_at + timedelta(seconds=within.seconds)
    return deadline(calendar, assigned_at, within.seconds)
