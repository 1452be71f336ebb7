"""Days off from an iCalendar file: what a rep's absences look like when they come out of any calendar program."""

from datetime import date, datetime, timedelta

from icalendar import Calendar, Component

from services.router.domain.availability import Leave
from shared.domain.errors import Refused
from shared.domain.instants import bounded_day

MAX_DAYS = 366
MAX_EVENTS = 500
MAX_LINES = 10_000
"""Twenty for each event. The library takes much longer for a line than for its length."""
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What the library raises for a file that it can't read."""


def days_off(data: bytes) -> tuple[Leave, ...]:
    """One leave per event of the file, as dates in the rep's zone.

    An all-day event ends before its end date (RFC 5545). An event with times covers the dates it touches; one within
    the morning (until noon) or the afternoon of a single date is half a day. Cancelled and free events
    (`TRANSP:TRANSPARENT`) do not count; recurring events are refused. Raises Refused.
    """
    if len(data.splitlines()) > MAX_LINES:
        raise Refused(
            f"The file has more than {MAX_LINES:,} lines. Send at most {MAX_EVENTS} events: those still to come."
        )
    try:
        events = Calendar.from_ical(data).walk("VEVENT")
    except _UNREADABLE as error:
        raise Refused(f"This is not an iCalendar file: {str(error)[:200]}.") from error
    if len(events) > MAX_EVENTS:
        raise Refused(f"The file has {len(events):,} events. Send at most {MAX_EVENTS}, future ones only.")
    return tuple(sorted((_leave(event) for event in events if _counts(event)), key=lambda leave: leave.first))


def _counts(event: Component) -> bool:
    if event.get("RRULE") is not None:
        name = str(event.get("SUMMARY", "without a name"))
        raise Refused(f"The event '{name[:60]}' repeats. Send each of its dates as an event.")
    return str(event.get("STATUS", "")) != "CANCELLED" and str(event.get("TRANSP", "")) != "TRANSPARENT"


def _leave(event: Component) -> Leave:
    first = _date(event, "DTSTART")
    if first is None:
        raise Refused("An event has no DTSTART. Every absence needs a start.")
    last = _end(event, first)
    if isinstance(first, datetime):
        leave = _timed(first, last)
    else:
        leave = Leave(first, max(first, _day(last) - timedelta(days=1)))
    if (leave.last - leave.first).days > MAX_DAYS:
        raise Refused(f"An absence from {leave.first} to {leave.last} is longer than a year: check its dates.")
    return leave


def _date(event: Component, name: str) -> date | None:
    """A date, or a date with its local time, in the accepted range; None when the event has none. Raises Refused."""
    if event.get(name) is None:
        return None
    at = _value(event, name)
    if not isinstance(at, date):
        raise Refused(f"An event's {name} can't be read: give it once, as a date or a date with a time.")
    bounded_day(_day(at))
    return at.replace(tzinfo=None) if isinstance(at, datetime) else at


def _value(event: Component, name: str) -> object:
    """What the property holds, or None when the library could not read it."""
    try:
        return getattr(event.get(name), "dt", None)
    except _UNREADABLE:
        return None


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _end(event: Component, first: date) -> date:
    end = _date(event, "DTEND")
    if end is not None:
        return end
    if event.get("DURATION") is None:
        return first if isinstance(first, datetime) else first + timedelta(days=1)
    lasts = _value(event, "DURATION")
    if not isinstance(lasts, timedelta) or abs(lasts.days) > MAX_DAYS:
        raise Refused(f"An event's DURATION can't be read, or is longer than {MAX_DAYS} days: check it.")
    return first + lasts


def _timed(first: datetime, last: date) -> Leave:
    end = last if isinstance(last, datetime) else first
    touched = end - timedelta(microseconds=1) if end > first else end
    if first.date() < touched.date():
        return Leave(first.date(), touched.date())
    if (end.hour, end.minute) <= (12, 0) and end.date() == first.date():
        return Leave(first.date(), first.date(), "morning")
    return Leave(first.date(), first.date(), "afternoon" if first.hour >= 12 else None)
