"""Working hours and closed days in words."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby

from shared.agreement_text.phrases import counted, day, listed
from shared.domain.calendar import DAY_S, Calendar, Span

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NEXT = 3


def hours_in_words(calendar: Calendar) -> str:
    """The hours of a week, days with the same hours together: `Monday to Friday 09:00–12:30 and 13:30–18:00`."""
    if all(calendar.weekly[weekday] == ((0, DAY_S),) for weekday in range(7)):
        return "around the clock, every day"
    return "; ".join(_week(calendar)) or "never"


def spans_in_words(spans: Iterable[Span]) -> str:
    """The hours of one day: `09:00–12:30 and 13:30–18:00`, or `closed`."""
    return listed(map(_span, spans)) or "closed"


def closed_in_words(calendar: Calendar, today: date) -> str:
    """How many whole days from today on are closed, and the next of them."""
    coming = sorted(closed for closed in calendar.holidays if closed >= today)
    if not coming:
        return "no holidays"
    more = f" ({counted(len(coming), 'day')} until {day(coming[-1])})" if len(coming) > _NEXT else ""
    return f"next {listed(map(day, coming[:_NEXT]))}{more}"


def exceptions_in_words(calendar: Calendar) -> tuple[str, ...]:
    """Dates with special hours or breaks, oldest first."""
    shifts = (f"{day(on)}: {spans_in_words(spans)}" for on, spans in sorted(calendar.shifts.items()))
    breaks = (f"{day(on)}: away {spans_in_words(spans)}" for on, spans in sorted(calendar.breaks.items()))
    return (*shifts, *breaks)


def _week(calendar: Calendar) -> Iterator[str]:
    for spans, together in groupby(range(7), key=lambda weekday: tuple(calendar.weekly[weekday])):
        if spans:
            yield f"{_range([_DAYS[weekday] for weekday in together])} {spans_in_words(spans)}"


def _range(names: Sequence[str]) -> str:
    return listed(names) if len(names) < 3 else f"{names[0]} to {names[-1]}"


def _span(span: Span) -> str:
    opens, closes = span
    return f"{_clock(opens)}–{_clock(closes)}" + (" the next day" if closes <= opens else "")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
