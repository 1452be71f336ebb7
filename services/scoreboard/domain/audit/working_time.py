"""Deadlines in working time, in the plainest way: list the open intervals of one local date after the other, and add
them up. Apart from the arithmetic by which promises run (`shared.domain.business_time`), and slower.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from shared.domain.agreement import Duration, Step
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.event import LeaveInterval

DAY = timedelta(days=1)
LEAVE_COUNTS_FOR = 300 * DAY
"""Leave further ahead than this, rounded down to a whole UTC day, moves no deadline."""
_CLOSED_FOR = 400
"""After how many dates without working time in a row there is none to come."""


class NotChecked(Exception):
    """This can't be worked out again; the message says why, in a few words."""


class Interval(NamedTuple):
    """The time from `opens` until just before `closes`."""

    opens: datetime
    closes: datetime


def due_at(
    within: Duration, calendar: Calendar, since_at: datetime, leave: Sequence[LeaveInterval], *, wall: bool
) -> datetime:
    """When a promise is due that starts at `since_at`; `wall` promises count working time only in business durations.
    During the owner's leave, every clock waits. Raises NotChecked.
    """
    if wall and not within.business:
        calendar = ALWAYS
    due = _after(within, calendar, since_at, ())
    if not any(each.starts_at <= due and each.ends_at > since_at for each in leave):
        return due
    try:
        return _after(within, calendar, since_at, _counting(leave, since_at))
    except NotChecked:
        return due  # closed for months next to the leave: it does not count then


def warning_due_at(step: Step, calendar: Calendar, due: datetime, away: Sequence[Interval]) -> datetime:
    """When a step before the deadline is due, for an owner who is `away` at times. Raises NotChecked."""
    if not away or step.after_days:
        return step_due_at(step, calendar, due)
    return subtract(calendar if step.business else ALWAYS, due, -step.after_s, away)


def step_due_at(step: Step, calendar: Calendar, due: datetime, later_s: int = 0) -> datetime:
    """When a step of a ladder is due, `later_s` seconds later for a repeat of it. Leave does not move it. Raises
    NotChecked.
    """
    if step.after_days:
        due = _days_after(step.after_days, calendar, due, ())
        return add(calendar, due, later_s) if step.business else due + timedelta(seconds=later_s)
    seconds = step.after_s + later_s
    if not step.business:
        return due + timedelta(seconds=seconds)
    return add(calendar, due, seconds) if seconds >= 0 else subtract(calendar, due, -seconds)


def add(calendar: Calendar, since_at: datetime, seconds: float, leave: Iterable[Interval] = ()) -> datetime:
    """The earliest instant with so many seconds of working time behind it, counted from `since_at`. Raises NotChecked.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{add(office, datetime(2026, 11, 20, 16, tzinfo=UTC), 2 * 3600):%a %X}"
    'Mon 10:00:00'
    """
    left = timedelta(seconds=seconds)
    if not left:
        return since_at
    for opens, closes in _forward(calendar, since_at, tuple(leave)):
        if opens + left <= closes:
            return opens + left
        left -= closes - opens
    raise NotChecked("the calendar has no working time to come")


def subtract(calendar: Calendar, until_at: datetime, seconds: float, away: Iterable[Interval] = ()) -> datetime:
    """The latest instant with so many seconds of working time from it to `until_at`. Raises NotChecked.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{subtract(office, datetime(2026, 11, 23, 10, tzinfo=UTC), 2 * 3600):%a %X}"
    'Fri 16:00:00'
    """
    left = timedelta(seconds=seconds)
    if not left:
        return until_at
    for opens, closes in _backward(calendar, until_at, tuple(away)):
        if closes - left >= opens:
            return closes - left
        left -= closes - opens
    raise NotChecked("the calendar had no working time before")


def after(within: Duration, calendar: Calendar, since_at: datetime) -> datetime:
    """When so much working time is over. Raises NotChecked."""
    return _after(within, calendar, since_at, ())


def worked_s(calendar: Calendar, within: Interval, away: Sequence[Interval]) -> float:
    """The seconds of working time in an interval. Raises NotChecked."""
    total = timedelta()
    for opens, closes in _forward(calendar, within.opens, tuple(away)):
        if opens >= within.closes:
            break
        total += min(closes, within.closes) - opens
    return total.total_seconds()


