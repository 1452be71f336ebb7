"""Business time: arithmetic on instants that counts only the open time of a calendar. Durations are real
elapsed seconds inside half-open intervals, less any pauses; instants go in aware and come out in UTC, with
their fractions of a second kept to the microsecond. An instant outside the years 1901 to 2200 counts as the
nearer end. A search without an answer raises."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from shared.domain.calendar import DAY_S, EPOCH, SECOND_US, Calendar, instant_us, merged, open_on
from shared.domain.errors import Refused
from shared.domain.open_time import (
    HORIZON_DAYS,
    NeverCloses,
    NeverOpens,
    close_from,
    instant_after,
    instant_before,
    open_at,
    open_before,
    open_between,
    opening_before,
    opening_from,
)

__all__ = [
    "NeverCloses",
    "NeverOpens",
    "Pause",
    "add_business_days",
    "before",
    "business_days_after",
    "deadline",
    "elapsed",
    "intervals",
    "is_open",
    "last_open",
    "next_close",
    "next_open",
    "next_open_strict",
    "prev_open",
]

Pause = tuple[datetime, datetime | None]
"""A time [from, to) that does not count; `to` is None while unknown. Pauses may overlap."""

LONGEST_S = 100 * 366 * DAY_S
"""The longest duration that is counted: a hundred years, so that a wrong unit is refused."""

_NO_END_US = 1 << 62
_FIRST = datetime(1901, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


def deadline(calendar: Calendar, start: datetime, business_seconds: float, pauses: Collection[Pause] = ()) -> datetime:
    """The earliest instant at or after `start` by which `business_seconds` of open time have passed.

    Work that exactly fills the day is due at the close, not at the next opening. A zero duration is due at
    `start`, even when closed. Pauses push the deadline only by the open time they cover, and not at all when
    they begin at or after it. Raises NeverOpens if the open time is never reached, Refused if
    `business_seconds` is negative, not a number, or beyond a hundred years.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> friday = datetime.fromisoformat("2026-11-20T16:30Z")
    >>> f"{deadline(office, friday, 1800):%a %X}", f"{deadline(office, friday, 1801):%a %X}"
    ('Fri 17:00:00', 'Mon 09:00:01')
    """
    cursor, left = _us(start), _length_us(business_seconds)
    for pause_us, resume_us in sorted(map(_pause_us, pauses)) if pauses and left else ():
        if resume_us <= max(cursor, pause_us):
            continue
        reached = instant_after(calendar, cursor, left)
        if reached <= pause_us:
            return _at(reached)
        if resume_us == _NO_END_US:
            raise NeverOpens(
                f"the clock is paused from {_at(pause_us).isoformat()} without an end: "
                "there is no deadline until the pause ends"
            )
        left -= open_between(calendar, cursor, pause_us)
        cursor = resume_us
    return _at(instant_after(calendar, cursor, left))


def before(calendar: Calendar, start: datetime, business_seconds: float, pauses: Collection[Pause] = ()) -> datetime:
    """The latest instant at or before `start` with `business_seconds` of open time from it to `start`.

    The mirror of `deadline`, with the same limits and errors; it lands on an opening, not on a close.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> monday = datetime.fromisoformat("2026-11-23T10:00Z")
    >>> f"{before(office, monday, 3600):%a %X}", f"{before(office, monday, 3601):%a %X}"
    ('Mon 09:00:00', 'Fri 16:59:59')
    """
    cursor, left = _us(start), _length_us(business_seconds)
    latest_first = sorted(map(_pause_us, pauses), key=lambda pause: -pause[1]) if pauses and left else ()
    for pause_us, resume_us in latest_first:
        if pause_us >= min(cursor, resume_us):
            continue
        reached = instant_before(calendar, cursor, left)
        if reached >= resume_us:
            return _at(reached)
        left -= open_between(calendar, resume_us, cursor)
        cursor = pause_us
    return _at(instant_before(calendar, cursor, left))


def elapsed(calendar: Calendar, start: datetime, end: datetime, pauses: Collection[Pause] = ()) -> float:
    """The open seconds in [start, end) that no pause covers; 0.0 when `end` is not after `start`.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> friday = datetime.fromisoformat("2026-11-20T16:00Z")
    >>> monday = datetime.fromisoformat("2026-11-23T10:00Z")
    >>> quarter = (friday, friday.replace(minute=15))
    >>> elapsed(office, friday, monday), elapsed(office, friday, monday, [quarter])
    (7200.0, 6300.0)
    """
    start_us, end_us = _us(start), _us(end)
    total = open_between(calendar, start_us, end_us)
    if pauses:
        clipped = ((max(begin, start_us), min(stop, end_us)) for begin, stop in map(_pause_us, pauses))
        apart = merged(pause for pause in clipped if pause[0] < pause[1])
        total -= sum(open_between(calendar, begin, stop) for begin, stop in apart)
    return total / SECOND_US


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether work is done at that instant: an opening counts as open, a close does not.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> [is_open(office, datetime.fromisoformat(f"2026-11-20T{at}Z")) for at in ("08:59", "09:00", "17:00")]
    [False, True, False]
    """
    return open_at(calendar, _us(at))


def next_open(calendar: Calendar, start: datetime) -> datetime:
    """`start` when open, else the next opening. Raises NeverOpens.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{next_open(office, datetime.fromisoformat('2026-11-20T17:00Z')):%a %X}"
    'Mon 09:00:00'
    """
    return _at(opening_from(calendar, _us(start)))


def next_open_strict(calendar: Calendar, start: datetime) -> datetime:
    """The next opening after the current open stretch, if any. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{next_open_strict(office, datetime.fromisoformat('2026-11-20T09:00Z')):%a %X}"
    'Mon 09:00:00'
    """
    start_us = _us(start)
    after_us = close_from(calendar, start_us) if open_at(calendar, start_us) else start_us
    return _at(opening_from(calendar, after_us))


