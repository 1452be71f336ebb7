"""What is owed on a lead, and by when. The router publishes it with the assignment and the monitor enforces it: one
rule for both, so that the deadline that a rep sees is the one that counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.business_time import NeverOpens, business_days_after, deadline
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.errors import Refused
from shared.domain.event import LeaveInterval, PromiseSegment
from shared.domain.leave import without_leave
from shared.domain.pauses import due_after, pauses_of
from shared.domain.segments import within as within_of
from shared.domain.settlement import PromiseFact

WindowStatus = Literal["open", "met", "breached", "cancelled"]
"""How a promise on a lead stands."""

EscalationStatus = Literal["firing", "acknowledged", "exhausted", "closed"]
"""How an escalation stands: `acknowledged` while someone has taken it on, `exhausted` once its ladder is over without
an answer."""


def escalation_status(state: EscalationStatus, quiet_until: datetime | None, now: datetime) -> EscalationStatus:
    """How an escalation stands at `now`: one whose acknowledgement has run out is firing again. None is no end."""
    ran_out = state == "acknowledged" and quiet_until is not None and quiet_until <= now
    return "firing" if ran_out else state


@dataclass(frozen=True, slots=True)
class Owed:
    """A promise on a lead: its duration, the calendar for its business time and that of its ladder (the owner's, or
    around the clock without one), and the deadline in UTC, which `pauses` have moved.
    """

    promise: Promise
    due_at: datetime
    within: Duration
    calendar: Calendar
    pauses: tuple[LeaveInterval, ...] = ()


def owed(
    agreement: Agreement,
    *,
    rep: str,
    score: int,
    assigned_at: datetime,
    leave: Sequence[LeaveInterval] = (),
    facts: Sequence[PromiseFact] = (),
    segments: Sequence[PromiseSegment] = (),
) -> tuple[Owed, ...]:
    """What `rep` owes on a lead with `score` from `assigned_at` on: every promise of sales, in the agreement's order.

    `segments` are those of promises in which the lead is, by facts that only the router knows. A promise with segments
    of which none applies is not owed.
    Under `clock: rep_calendar` every duration counts working time, also one written as plain minutes; under
    `clock: wall` only one written as business time does. Business days are whole dates with hours, as
    `business_days_after` counts them. During the rep's `leave` every clock waits, and that of some promises during
    pauses, which follow from the `facts` of the lead's cycle. Raises Refused when the agreement
    does not know `rep`, and NeverOpens when the calendar has no such time to come.
    """
    calendar = calendar_of(agreement, rep)
    found = []
    for promise in agreement.promises.values():
        within = within_of(promise, score, segments)
        if within is not None:
            pauses = pauses_of(promise.pause, calendar, facts) if promise.pause is not None and facts else ()
            due_at = _due_at(promise, within, calendar, assigned_at, leave, pauses)
            found.append(Owed(promise, due_at, within, calendar, pauses))
    return tuple(found)


def owed_by(
    agreement: Agreement, promise: Promise, *, owner: str, since_at: datetime, leave: Sequence[LeaveInterval] = ()
) -> Owed:
    """A promise that does not depend on a lead's score, such as those of operations: what `owner` owes from `since_at`,
    in their calendar. Raises as `owed`.
    """
    calendar = calendar_of(agreement, owner)
    return Owed(promise, _due_at(promise, promise.within, calendar, since_at, leave), promise.within, calendar)


def respond_by(found: Iterable[Owed]) -> datetime | None:
    """The rep's deadline to respond: the earliest of the promises that a single fact keeps (first response, acceptance,
    disposition) and that can't be paused. None if only attempts are owed.
    """
    single = (one for one in found if one.promise.at_least == 1 and one.promise.pause is None)
    return min((one.due_at for one in single), default=None)


def calendar_of(agreement: Agreement, who: str) -> Calendar:
    """The calendar in which someone's promises count. Raises Refused when the agreement does not know them."""
    person = agreement.people.get(who)
    if person is None:
        raise Refused(f"agreement {agreement.name} version {agreement.version} has no person {who!r}: add them")
    return person.calendar or ALWAYS


def office(agreement: Agreement) -> Calendar:
    """The organisation's calendar: the first one in the agreement that ever closes, or else around the clock."""
    return next((each for each in agreement.calendars.values() if not each.always), ALWAYS)


def _due_at(
    promise: Promise,
    within: Duration,
    calendar: Calendar,
    since_at: datetime,
    leave: Sequence[LeaveInterval],
    pauses: Sequence[LeaveInterval] = (),
) -> datetime:
    if promise.clock == "wall" and not within.business:
        calendar = ALWAYS
    due_at = after_length(calendar, since_at, within)
    # A pause may move the deadline into leave that begins after it.
    if leave and (pauses or any(each.starts_at <= due_at and each.ends_at > since_at for each in leave)):
        at_work = without_leave(calendar, leave, since_at)
        try:
            due_at, calendar = after_length(at_work, since_at, within), at_work
        except NeverOpens:
            # Closed for months next to the leave: a deadline that is too early is better than none.
            return due_at
    return due_after(calendar, since_at, due_at, pauses) if pauses else due_at


def after_length(calendar: Calendar, since_at: datetime, within: Duration) -> datetime:
    """The instant that is `within` after another one, in open time of the calendar. Raises NeverOpens."""
    if within.days:
        return business_days_after(calendar, since_at, within.days)
    return deadline(calendar, since_at, within.seconds)
