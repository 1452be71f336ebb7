"""Who can take a lead now, and why not: hours, leave, hold and capacity, each in words that a rep understands.

Leave is in whole or half local dates of the rep's own calendar; a half day ends or begins at noon.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from shared.domain.agreement import Duration, Person, Pool
from shared.domain.business_time import (
    NeverOpens,
    add_business_days,
    business_days_after,
    deadline,
    is_open,
    next_open,
)
from shared.domain.calendar import ALWAYS
from shared.domain.event import LeaveInterval
from shared.domain.instants import clamped, clamped_day
from shared.domain.leave import ahead

NOON = time(12)


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rep gets no leads from `since` on, until `until` (or until someone ends it)."""

    since: datetime
    until: datetime | None = None
    by: str | None = None
    reason: str | None = None


class Leave(msgspec.Struct, frozen=True, omit_defaults=True):
    """Days off, `first` and `last` included; `half` when it is only the morning or the afternoon of one day."""

    first: date
    last: date
    half: Literal["morning", "afternoon"] | None = None


class RepState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changes about a rep from day to day: leads held (`open`), leads got on the local date `day`, absences."""

    open: int = 0
    day: str = ""
    new_today: int = 0
    hold: Hold | None = None
    leave: tuple[Leave, ...] = ()


class AvailabilityChange(msgspec.Struct, frozen=True):
    """A rep's absences from now on, as the router's record has them."""

    rep: str
    hold: Hold | None
    leave: tuple[Leave, ...]


class Absence(msgspec.Struct, frozen=True):
    """Why someone is away, and until when, if that is known."""

    why: str
    until: datetime | None


def zone_of(person: Person) -> ZoneInfo:
    """The zone in which the person's days begin and end."""
    return (person.calendar or ALWAYS).tz


def today(person: Person, now: datetime) -> str:
    """The date where the person works, as `2026-11-23`."""
    return now.astimezone(zone_of(person)).date().isoformat()


def absence(person: Person, state: RepState, now: datetime) -> Absence | None:
    """The hold or leave that the person is on, the longer of two; None if they are available."""
    found = []
    hold = state.hold
    until = clamped(hold.until) if hold is not None and hold.until is not None else None
    if hold is not None and hold.since <= now and (until is None or now < until):
        shown = f" until {_shown(until, person)}" if until else ""
        found.append(Absence(f"on hold{shown}" + (f": {hold.reason}" if hold.reason else ""), until))
    back = _back_at(person, state.leave, now)
    if back is not None:
        found.append(Absence(f"on leave until {_shown(back, person)}", back))
    return max(found, key=lambda each: (each.until is None, each.until or now), default=None)


def on_leave(person: Person, state: RepState, now: datetime) -> bool:
    """Whether the person is on leave. A hold is not leave: it only keeps new leads away."""
    return bool(state.leave) and _back_at(person, state.leave, now) is not None


def leave_ahead(person: Person, state: RepState, now: datetime) -> tuple[LeaveInterval, ...]:
    """The person's leave that is not over."""
    if not state.leave:
        return ()
    zone = zone_of(person)
    return ahead((LeaveInterval(*_span(leave, zone)) for leave in state.leave), now)


def whole_absence(person: Person, state: RepState, now: datetime) -> Absence | None:
    """The absence from now until the person works again: holds, leave, and the nights, weekends and holidays next to
    them are one. None if no hold or leave is part of it.
    """
    calendar, found, at = person.calendar or ALWAYS, None, now
    while True:
        away = absence(person, state, at)
        if away is None:
            try:
                opens = next_open(calendar, at)
            except NeverOpens:
                opens = at
            if opens == at:
                return Absence(found.why, at) if found is not None else None
            at = opens
            continue
        found = found or away
        if away.until is None:
            return Absence(found.why, None)
        at = away.until


def away_for(person: Person, away: Absence, limit: Duration, now: datetime, *, old_rules: bool = False) -> bool:
    """Whether an absence lasts at least `limit` from now on, business time in the person's calendar. By `old_rules`,
    business days began also while the calendar was closed.
    """
    if away.until is None:
        return True
    calendar = person.calendar or ALWAYS
    try:
        if limit.days:
            days_after = add_business_days if old_rules else business_days_after
            return away.until >= days_after(calendar, now, limit.days)
        if limit.business:
            return away.until >= deadline(calendar, now, limit.seconds)
    except NeverOpens:
        return False
    return away.until >= now + timedelta(seconds=limit.seconds)


def why_not(person: Person, state: RepState, pool: Pool, now: datetime) -> str | None:
    """Why the person gets no lead of the pool now; None when they can have one."""
    if not person.active:
        return "not active"
    away = absence(person, state, now) if state.hold is not None or state.leave else None
    if away is not None:
        return away.why
    if pool.only_in_hours and not is_open(person.calendar or ALWAYS, now):
        return "out of hours"
    return full(person, state, now)


def full(person: Person, state: RepState, now: datetime) -> str | None:
    """Why the person has too many leads to get another one; None when they don't."""
    if person.max_open is not None and state.open >= person.max_open:
        return f"at capacity: holds {state.open} of at most {person.max_open} leads"
    limit = person.max_new_per_day
    if limit is not None and state.new_today >= limit and state.day == today(person, now):
        return f"at capacity: got {state.new_today} of at most {limit} leads today"
    return None


def free_at(person: Person, state: RepState, pool: Pool, now: datetime) -> datetime | None:
    """The next instant at which time alone may make the person available; None when it can't."""
    if not person.active:
        return None
    away = absence(person, state, now)
    if away is not None:
        return away.until
    calendar = person.calendar or ALWAYS
    if pool.only_in_hours and not is_open(calendar, now):
        try:
            return next_open(calendar, now)
        except NeverOpens:
            return None
    if person.max_new_per_day is not None and state.new_today >= person.max_new_per_day:
        return _midnight(now.astimezone(zone_of(person)).date() + timedelta(days=1), zone_of(person))
    return None


def with_one_more(person: Person, state: RepState, now: datetime) -> RepState:
    """The state after the person got a lead, which counts for the date where they work."""
    day = today(person, now)
    new_today = state.new_today + 1 if day == state.day else 1
    return RepState(state.open + 1, day, new_today, state.hold, state.leave)


def with_one_less(state: RepState) -> RepState:
    """The state after the person lost a lead."""
    return msgspec.structs.replace(state, open=max(0, state.open - 1))


def _back_at(person: Person, leaves: Iterable[Leave], now: datetime) -> datetime | None:
    """When leave that runs now ends; leave that follows on without a gap counts as one."""
    zone = zone_of(person)
    back: datetime | None = None
    for begins, ends in sorted(_span(leave, zone) for leave in leaves):
        reached = back or now
        if begins <= reached < ends:
            back = ends
    return back


@lru_cache(maxsize=4096)
def _span(leave: Leave, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, last = clamped_day(leave.first), clamped_day(leave.last)
    begins = _midnight(first, zone)
    ends = _midnight(last + timedelta(days=1), zone)
    if leave.half == "morning":
        ends = _local(last, NOON, zone)
    elif leave.half == "afternoon":
        begins = _local(first, NOON, zone)
    return begins, ends


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _local(day, time(0), zone)


def _local(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _shown(at: datetime, person: Person) -> str:
    return f"{at.astimezone(zone_of(person)):%Y-%m-%d %H:%M}"
