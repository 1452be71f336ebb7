"""Days off from an iCalendar file: what a rep's absences look like when they come out of any calendar program."""

from datetime import date, datetime, timedelta

from icalendar import Calendar, Component

from services.router.domain.availability import Leave
from shared.domain.errors import Refused

MOST_DAYS = 366


def days_off(data: bytes) -> tuple[Leave, ...]:
    """One leave for each event of the file, as dates of whoever it is about.

    An event of whole days ends before its end date, as RFC 5545 has it. An event with times covers the dates it
    touches; one that lies in the morning (until noon) or in the afternoon of a single date is half a day. Events that
    are cancelled or free (`TRANSP:TRANSPARENT`) do not count; those that repeat are refused. Raises Refused.
    """
    try:
        calendar = Calendar.from_ical(data)
    except ValueError as error:
        raise Refused(f"This is no iCalendar file: {error}.") from error
    events = [event for event in calendar.walk("VEVENT") if _counts(event)]
    return tuple(sorted((_leave(event) for event in events), key=lambda leave: leave.first))


def _counts(event: Component) -> bool:
    if event.get("RRULE") is not None:
        name = str(event.get("SUMMARY", "without a name"))
        raise Refused(f"The event '{name[:60]}' repeats: write its dates one by one.")
    return str(event.get("STATUS", "")) != "CANCELLED" and str(event.get("TRANSP", "")) != "TRANSPARENT"


def _leave(event: Component) -> Leave:
    begins = event.get("DTSTART")
    if begins is None:
        raise Refused("An event has no DTSTART: give every absence a beginning.")
    first, last = begins.dt, _end(event, begins.dt)
    if not isinstance(first, datetime):
        leave = Leave(first, max(first, last - timedelta(days=1)))
    else:
        leave = _timed(first, last)
    if (leave.last - leave.first).days > MOST_DAYS:
        raise Refused(f"An absence from {leave.first} to {leave.last} is longer than a year: check its dates.")
    return leave


def _end(event: Component, first: date) -> date:
    ends, lasts = event.get("DTEND"), event.get("DURATION")
    if ends is not None:
        end: date = ends.dt
        return end
    if lasts is not None:
        late: date = first + lasts.dt
        return late
    return first if isinstance(first, datetime) else first + timedelta(days=1)


def _timed(first: datetime, last: date) -> Leave:
    end = last if isinstance(last, datetime) else first
    touched = end - timedelta(microseconds=1) if end > first else end
    if first.date() != touched.date():
        return Leave(first.date(), touched.date())
    if (end.hour, end.minute) <= (12, 0) and end.date() == first.date():
        return Leave(first.date(), first.date(), "morning")
    return Leave(first.date(), first.date(), "afternoon" if first.hour >= 12 else None)
