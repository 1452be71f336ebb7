"""Days off from an iCalendar file: what a rep's absences look like when they come out of any calendar program."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from time import monotonic
from zoneinfo import ZoneInfo

from icalendar import Component

from services.router.domain.availability import Leave
from shared.calendar_events import MAX_EVENTS, UNREADABLE, events_of, occurrences, refused, replaced_start
from shared.domain.errors import Refused

MAX_DAYS = 366
AHEAD = timedelta(days=2 * 366)
"""How far ahead an event that repeats is followed."""
LONGEST_S = 5.0
"""How long following the events may take. One whose rule never matches takes the library a second or two."""
_NOT_AWAY = {
    ("STATUS", "CANCELLED"),
    ("STATUS", "TENTATIVE"),
    ("TRANSP", "TRANSPARENT"),
    ("X-MICROSOFT-CDO-BUSYSTATUS", "FREE"),
    ("X-MICROSOFT-CDO-BUSYSTATUS", "TENTATIVE"),
    ("X-MICROSOFT-CDO-BUSYSTATUS", "WORKINGELSEWHERE"),
}


def days_off(data: bytes, zone: ZoneInfo, today: date) -> tuple[Leave, ...]:
    """One leave for each time that an event of the file takes place, as dates in the rep's `zone`.

    Times without a zone are in the rep's. An all-day event ends before its end date (RFC 5545). An event with times
    covers the dates it touches; one within the morning (until noon) or the afternoon of a single date is half a day.
    Cancelled, tentative and free events do not count. Of an event that repeats, what is still to come in the next two
    years counts, with its exceptions. Raises Refused, naming the event.
    """
    events = events_of(data)
    replaced = {start for event in events if (start := replaced_start(event, zone)) is not None}
    found: list[Leave] = []
    began_s = monotonic()
    for event in events:
        if monotonic() - began_s > LONGEST_S:
            raise refused(event, "was not reached in time: events before it repeat on dates that there are not")
        if not any(str(event.get(name, "")).strip().upper() == value for name, value in _NOT_AWAY):
            found += islice(_leaves(event, zone, today, replaced), MAX_EVENTS + 1 - len(found))
    if len(found) > MAX_EVENTS:
        raise Refused(f"The file has more than {MAX_EVENTS} absences, each time that an event repeats included.")
    return tuple(sorted(found, key=lambda leave: (leave.first, leave.last)))


def _leaves(event: Component, zone: ZoneInfo, today: date, replaced: set[tuple[str, datetime]]) -> Iterator[Leave]:
    uid, repeats = str(event.get("UID", "")), "RRULE" in event or "RDATE" in event
    try:
        for begins, ends in occurrences(event, zone, datetime.combine(today, time()) + AHEAD):
            leave = _leave(begins, ends)
            if (leave.last - leave.first).days > MAX_DAYS:
                raise refused(event, f"lasts from {leave.first} to {leave.last}, longer than a year: check its dates")
            if not repeats or (leave.last >= today and (uid, begins) not in replaced):
                yield leave
    except UNREADABLE as error:
        raise refused(event, f"can't be read: {str(error)[:200]}") from error


def _leave(begins: datetime, ends: datetime) -> Leave:
    touched = ends - timedelta(microseconds=1) if ends > begins else ends
    if begins.date() < touched.date():
        return Leave(begins.date(), touched.date())
    if (ends.hour, ends.minute) <= (12, 0) and ends.date() == begins.date():
        return Leave(begins.date(), begins.date(), "morning")
    return Leave(begins.date(), begins.date(), "afternoon" if begins.hour >= 12 else None)