def next_close(calendar: Calendar, start: datetime) -> datetime:
    """The close of the current open stretch, else of the next one. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{next_close(office, datetime.fromisoformat('2026-11-20T17:00Z')):%a %X}"
    'Mon 17:00:00'
    """
    return _at(close_from(calendar, _us(start)))


def last_open(calendar: Calendar, start: datetime) -> datetime:
    """`start` when open just before it, else the previous close. Raises NeverOpens.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{last_open(office, datetime.fromisoformat('2026-11-23T09:00Z')):%a %X}"
    'Fri 17:00:00'
    """
    return _at(open_before(calendar, _us(start)))


def prev_open(calendar: Calendar, start: datetime) -> datetime:
    """The latest opening strictly before `start`. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{prev_open(office, datetime.fromisoformat('2026-11-23T09:00Z')):%a %X}"
    'Fri 09:00:00'
    """
    return _at(opening_before(calendar, _us(start)))


def intervals(calendar: Calendar, start: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """The first `count` open stretches from `start`, the first one cut at `start`. Raises as `next_close`.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> found = intervals(office, datetime.fromisoformat("2026-11-20T14:00Z"), 2)
    >>> [f"{opening:%a %H}-{close:%H}" for opening, close in found]
    ['Fri 14-17', 'Mon 09-17']
    """
    found, cursor = [], _us(start)
    for _ in range(count):
        opening = opening_from(calendar, cursor)
        cursor = close_from(calendar, opening)
        found.append((_at(opening), _at(cursor)))
    return found


def business_days_after(calendar: Calendar, start: datetime, days: int) -> datetime:
    """When a promise of `days` business days (one or more) that starts at `start` is due.

    The days count from the next opening, so a start at the weekend is one on Monday morning; else it is the date of
    `add_business_days`. A later start is never due earlier: an hour that clocks repeat or skip counts as its end.
    Raises NeverOpens.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> starts = [datetime.fromisoformat(f"2026-11-{start}Z") for start in ("20T16:00", "20T18:00", "21T08:00")]
    >>> [f"{business_days_after(office, start, 1):%a %X}" for start in starts]
    ['Mon 16:00:00', 'Tue 09:00:00', 'Tue 09:00:00']
    """
    local = _once(next_open(calendar, start).astimezone(calendar.tz))
    day = _date_after(calendar, local.date(), days)
    return next_open(calendar, _existing(datetime.combine(day, local.time(), calendar.tz)))


def add_business_days(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The same local wall time on the `days`-th date from there that has hours, moved into those hours.

    Forward (and for zero) it moves to the next opening if closed; backward, to the last close. Meant for
    plans and reminders; a promise counts with `business_days_after` or `deadline`. Raises NeverOpens.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{add_business_days(office, datetime.fromisoformat('2026-11-20T18:00Z'), 2):%a %X}"
    'Wed 09:00:00'
    """
    if days == 0:
        return next_open(calendar, start)
    local = min(max(start, _FIRST), _LAST).astimezone(calendar.tz)
    landed = _at(instant_us(calendar.tz, _date_after(calendar, local.date(), days), _wall_s(local)) + local.microsecond)
    return next_open(calendar, landed) if days > 0 else last_open(calendar, landed)


def _date_after(calendar: Calendar, day: date, days: int) -> date:
    """The `days`-th date with hours after `day`, or before it when negative. Raises NeverOpens."""
    step = timedelta(days=1 if days > 0 else -1)
    left, empty = abs(days), 0
    while left:
        day += step
        if open_on(calendar, day):
            left, empty = left - 1, 0
        elif (empty := empty + 1) > HORIZON_DAYS:
            raise NeverOpens(
                f"calendar {calendar.name!r} has no date with hours for over {HORIZON_DAYS} days on the way "
                f"to {day}: give it hours, or check its holidays and breaks"
            )
    return day


def _wall_s(local: datetime) -> int:
    return local.hour * 3600 + local.minute * 60 + local.second


def _once(local: datetime) -> datetime:
    """`local` itself; the end of the first pass when it lies in the second pass of an hour that clocks repeat."""
    if not local.fold:
        return local
    return _at(_us(_offset_change(local.replace(fold=0), local)) - 1).astimezone(local.tzinfo)


def _existing(local: datetime) -> datetime:
    """`local` itself; the end of the gap when it lies in an hour that clocks skip."""
    earlier = local.replace(fold=1)
    return _offset_change(earlier, local) if _us(earlier) < _us(local) else local


def _offset_change(before: datetime, after: datetime) -> datetime:
    """The first instant after `before` with the offset from UTC that `after` has, in the same zone."""
    zone, low, high = after.tzinfo, _us(before), _us(after)
    while high - low > 1:
        middle = (low + high) // 2
        if _at(middle).astimezone(zone).utcoffset() == _at(high).astimezone(zone).utcoffset():
            high = middle
        else:
            low = middle
    return _at(high).astimezone(zone)


def _us(at: datetime) -> int:
    passed = min(max(at, _FIRST), _LAST) - EPOCH
    return (passed.days * DAY_S + passed.seconds) * SECOND_US + passed.microseconds


def _at(us: int) -> datetime:
    return EPOCH + timedelta(0, 0, us)


def _length_us(business_seconds: float) -> int:
    if not 0 <= business_seconds <= LONGEST_S:
        raise Refused(f"a duration is 0 to {LONGEST_S} seconds (a hundred years), got {business_seconds!r}")
    return round(business_seconds * SECOND_US)


def _pause_us(pause: Pause) -> tuple[int, int]:
    begin, stop = pause
    return _us(begin), _NO_END_US if stop is None else _us(stop)
