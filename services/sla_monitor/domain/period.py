"""Promises of marketing about a period: where each period begins and ends, what counts in it, and whether that keeps
the promise. Leads are counted by when they were handed over or decided on, so the order in which facts are read changes
nothing.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from shared.domain.agreement import Commitment
from shared.domain.business_time import elapsed
from shared.domain.calendar import EPOCH, Calendar, instant_us, open_on
from shared.domain.event import Progress, PromisePeriod
from shared.domain.zones import time_zone

PeriodOutcome = Literal["kept", "missed", "no data"]
_DAY = timedelta(days=1)


class Figures(msgspec.Struct, frozen=True):
    """What counts in a period: leads handed over, of which `complete` had all listed fields, and of which `timed` came
    straight from the inquiry, `in_time` and 95 of 100 within `p95_s` seconds; leads that sales accepted and rejected.
    """

    handed: int = 0
    complete: int = 0
    timed: int = 0
    in_time: int = 0
    p95_s: float | None = None
    accepted: int = 0
    rejected: int = 0


def period_at(per: str, at: datetime, zone: str) -> PromisePeriod:
    """The day, week (from Monday), month or quarter around an instant, from local midnight to local midnight.

    >>> november = period_at("month", datetime(2026, 11, 27, tzinfo=UTC), "Europe/Brussels")
    >>> november.starts_at.isoformat(), november.ends_at.isoformat()
    ('2026-10-31T23:00:00+00:00', '2026-11-30T23:00:00+00:00')
    """
    tz = time_zone(zone)
    first = _first_day(per, at.astimezone(tz).date())
    while (ends_at := _midnight(tz, _next_first(per, first))) <= at:
        first = _next_first(per, first)  # clocks that go back over midnight repeat the end of a day in the next one
    return PromisePeriod(per, _midnight(tz, first), ends_at)


def period_name(period: PromisePeriod, zone: str) -> str:
    """The period's name: `2026-11-27`, `2026-W48`, `2026-11` or `2026-Q4`."""
    # Noon of the first day: it has the date of the period, wherever its midnight is.
    day = (period.starts_at + timedelta(hours=12)).astimezone(time_zone(zone)).date()
    names: Mapping[str, Callable[[], str]] = {
        "day": day.isoformat,
        "week": lambda: f"{day.isocalendar().year}-W{day.isocalendar().week:02}",
        "month": lambda: f"{day:%Y-%m}",
        "quarter": lambda: f"{day.year}-Q{_quarter(day)}",
    }
    return names[period.per]()


def part_over(period: PromisePeriod, calendar: Calendar, at: datetime) -> Fraction:
    """Which part of the period's business days is over, from 0 to 1; a day that has begun counts by its working hours.
    A period without any counts by time, as does a calendar that never closes.
    """
    days = [open_on(calendar, each) for each in _dates(period, calendar.tz)]
    spans = [
        (max(_instant(each[0][0]), period.starts_at), min(_instant(each[-1][1]), period.ends_at))
        for each in days
        if each
    ]
    spans = [(opens_at, closes_at) for opens_at, closes_at in spans if opens_at < closes_at]
    if calendar.always or not spans:
        whole = period.ends_at - period.starts_at
        return _clamped(Fraction(_us(at - period.starts_at), _us(whole)))
    over = Fraction(0)
    for opens_at, closes_at in spans:
        if at >= closes_at:
            over += 1
        elif at > opens_at:
            over += Fraction(elapsed(calendar, opens_at, at)) / Fraction(elapsed(calendar, opens_at, closes_at))
    return _clamped(over / len(spans))


def progress(commitment: Commitment, figures: Figures, over: Fraction) -> Progress:
    """How far the promise has come when this part of the period is over."""
    target = float(commitment.target)
    if commitment.measure == "volume":
        pace = round(float(figures.accepted / over), 1) if over else None
        return Progress(figures.accepted, figures.handed, target, pace)
    counted, of = _share(commitment, figures)
    if commitment.measure == "hand_off_latency":
        return Progress(counted, of, target, figures.p95_s)
    return Progress(counted, of, target, round(counted / of, 4) if of else None)


def outcome(commitment: Commitment, figures: Figures) -> PeriodOutcome:
    """Whether these figures of a whole period keep the promise. A share of nothing is no data.

    >>> share = Commitment("accepted_share", Decimal("0.6"), "month", "commitments")
    >>> [outcome(share, Figures(accepted=accepted, rejected=2)) for accepted in (2, 3)], outcome(share, Figures())
    (['missed', 'kept'], 'no data')
    """
    if commitment.measure == "volume":
        return "kept" if figures.accepted >= commitment.target else "missed"
    counted, of = _share(commitment, figures)
    if not of:
        return "no data"
    least = Decimal("0.95") if commitment.measure == "hand_off_latency" else commitment.target
    return "kept" if counted >= least * of else "missed"


def on_pace(commitment: Commitment, figures: Figures, over: Fraction) -> bool:
    """Whether the promise is kept if the period goes on like this; also while nothing can be said."""
    if commitment.measure == "volume":
        return not over or figures.accepted / over >= Fraction(commitment.target)
    return outcome(commitment, figures) != "missed"


def _share(commitment: Commitment, figures: Figures) -> tuple[int, int]:
    return {
        "accepted_share": (figures.accepted, figures.accepted + figures.rejected),
        "completeness": (figures.complete, figures.handed),
        "hand_off_latency": (figures.in_time, figures.timed),
    }[commitment.measure]


def _first_day(per: str, day: date) -> date:
    if per == "week":
        return day - timedelta(days=day.weekday())
    if per == "month":
        return day.replace(day=1)
    return day.replace(month=3 * _quarter(day) - 2, day=1) if per == "quarter" else day


def _next_first(per: str, first: date) -> date:
    days = {"day": 1, "week": 7, "month": 31, "quarter": 92}[per]
    return _first_day(per, first + timedelta(days=days))


def _quarter(day: date) -> int:
    return (day.month + 2) // 3


def _midnight(tz: ZoneInfo, day: date) -> datetime:
    return _instant(instant_us(tz, day, 0))


def _dates(period: PromisePeriod, tz: ZoneInfo) -> list[date]:
    first = period.starts_at.astimezone(tz).date()
    last = (period.ends_at - timedelta(microseconds=1)).astimezone(tz).date()
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _instant(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _clamped(part: Fraction) -> Fraction:
    return min(max(part, Fraction(0)), Fraction(1))
