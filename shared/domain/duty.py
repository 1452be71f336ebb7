"""Who is on duty: which person a role such as `ops` is at an instant, by a rota, a calendar or once and for all."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.instants import LATEST, clamped
from shared.domain.zones import time_zone

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shift:
    """The time of one person on duty, from `starts_at` until before `ends_at`."""

    person: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Rota:
    """People who take turns in this order, again and again. A person who is listed twice has two turns in each round.

    The first turn begins at `starts`, a local time of `zone` without an offset. Turns are `turn_s` seconds long by
    the local clock, so that a week begins at the same time of day in summer and in winter.
    """

    people: tuple[str, ...]
    turn_s: int
    starts: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is one role: `always` the same person, or by a `rota`, or by the `shifts` of a `calendar`, a file by name.

    Shifts are in order and do not overlap. `overrides` win over all of these.
    """

    always: str | None = None
    rota: Rota | None = None
    calendar: str | None = None
    shifts: tuple[Shift, ...] = ()
    overrides: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is on duty: nobody if `person` is None. That does not change before `until_at`; None: it never does."""

    person: str | None = None
    until_at: datetime | None = None


def on_duty(duties: Mapping[str, Duty], role: str, at: datetime, overrides: Sequence[Shift] = ()) -> OnDuty:
    """Who is `role` at an instant. `overrides` win over those of the duty, and later ones over earlier ones.

    Nothing changes after the range of `instants`. The work is bounded by the overrides and the turns of a day.

    >>> duties = {"ops": Duty(rota=Rota(("lea", "tom"), 7 * 86400, datetime(2026, 11, 30, 9), "Europe/Brussels"))}
    >>> on_duty(duties, "ops", datetime(2026, 12, 7, 8, tzinfo=UTC))
    OnDuty(person='tom', until_at=datetime.datetime(2026, 12, 14, 8, 0, tzinfo=datetime.timezone.utc))
    """
    duty = duties.get(role, Duty())
    at = clamped(at)
    exceptions = (*duty.overrides, *overrides)
    edges = [edge for shift in exceptions for edge in (shift.starts_at, shift.ends_at) if edge > at]
    stands_in = next((shift for shift in reversed(exceptions) if shift.starts_at <= at < shift.ends_at), None)
    planned = OnDuty(stands_in.person) if stands_in is not None else _planned(duty, at)
    until_at = min([*edges, planned.until_at or LATEST, LATEST])
    return OnDuty(planned.person, until_at if until_at < LATEST else None)


def gaps(
    duties: Mapping[str, Duty], role: str, since_at: datetime, until_at: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The start and end of each time from `since_at` until `until_at` during which nobody is `role`.

    >>> december = datetime(2026, 12, 1, tzinfo=UTC)
    >>> shift = Shift("lea", december + timedelta(days=2), december + timedelta(days=4))
    >>> away = gaps({"ops": Duty(overrides=(shift,))}, "ops", december, december + timedelta(days=7))
    >>> [(begins_at.day, ends_at.day) for begins_at, ends_at in away]
    [(1, 3), (5, 8)]
    """
    begins_at, at = None, since_at
    while at < until_at:
        found = on_duty(duties, role, at)
        if found.person is None:
            begins_at = begins_at or at
        elif begins_at is not None:
            yield begins_at, at
            begins_at = None
        at = found.until_at or until_at
    if begins_at is not None:
        yield begins_at, until_at


def _planned(duty: Duty, at: datetime) -> OnDuty:
    if duty.always is not None:
        return OnDuty(duty.always)
    return _turn(duty.rota, at) if duty.rota is not None else _shift(duty.shifts, at)


def _turn(rota: Rota, at: datetime) -> OnDuty:
    """The latest turn that has begun, and the first to come: of the turns up to a day ahead by the local clock, because
    the clock may be set back or forward by that much.
    """
    zone = time_zone(rota.zone)
    number = (at.astimezone(zone).replace(tzinfo=None) + _DAY - rota.starts) // timedelta(seconds=rota.turn_s)
    until_at = _begins_at(rota, zone, max(number + 1, 0))
    while number >= 0 and (begins_at := _begins_at(rota, zone, number)) > at:
        until_at = min(until_at, begins_at)
        number -= 1
    return OnDuty(rota.people[number % len(rota.people)] if number >= 0 else None, until_at)


def _begins_at(rota: Rota, zone: ZoneInfo, number: int) -> datetime:
    """When a turn begins, counted from 0. A time that the clock skips is later by the gap, one that it repeats is the
    first (PEP 495).
    """
    return (rota.starts + number * timedelta(seconds=rota.turn_s)).replace(tzinfo=zone).astimezone(UTC)


def _shift(shifts: Sequence[Shift], at: datetime) -> OnDuty:
    place = bisect_right(shifts, at, key=lambda shift: shift.starts_at)
    if place and at < shifts[place - 1].ends_at:
        return OnDuty(shifts[place - 1].person, shifts[place - 1].ends_at)
    return OnDuty(None, shifts[place].starts_at if place < len(shifts) else None)
