"""Arithmetic along the open time of a calendar, in whole microseconds since the epoch. The open intervals of each UTC
week are computed once and cached (bounded) with their running totals, so that a step is a division and a bisection.
Every search ends: a year without an answer raises."""

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from shared.domain.calendar import DAY_S, EPOCH, EPOCH_DAY, SECOND_US, Calendar, merged, open_on
from shared.domain.errors import Refused

WEEK_US = 7 * DAY_S * SECOND_US
HORIZON_DAYS = 366
_HORIZON_WEEKS = HORIZON_DAYS // 7 + 1
_FIRST_WEEK = (date(1900, 1, 1).toordinal() - EPOCH_DAY) // 7
_LAST_WEEK = (date(2300, 1, 1).toordinal() - EPOCH_DAY) // 7


class NeverOpens(Refused):
    """No such instant exists: the calendar is closed for over a year, or a pause has no end."""


class NeverCloses(Refused):
    """The calendar is open without a break for over a year, so it has no close or other opening to give."""


class Week(NamedTuple):
    """The open time of one week of UTC, in microseconds: interval k is [opens[k], closes[k]), `before[k]` is
    the open time of the week ahead of it, `total` all of it. Intervals are cut at the ends of the week."""

    opens: tuple[int, ...]
    closes: tuple[int, ...]
    before: tuple[int, ...]
    total: int


@lru_cache(maxsize=16_384)
def week(calendar: Calendar, number: int) -> Week:
    """The open time between `number` and `number + 1` weeks after the epoch.

    Weeks of UTC rather than local dates are the unit of the cache, so that finding the place of an instant
    needs no zone arithmetic, and dates of 23 or 25 hours, or none at all, cannot disturb it.

    Raises NeverOpens beyond the years 1900 to 2300, so that every search ends and no arithmetic overflows.

    >>> office = Calendar("office", "Europe/Brussels", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> week(office, 2968).total // (3600 * SECOND_US)
    40
    """
    if not _FIRST_WEEK <= number <= _LAST_WEEK:
        raise NeverOpens(f"calendar {calendar.name!r} has too few hours: a search left the years 1900 to 2300")
    starts_us, ends_us = number * WEEK_US, (number + 1) * WEEK_US
    first = EPOCH_DAY + number * 7
    # No zone is a whole day off UTC, so the local dates that reach into this week begin one before it.
    days = (date.fromordinal(first + offset) for offset in range(-1, 8))
    cut = [
        (max(opens, starts_us), min(closes, ends_us))
        for opens, closes in merged(interval for day in days for interval in open_on(calendar, day))
        if opens < ends_us and closes > starts_us
    ]
    before, total = [], 0
    for opens, closes in cut:
        before.append(total)
        total += closes - opens
    return Week(tuple(opens for opens, _ in cut), tuple(closes for _, closes in cut), tuple(before), total)


