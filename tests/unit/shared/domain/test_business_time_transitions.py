"""Around every clock change of some awkward zones, business time agrees with a slow reference that looks at a wall
clock once a minute and knows neither offsets, folds nor weeks."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from shared.domain.business_time import before, deadline, elapsed, intervals, is_open, next_open, prev_open
from shared.domain.calendar import Calendar, Span

ZONES = [
    "Europe/Brussels",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia",
]
# St Johns changed at 00:01 until 2011, Apia skipped a whole date in it; the later years are today's rules.
YEARS = [2010, 2011, 2012, 2025, 2026]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
H = 3600
DURATIONS = [1, 29, 30, 31, 60, 95, 480, 481, 1000]


def clock_changes(zone: str) -> Iterator[datetime]:
    """The first minute of each new offset."""
    tz = ZoneInfo(zone)
    for year in YEARS:
        hour = datetime(year, 1, 1, tzinfo=UTC)
        while hour.year == year:
            following = hour + timedelta(hours=1)
            if hour.astimezone(tz).utcoffset() != following.astimezone(tz).utcoffset():
                minutes = [hour + MINUTE * step for step in range(61)]
                old = hour.astimezone(tz).utcoffset()
                yield next(minute for minute in minutes if minute.astimezone(tz).utcoffset() != old)
            hour = following


@dataclass
class WallClock:
    """What a clock on the wall shows at each minute of some days."""

    readings: list[tuple[datetime, datetime]]

    @classmethod
    def around(cls, zone: str, change: datetime) -> "WallClock":
        tz, first = ZoneInfo(zone), change - 5 * DAY
        instants = [first + MINUTE * step for step in range(10 * 24 * 60)]
        return cls([(instant, instant.astimezone(tz).replace(tzinfo=None)) for instant in instants])

    def __post_init__(self) -> None:
        self.first_shown: dict[datetime, datetime] = {}
        for instant, reading in self.readings:
            self.first_shown.setdefault(reading, instant)
        self.dates = sorted({reading.date() for _, reading in self.readings})[1:-1]

    def when(self, day: date, seconds: int) -> datetime:
        """When it first shows that time; for a time it skips, when it would have, had nobody moved it."""
        wanted = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001
        if wanted in self.first_shown:
            return self.first_shown[wanted]
        for (instant, reading), (_, following) in pairwise(self.readings):
            if reading < wanted < following:
                return instant + (wanted - reading)
        raise AssertionError(f"{wanted} is not within the days looked at")


def by_midnight(spans: Iterable[Span], *, after: bool) -> list[Span]:
    if after:
        return [(0, closes) for opens, closes in spans if closes <= opens]
    return [(opens, closes if closes > opens else 24 * H) for opens, closes in spans]


def minutes_between(start: datetime, end: datetime) -> set[datetime]:
    return {start + MINUTE * step for step in range(max(0, (end - start) // MINUTE))}


def open_minutes(calendar: Calendar, clock: WallClock) -> list[datetime]:
    opened: set[datetime] = set()
    closed: set[datetime] = set()
    for day in clock.dates[1:-1]:
        eve = day - DAY
        if day in calendar.shifts:
            listed = by_midnight(calendar.shifts[day], after=False)
        else:
            last_night = calendar.shifts.get(eve, calendar.weekly[eve.weekday()])
            listed = by_midnight(calendar.weekly[day.weekday()], after=False)
            listed += by_midnight(last_night, after=True)
        shut = by_midnight(calendar.breaks.get(day, ()), after=False)
        shut += by_midnight(calendar.breaks.get(eve, ()), after=True)
        if day in calendar.holidays:
            listed, shut = [], [(0, 24 * H)]
        for opens, closes in listed:
            opened |= minutes_between(clock.when(day, opens), clock.when(day, closes))
        for opens, closes in shut:
            closed |= minutes_between(clock.when(day, opens), clock.when(day, closes))
    return sorted(opened - closed)


def calendars(zone: str, day: date) -> Iterator[Calendar]:
    """Hours that sit in, around and across the hours in which clocks are changed."""
    slivers = [(0, H // 2), (H + 1800, 2 * H + 900), (2 * H + 1800, 3 * H + 900), (23 * H + 900, 24 * H)]
    nights = {weekday: [(22 * H, 6 * H)] for weekday in range(7)}
    yield Calendar("days", zone, {weekday: [(9 * H, 17 * H)] for weekday in range(7)})
    yield Calendar("slivers", zone, dict.fromkeys(range(7), slivers))
    yield Calendar("nights", zone, nights, breaks={day: [(2 * H + 900, 2 * H + 2700), (23 * H + 1800, H)]})
    yield Calendar("holiday", zone, nights, holidays={day}, shifts={day - DAY: [(12 * H, 12 * H)]})
    yield Calendar(
        "rota", zone, nights, holidays={day - DAY}, shifts={day: [(60, 3 * H + 1800), (22 * H + 1800, H + 1800)]}
    )


def stretches(minutes: list[datetime]) -> list[tuple[datetime, datetime]]:
    joined: list[tuple[datetime, datetime]] = []
    for minute in minutes:
        if joined and joined[-1][1] == minute:
            joined[-1] = (joined[-1][0], minute + MINUTE)
        else:
            joined.append((minute, minute + MINUTE))
    return joined


@pytest.mark.parametrize("zone", ZONES)
def test_agrees_with_a_wall_clock_around_every_clock_change(zone: str) -> None:
    changes = list(clock_changes(zone))
    assert changes
    for change in changes:
        clock = WallClock.around(zone, change)
        for calendar in calendars(zone, change.astimezone(ZoneInfo(zone)).date()):
            compare(calendar, open_minutes(calendar, clock), change)


def compare(calendar: Calendar, minutes: list[datetime], change: datetime) -> None:
    open_minutes = set(minutes)
    window = [change - 1.5 * DAY + MINUTE * step for step in range(3 * 24 * 60)]
    wrong = [minute for minute in window if is_open(calendar, minute) != (minute in open_minutes)]
    assert not wrong, (calendar, wrong[0])

    known = stretches(minutes)
    whole = [stretch for stretch in known if window[0] <= stretch[0] and stretch[1] <= window[-1]]
    assert intervals(calendar, whole[0][0], len(whole)) == whole

    for start in window[::113]:
        place = bisect_left(minutes, start)
        for duration in DURATIONS:
            reached = minutes[place + duration - 1 : place + duration]
            if reached and reached[0] < window[-1]:
                assert deadline(calendar, start, duration * 60) == reached[0] + MINUTE, (calendar, start)
                assert elapsed(calendar, start, reached[0]) == (duration - 1) * 60, (calendar, start)
            if place >= duration and minutes[place - duration] > window[0]:
                assert before(calendar, start, duration * 60) == minutes[place - duration], (calendar, start)
        assert next_open(calendar, start) == minutes[place], (calendar, start)
        assert prev_open(calendar, start) == [opening for opening, _ in known if opening < start][-1]
