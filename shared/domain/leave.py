"""Leave is no working time: how the leave of a lead's owner is known, and the calendar that is left without it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from shared.domain.calendar import EPOCH, Calendar, Interval
from shared.domain.event import LeaveInterval

MAX_INTERVALS = 50
"""How many intervals of leave are known of the owner of one lead; later ones do not count yet."""

MAX_WAIT = timedelta(days=300)
"""How long a clock waits at most: leave further ahead does not count, so that every promise has a deadline."""

_US = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _US


def ahead(leave: Iterable[LeaveInterval], now: datetime) -> tuple[LeaveInterval, ...]:
    """The leave that is not over, as intervals that neither overlap nor touch, in order; a bounded number."""
    return _joined(each for each in leave if each.ends_at > now)


def changed(known: Iterable[LeaveInterval], new: Iterable[LeaveInterval], at: datetime) -> tuple[LeaveInterval, ...]:
    """The leave that counts once it has changed from `known` to `new` at `at`: what was known until then, and what is
    known from then on. So a change says nothing about time that has passed: leave that is entered afterwards excuses
    nothing, and no deadline passes before it is known that leave does not move it.
    """
    past = [LeaveInterval(each.starts_at, min(each.ends_at, at)) for each in known if each.starts_at < at]
    future = [LeaveInterval(max(each.starts_at, at), each.ends_at) for each in new if each.ends_at > at]
    return _joined([*past, *future])


def without_leave(calendar: Calendar, leave: Sequence[LeaveInterval], since_at: datetime) -> Calendar:
    """The calendar closed during leave after `since_at`, up to `MAX_WAIT` later, rounded down to a whole UTC day."""
    since, until = _us(since_at), _day(_us(since_at + MAX_WAIT))
    away = []
    for each in leave:
        starts, ends = _us(each.starts_at), _us(each.ends_at)
        if starts < until and ends > since:
            # Time before `since_at` is no matter, so that leads given during one leave share a calendar.
            away.append((starts if starts > since else _day(starts), min(ends, until)))
    return _closed(calendar, tuple(away)) if away else calendar


@lru_cache(maxsize=256)
def _closed(calendar: Calendar, away: tuple[Interval, ...]) -> Calendar:
    """One calendar for many leads: to make one takes long, and what it works out is stored with it."""
    return replace(calendar, away=away)


def _joined(leave: Iterable[LeaveInterval]) -> tuple[LeaveInterval, ...]:
    joined: list[LeaveInterval] = []
    for each in sorted(leave, key=lambda one: one.starts_at):
        if joined and each.starts_at <= joined[-1].ends_at:
            joined[-1] = LeaveInterval(joined[-1].starts_at, max(joined[-1].ends_at, each.ends_at))
        else:
            joined.append(each)
    return tuple(joined[:MAX_INTERVALS])


def _day(us: int) -> int:
    return us - us % _DAY


def _us(at: datetime) -> int:
    return (at - EPOCH) // _US
