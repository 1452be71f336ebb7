"""Working calendars: one frozen value says when someone works, in their own zone, and this module turns any
local date of it into open intervals of real time. Weekly hours, dated shifts, breaks and holidays go in as
plain parsed values; out come half-open, merged, ordered intervals in UTC."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.errors import Refused
from shared.domain.zones import time_zone

DAY_S = 86_400
SECOND_US = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()

Span = tuple[int, int]
"""Local (open, close) in seconds from midnight; a close that is not after the open falls on the next date."""

Interval = tuple[int, int]
"""Real time [open, close) in microseconds since 1970-01-01T00:00Z: whole, so that no fraction is lost."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When work is done. A value: equal content gives an equal `version`, in whatever order it was written.

    `zone` is an IANA name. `weekly` maps `date.weekday()` (0 is Monday) to that day's spans; a missing day is
    closed. `holidays` close whole local dates and win over everything. `shifts` replace the hours listed for
    their date, and what runs over into it from the evening before; an empty shift closes the date. `breaks`
    are taken away, and so is `away`, the leave of one person. Spans may overlap and touch; one that passes
    midnight is split there, and each part obeys the date it falls on. `version` digests everything but the
    name; `always` is true when it never closes.
    Raises Refused when the zone is unknown, a weekday is not 0 to 6, or a span is not inside one day.

    >>> office = Calendar("office", "Europe/Brussels", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> office.always, office == Calendar("office", "Europe/Brussels", dict(reversed(office.weekly.items())))
    (False, True)
    """

    name: str
    zone: str
    weekly: Mapping[int, Sequence[Span]]
    holidays: AbstractSet[date] = frozenset()
    breaks: Mapping[date, Sequence[Span]] = field(default_factory=dict)
    shifts: Mapping[date, Sequence[Span]] = field(default_factory=dict)
    away: tuple[Interval, ...] = ()
    version: str = field(init=False)
    always: bool = field(init=False, repr=False, compare=False)
    tz: ZoneInfo = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not set(self.weekly) <= set(range(7)):
            raise Refused(f"calendar {self.name!r}: weekdays are 0 (Monday) to 6 (Sunday), got {sorted(self.weekly)}")
        weekly = {day: self._checked(self.weekly.get(day, ()), f"weekday {day}") for day in range(7)}
        breaks = {day: self._checked(spans, f"break on {day}") for day, spans in sorted(self.breaks.items())}
        shifts = {day: self._checked(spans, f"shift on {day}") for day, spans in sorted(self.shifts.items())}
        holidays = frozenset(self.holidays)
        content = repr((self.zone, weekly, sorted(map(str, holidays)), _dated(breaks), _dated(shifts)))
        content += repr(self.away) if self.away else ""
        version = hashlib.sha256(content.encode()).hexdigest()
        whole_week = all(merged(_own_parts(spans)) == [(0, DAY_S)] for spans in weekly.values())
        settled = {
            "weekly": weekly,
            "holidays": holidays,
            "breaks": breaks,
            "shifts": shifts,
            "version": version,
            "always": whole_week and not (holidays or breaks or shifts or self.away),
            "tz": self._known_zone(),
            # Taken from the content, not from hash(str), so that it is the same in every process.
            "_hash": int(version[:15], 16),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return self._hash

    def _known_zone(self) -> ZoneInfo:
        try:
            return time_zone(self.zone)
        except (KeyError, ValueError, OSError) as error:
            raise Refused(
                f"calendar {self.name!r}: {self.zone!r} is not a time zone; use a name like Europe/Brussels"
            ) from error

    def _checked(self, spans: Sequence[Span], where: str) -> tuple[Span, ...]:
        for opens_s, closes_s in spans:
            if not (0 <= opens_s < DAY_S and 0 <= closes_s <= DAY_S):
                raise Refused(
                    f"calendar {self.name!r}, {where}: ({opens_s}, {closes_s}) is not inside one day; "
                    "give seconds from midnight, the opening below 86400 and the close at most 86400"
                )
        return tuple(sorted(set(spans)))


def _dated(spans: Mapping[date, Sequence[Span]]) -> list[tuple[str, Sequence[Span]]]:
    return [(str(day), listed) for day, listed in spans.items()]


def open_on(calendar: Calendar, day: date) -> list[Interval]:
    """The open intervals that belong to a local date, in order; empty when it has no hours or does not exist.

    The ends of every listed span are placed by PEP 495 with fold 0: a time that the clock skips moves forward
    by the gap, a time that it repeats is the first one; a span that becomes empty or inverted is dropped.

    >>> office = Calendar("office", "Europe/Brussels", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
    >>> [(closes - opens) // SECOND_US for opens, closes in open_on(office, date(2026, 11, 20))]
    [28800]
    >>> open_on(Calendar("apia", "Pacific/Apia", ALWAYS.weekly), date(2011, 12, 30))  # skipped
    []
    """
    if not _placed(calendar.tz, day, [(0, DAY_S)]):
        return []
    opened = merged(_placed(calendar.tz, day, _listed_on(calendar, day)))
    opened = _without(opened, calendar.away)
    if not (calendar.holidays or calendar.breaks):
        return opened
    # A time skipped just before midnight lands on the next date, and has to obey that one's closures as well.
    next_day = day + timedelta(days=1)
    return _without(opened, [*_closed_on(calendar, day), *_closed_on(calendar, next_day)])


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as ordered intervals that neither overlap nor touch.

    >>> merged([(5, 7), (1, 3), (3, 4)])
    [(1, 4), (5, 7)]
    """
    joined: list[Interval] = []
    for opens, closes in sorted(intervals):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return joined


def instant_us(tz: ZoneInfo, day: date, seconds: int) -> int:
    """The instant of a local wall time, in microseconds since the epoch; 86,400 `seconds` is 24:00.

    >>> instant_us(ZoneInfo("America/Los_Angeles"), date(2006, 4, 2), 9000) // SECOND_US
    1143973800
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=tz) + timedelta(seconds=seconds)
    offset = wall.utcoffset() or timedelta()
    utc_s = (day.toordinal() - EPOCH_DAY) * DAY_S + seconds - (offset.days * DAY_S + offset.seconds)
    return utc_s * SECOND_US


def _listed_on(calendar: Calendar, day: date) -> list[Span]:
    own = calendar.shifts.get(day)
    if own is not None:
        return _own_parts(own)
    eve = day - timedelta(days=1)
    evening = calendar.shifts.get(eve, calendar.weekly[eve.weekday()])
    return _own_parts(calendar.weekly[day.weekday()]) + _spilt_parts(evening)


def _closed_on(calendar: Calendar, day: date) -> list[Interval]:
    if day in calendar.holidays:
        return _placed(calendar.tz, day, [(0, DAY_S)])
    evening = calendar.breaks.get(day - timedelta(days=1), ())
    return _placed(calendar.tz, day, _own_parts(calendar.breaks.get(day, ())) + _spilt_parts(evening))


def _own_parts(spans: Sequence[Span]) -> list[Span]:
    return [(opens, closes if closes > opens else DAY_S) for opens, closes in spans]


def _spilt_parts(spans: Sequence[Span]) -> list[Span]:
    return [(0, closes) for opens, closes in spans if 0 < closes <= opens]


def _placed(tz: ZoneInfo, day: date, spans: Iterable[Span]) -> list[Interval]:
    placed = [(instant_us(tz, day, opens), instant_us(tz, day, closes)) for opens, closes in spans]
    return [interval for interval in placed if interval[0] < interval[1]]


def _without(opened: list[Interval], closed: Iterable[Interval]) -> list[Interval]:
    for shut_from, shut_to in closed:
        ahead = [(opens, min(closes, shut_from)) for opens, closes in opened]
        after = [(max(opens, shut_to), closes) for opens, closes in opened]
        opened = sorted(left for left in ahead + after if left[0] < left[1])
    return opened


ALWAYS = Calendar("always", "UTC", dict.fromkeys(range(7), ((0, DAY_S),)))
"""Open around the clock: business time in it is wall time."""