def open_at(calendar: Calendar, at_us: int) -> bool:
    """Whether that instant lies in an open interval; an opening does, a close does not."""
    if calendar.always:
        return True
    found = week(calendar, at_us // WEEK_US)
    place = bisect_right(found.opens, at_us) - 1
    return place >= 0 and at_us < found.closes[place]


def open_between(calendar: Calendar, start_us: int, end_us: int) -> int:
    """Open microseconds in [start_us, end_us); 0 when that is empty or reversed."""
    if end_us <= start_us:
        return 0
    if calendar.always:
        return end_us - start_us
    first, last = start_us // WEEK_US, end_us // WEEK_US
    whole = sum(week(calendar, number).total for number in range(first, last))
    return whole + _open_until(week(calendar, last), end_us) - _open_until(week(calendar, first), start_us)


def instant_after(calendar: Calendar, start_us: int, open_us: int) -> int:
    """The earliest instant with `open_us` of open time between `start_us` and it. Raises NeverOpens."""
    if calendar.always or not open_us:
        return start_us + open_us
    number, empty = start_us // WEEK_US, 0
    found = week(calendar, number)
    wanted = open_us + _open_until(found, start_us)
    while wanted > found.total:
        empty = 0 if found.total else empty + 1
        if empty > _HORIZON_WEEKS:
            raise _never_opens(calendar, start_us)
        wanted -= found.total
        number += 1
        found = week(calendar, number)
    place = bisect_left(found.before, wanted) - 1
    return found.opens[place] + wanted - found.before[place]


def instant_before(calendar: Calendar, start_us: int, open_us: int) -> int:
    """The latest instant with `open_us` of open time between it and `start_us`. Raises NeverOpens."""
    if calendar.always or not open_us:
        return start_us - open_us
    number, empty = start_us // WEEK_US, 0
    found = week(calendar, number)
    wanted = _open_until(found, start_us) - open_us
    while wanted < 0:
        number -= 1
        found = week(calendar, number)
        empty = 0 if found.total else empty + 1
        if empty > _HORIZON_WEEKS:
            raise _never_opens(calendar, start_us)
        wanted += found.total
    place = bisect_right(found.before, wanted) - 1
    return found.opens[place] + wanted - found.before[place]


def opening_from(calendar: Calendar, start_us: int) -> int:
    """`start_us` when open, else the next opening. Raises NeverOpens."""
    first = start_us // WEEK_US
    for number in range(first, first + _HORIZON_WEEKS + 1):
        found = week(calendar, number)
        place = bisect_right(found.closes, start_us)
        if place < len(found.opens):
            return max(start_us, found.opens[place])
    raise _never_opens(calendar, start_us)


def close_from(calendar: Calendar, start_us: int) -> int:
    """The close of the current open stretch, else of the next one. Raises NeverOpens or NeverCloses."""
    opening = opening_from(calendar, start_us)
    first = opening // WEEK_US
    for number in range(first, first + _HORIZON_WEEKS + 1):
        found, following = week(calendar, number), week(calendar, number + 1)
        closing = found.closes[bisect_right(found.opens, opening) - 1]
        if not following.opens or following.opens[0] != closing:
            return closing
        opening = closing
    raise _never_closes(calendar, start_us)


def opening_before(calendar: Calendar, start_us: int) -> int:
    """The latest opening strictly before `start_us`. Raises NeverOpens or NeverCloses."""
    opening, _ = _last_interval(calendar, start_us)
    last = opening // WEEK_US
    for number in range(last - 1, last - 1 - _HORIZON_WEEKS, -1):
        earlier = week(calendar, number)
        if not earlier.closes or earlier.closes[-1] != opening:
            return opening
        opening = earlier.opens[-1]
    raise _never_closes(calendar, start_us)


def open_before(calendar: Calendar, start_us: int) -> int:
    """`start_us` when open just before it, else the previous close. Raises NeverOpens."""
    _, closing = _last_interval(calendar, start_us)
    return min(start_us, closing)


def _open_until(found: Week, at_us: int) -> int:
    place = bisect_right(found.opens, at_us) - 1
    if place < 0:
        return 0
    return found.before[place] + min(at_us, found.closes[place]) - found.opens[place]


def _last_interval(calendar: Calendar, start_us: int) -> tuple[int, int]:
    """The last interval that opens before `start_us`, as cut at the ends of its week."""
    last = (start_us - 1) // WEEK_US
    for number in range(last, last - _HORIZON_WEEKS - 1, -1):
        found = week(calendar, number)
        place = bisect_left(found.opens, start_us) - 1
        if place >= 0:
            return found.opens[place], found.closes[place]
    raise _never_opens(calendar, start_us)


def _never_opens(calendar: Calendar, near_us: int) -> NeverOpens:
    return NeverOpens(
        f"calendar {calendar.name!r} has no open time for over {HORIZON_DAYS} days near {_written(near_us)}: "
        "give it hours, or check its holidays and breaks"
    )


def _never_closes(calendar: Calendar, near_us: int) -> NeverCloses:
    return NeverCloses(
        f"calendar {calendar.name!r} stays open for over {HORIZON_DAYS} days near {_written(near_us)}: "
        "it has no other opening or close there"
    )


def _written(us: int) -> str:
    at: datetime = EPOCH + timedelta(microseconds=us)
    return at.isoformat()