def written(at: datetime) -> str:
    """An instant for people.

    >>> written(datetime(2026, 11, 23, 9, tzinfo=UTC))
    '2026-11-23 09:00:00 UTC'
    """
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def open_on(calendar: Calendar, day: date) -> list[Interval]:
    """The working time of a local date: its shift, else its weekly hours and what runs over from the evening before,
    less holidays and breaks.

    A local time that the clock skips is later by the gap, and one that it repeats is the first (PEP 495).
    """
    yesterday = day - DAY
    if day in calendar.shifts:
        hours = _own(calendar.shifts[day])
    else:
        evening = calendar.shifts.get(yesterday, calendar.weekly.get(yesterday.weekday(), ()))
        hours = [*_run_over(evening), *_own(calendar.weekly.get(day.weekday(), ()))]
    found = _joined(_placed(calendar, day, hours))
    for each in (day, day + DAY):  # a skipped time just before midnight is on the next date
        closed = [(0, 86400)] if each in calendar.holidays else []
        closed += [*_run_over(calendar.breaks.get(each - DAY, ())), *_own(calendar.breaks.get(each, ()))]
        found = _less(found, _placed(calendar, each, closed))
    return found


def _after(within: Duration, calendar: Calendar, since_at: datetime, leave: tuple[Interval, ...]) -> datetime:
    if within.days:
        return _days_after(within.days, calendar, since_at, leave)
    return add(calendar, since_at, within.seconds, leave)


def _days_after(days: int, calendar: Calendar, since_at: datetime, leave: tuple[Interval, ...]) -> datetime:
    """The same local time on the so many-th later date with working time, counted from the next opening."""
    local = _opening(calendar, since_at, leave).astimezone(calendar.tz)
    if local.fold or local.replace(fold=1).utcoffset() != local.utcoffset():
        raise NotChecked("it starts in an hour that clocks repeat")
    day, left, closed_for = local.date(), days, 0
    while left:
        day, closed_for = day + DAY, closed_for + 1
        if _less(open_on(calendar, day), leave):
            left, closed_for = left - 1, 0
        if closed_for > _CLOSED_FOR:
            raise NotChecked("the calendar has no working time to come")
    due = datetime.combine(day, local.time(), calendar.tz)
    if due.astimezone(UTC).astimezone(calendar.tz).time() != local.time():
        raise NotChecked("it is due in an hour that clocks skip")
    return _opening(calendar, due.astimezone(UTC), leave)


def _opening(calendar: Calendar, at: datetime, leave: tuple[Interval, ...]) -> datetime:
    for opens, _ in _forward(calendar, at, leave):
        return opens
    raise NotChecked("the calendar has no working time to come")


def _forward(calendar: Calendar, since_at: datetime, leave: tuple[Interval, ...]) -> Iterator[Interval]:
    """The working time from an instant on, in order and without overlap."""
    day, upto_at, closed_for = since_at.astimezone(calendar.tz).date() - DAY, since_at.astimezone(UTC), 0
    while closed_for <= _CLOSED_FOR:
        closed_for += 1
        for opens, closes in _less(open_on(calendar, day), leave):
            if closes > upto_at:
                yield Interval(max(opens, upto_at), closes)
                upto_at, closed_for = closes, 0
        day += DAY


def _backward(calendar: Calendar, until_at: datetime, away: tuple[Interval, ...]) -> Iterator[Interval]:
    """The working time before an instant, latest first and without overlap."""
    day, upto_at, closed_for = until_at.astimezone(calendar.tz).date() + DAY, until_at.astimezone(UTC), 0
    while closed_for <= _CLOSED_FOR:
        closed_for += 1
        for opens, closes in reversed(_less(open_on(calendar, day), away)):
            if opens < upto_at:
                yield Interval(opens, min(closes, upto_at))
                upto_at, closed_for = opens, 0
        day -= DAY


def _counting(leave: Sequence[LeaveInterval], since_at: datetime) -> tuple[Interval, ...]:
    last = datetime.combine((since_at + LEAVE_COUNTS_FOR).astimezone(UTC).date(), time(0), UTC)
    clipped = (Interval(each.starts_at, min(each.ends_at, last)) for each in leave)
    return tuple(each for each in clipped if each.opens < each.closes)


def _own(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(opens, closes if closes > opens else 86400) for opens, closes in spans]


def _run_over(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(0, closes) for opens, closes in spans if closes <= opens]


def _placed(calendar: Calendar, day: date, spans: Iterable[tuple[int, int]]) -> list[Interval]:
    def at(seconds: int) -> datetime:
        wall = datetime.combine(day, time(0)) + timedelta(seconds=seconds)
        return wall.replace(tzinfo=calendar.tz).astimezone(UTC)

    placed = (Interval(at(opens), at(closes)) for opens, closes in spans)
    return [each for each in placed if each.opens < each.closes]


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for each in sorted(intervals):
        if joined and each.opens <= joined[-1].closes:
            joined[-1] = Interval(joined[-1].opens, max(joined[-1].closes, each.closes))
        else:
            joined.append(each)
    return joined


def _less(found: Iterable[Interval], closed: Iterable[Interval]) -> list[Interval]:
    """What is left of the intervals without those that are `closed`."""
    left = list(found)
    for away in closed:
        parts = (
            (Interval(e.opens, min(e.closes, away.opens)), Interval(max(e.opens, away.closes), e.closes)) for e in left
        )
        left = [part for both in parts for part in both if part.opens < part.closes]
    return left
