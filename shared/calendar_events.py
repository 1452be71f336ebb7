"""The events of an iCalendar file, and when each takes place: its start and end, and each time that it repeats."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import chain

from dateutil.rrule import rrulestr
from icalendar import Calendar, Component

from shared.domain.errors import Refused
from shared.domain.instants import bounded_day

MAX_EVENTS = 500
MAX_LINES = 10_000
"""Twenty for each event. The library takes much longer for a line than for its length."""
MAX_DURATION_DAYS = 366
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What the libraries raise for what they can't read; OSError for a zone with the name of a folder of zones."""

_FOLLOWED = {
    "DAILY": {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"},
    "WEEKLY": {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"},
    "MONTHLY": {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"},
    "YEARLY": {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS"},
}
"""The parts of a rule that can be followed: with others the library may search until the year 9999 for minutes."""


def events_of(data: bytes) -> list[Component]:
    """The events of a file. Raises Refused."""
    if len(data.splitlines()) > MAX_LINES:
        raise Refused(
            f"The file has more than {MAX_LINES:,} lines. Send at most {MAX_EVENTS} events: those still to come."
        )
    try:
        events: list[Component] = Calendar.from_ical(data).walk("VEVENT")
    except OSError as error:
        raise Refused("A TZID of the file is no time zone: correct it.") from error
    except UNREADABLE as error:
        raise Refused(f"This is not an iCalendar file: {str(error)[:200]}.") from error
    if len(events) > MAX_EVENTS:
        raise Refused(f"The file has {len(events):,} events. Send at most {MAX_EVENTS}, future ones only.")
    return events


def occurrences(event: Component, zone: tzinfo, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end, as wall time in `zone`, of each time that the event takes place, without its exceptions. One that
    repeats is followed `until` then. Raises Refused, and the errors in `UNREADABLE`.
    """
    first = date_of(event, "DTSTART")
    if first is None:
        raise refused(event, "has no DTSTART. Every event needs a start")
    lasts = max(_end(event, first, zone) - local(first, zone), timedelta())
    excluded = {local(each, zone) if isinstance(each, datetime) else each for each in _dates(event, "EXDATE")}
    seen: set[datetime] = set()
    for start in chain(_by_rule(event, first, until), _dates(event, "RDATE")):
        begins = local(start, zone)
        if not {begins, begins.date()} & excluded and begins not in seen:
            seen.add(begins)
            yield begins, begins + lasts


def frequency(event: Component) -> str:
    """How an event repeats, such as `WEEKLY`; empty if it does not, or by several rules."""
    rule = event.get("RRULE")
    return "" if rule is None or isinstance(rule, list) else str(rule.get("FREQ", [""])[0]).upper()


def replaced_start(event: Component, zone: tzinfo) -> tuple[str, datetime] | None:
    """The UID and the start, in `zone`, of the one time of an event that repeats for which this event stands. Raises
    Refused.
    """
    at = date_of(event, "RECURRENCE-ID")
    if at is None:
        return None
    if "RANGE" in event["RECURRENCE-ID"].params:
        raise refused(event, "changes all its later dates at once. Send each of its dates as an event")
    return str(event.get("UID", "")), local(at, zone)


def local(at: date, zone: tzinfo) -> datetime:
    """The wall time in `zone`: of a date its midnight, of a time without a zone itself."""
    if not isinstance(at, datetime):
        return datetime.combine(at, time())
    return at.astimezone(zone).replace(tzinfo=None) if at.tzinfo is not None else at


def refused(event: Component, why: str) -> Refused:
    """The refusal of an event, by its name."""
    return Refused(f"The event '{str(event.get('SUMMARY', 'without a name'))[:60]}' {why}.")


def _by_rule(event: Component, first: date, last: datetime) -> Iterator[date]:
    """The first start and those by the event's rule, up to `last`, each of the kind and in the zone of the first."""
    yield first
    rule = event.get("RRULE")
    if rule is None:
        return
    if not {*rule} <= _FOLLOWED.get(frequency(event), set()) or int(rule.get("INTERVAL", [1])[0]) < 1:
        raise refused(event, "repeats in a way that is not followed. Send each of its dates as an event")
    for until in rule.get("UNTIL", ()):
        last = min(last, _wall(until, first, time.max))
    start = _wall(first, first, time())
    for at in rrulestr(";".join(_without_until(rule)), dtstart=start):
        if at > last:
            return
        if at > start:
            yield at.replace(tzinfo=first.tzinfo) if isinstance(first, datetime) else at.date()


def _without_until(rule: Component) -> list[str]:
    return [part for part in rule.to_ical().decode().split(";") if not part.startswith("UNTIL=")]


def _wall(at: date, first: date, at_day: time) -> datetime:
    """The wall time in the zone of the event's start; of a date, at `at_day`."""
    if not isinstance(at, datetime):
        return datetime.combine(at, at_day)
    zone = first.tzinfo if isinstance(first, datetime) else None
    return (at.astimezone(zone) if at.tzinfo is not None and zone is not None else at).replace(tzinfo=None)


def _end(event: Component, first: date, zone: tzinfo) -> datetime:
    """When the first time ends. An event that begins with a date ends by its own clock."""
    end = date_of(event, "DTEND")
    if end is not None:
        return local(end, zone) if isinstance(first, datetime) else _wall(end, first, time())
    if event.get("DURATION") is None:
        return local(first, zone) + timedelta(days=0 if isinstance(first, datetime) else 1)
    lasts = getattr(event.get("DURATION"), "dt", None)
    if not isinstance(lasts, timedelta) or abs(lasts.days) > MAX_DURATION_DAYS:
        raise refused(event, f"has a DURATION that can't be read, or is longer than {MAX_DURATION_DAYS} days: check it")
    return local(first, zone) + lasts


def date_of(event: Component, name: str) -> date | None:
    """A date or a time, in the accepted range; None when the event has none. Raises Refused."""
    if event.get(name) is None:
        return None
    try:
        at = getattr(event.get(name), "dt", None)
    except UNREADABLE:
        at = None
    if not isinstance(at, date):
        raise refused(event, f"has a {name} that can't be read: give it once, as a date or a date with a time")
    bounded_day(at.date() if isinstance(at, datetime) else at)
    return at


def _dates(event: Component, name: str) -> list[date]:
    """All dates and times of a property that may be there several times; of a period, its start. Raises Refused."""
    held = event.get(name, [])
    lists = held if isinstance(held, list) else [held]
    found = [each.dt for one in lists for each in one.dts]
    if not all(isinstance(at, date) for at in found):
        raise refused(event, f"has periods in {name}. Send each of its dates as an event")
    return found
