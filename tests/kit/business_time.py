"""Operations on business time that no service needs, and by which tests check those that services do."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from datetime import datetime, timedelta

from shared.domain.business_time import Pause, is_open, next_open
from shared.domain.calendar import EPOCH, SECOND_US, Calendar, merged
from shared.domain.errors import Refused
from shared.domain.open_time import HORIZON_DAYS, WEEK_US, NeverOpens, open_between, week

__all__ = ["NeverCloses", "elapsed", "intervals", "next_close", "next_open_strict", "prev_open"]

MICROSECOND = timedelta(microseconds=1)
HORIZON_WEEKS = HORIZON_DAYS // 7 + 1


class NeverCloses(Refused):
    """The calendar is open without a break for over a year, so it has no close or other opening to give."""


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
    clipped = [(max(_us(begin), start_us), min(_us(stop or end), end_us)) for begin, stop in pauses]
    apart = merged(pause for pause in clipped if pause[0] < pause[1])
    paused = sum(open_between(calendar, begin, stop) for begin, stop in apart)
    return (open_between(calendar, start_us, end_us) - paused) / SECOND_US


def next_open_strict(calendar: Calendar, start: datetime) -> datetime:
    """The next opening after the current open stretch, if any. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{next_open_strict(office, datetime.fromisoformat('2026-11-20T09:00Z')):%a %X}"
    'Mon 09:00:00'
    """
    return next_open(calendar, next_close(calendar, start) if is_open(calendar, start) else start)


def next_close(calendar: Calendar, start: datetime) -> datetime:
    """The close of the current open stretch, else of the next one. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{next_close(office, datetime.fromisoformat('2026-11-20T17:00Z')):%a %X}"
    'Mon 17:00:00'
    """
    opening = _us(next_open(calendar, start))
    first = opening // WEEK_US
    for number in range(first, first + HORIZON_WEEKS + 1):
        found, following = week(calendar, number), week(calendar, number + 1)
        closing = found.closes[bisect_right(found.opens, opening) - 1]
        if not following.opens or following.opens[0] != closing:
            return _at(closing)
        opening = closing
    raise NeverCloses(f"calendar {calendar.name!r} stays open for over {HORIZON_DAYS} days after {start}")


def prev_open(calendar: Calendar, start: datetime) -> datetime:
    """The latest opening strictly before `start`. Raises NeverOpens or NeverCloses.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> f"{prev_open(office, datetime.fromisoformat('2026-11-23T09:00Z')):%a %X}"
    'Fri 09:00:00'
    """
    opening = _last_opening(calendar, _us(start))
    last = opening // WEEK_US
    for number in range(last - 1, last - 1 - HORIZON_WEEKS, -1):
        earlier = week(calendar, number)
        if not earlier.closes or earlier.closes[-1] != opening:
            return _at(opening)
        opening = earlier.opens[-1]
    raise NeverCloses(f"calendar {calendar.name!r} stays open for over {HORIZON_DAYS} days before {start}")


def intervals(calendar: Calendar, start: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """The first `count` open stretches from `start`, the first one cut at `start`. Raises as `next_close`.

    >>> office = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> found = intervals(office, datetime.fromisoformat("2026-11-20T14:00Z"), 2)
    >>> [f"{opening:%a %H}-{close:%H}" for opening, close in found]
    ['Fri 14-17', 'Mon 09-17']
    """
    found, cursor = [], start
    for _ in range(count):
        opening = next_open(calendar, cursor)
        cursor = next_close(calendar, opening)
        found.append((opening, cursor))
    return found


def _last_opening(calendar: Calendar, start_us: int) -> int:
    """The last opening before `start_us`, as cut at the beginning of its week."""
    last = (start_us - 1) // WEEK_US
    for number in range(last, last - HORIZON_WEEKS - 1, -1):
        found = week(calendar, number)
        place = bisect_left(found.opens, start_us) - 1
        if place >= 0:
            return found.opens[place]
    raise NeverOpens(f"calendar {calendar.name!r} was not open for over {HORIZON_DAYS} days before {_at(start_us)}")


def _us(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _at(us: int) -> datetime:
    return EPOCH + us * MICROSECOND
