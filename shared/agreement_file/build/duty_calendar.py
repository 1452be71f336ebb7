"""Who is on duty by a calendar file: each event is a shift of the person in its title, or of the one who attends it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from icalendar import Component

from shared.calendar_events import UNREADABLE, date_of, events_of, frequency, occurrences, refused, replaced_start
from shared.domain.duty import Shift
from shared.domain.errors import Refused

AHEAD = timedelta(days=10 * 366)
"""How long after the agreement takes effect an event that repeats is followed: longer than it lives."""
MAX_OCCURRENCES = 20_000
"""Of all events together, also in the past: ten years of two shifts a day are about 7,000."""
_REPEATS = ("", "DAILY", "WEEKLY")
"""Rules that surely match some day. The library searches for the next day of others until the year 9999."""


def shifts_of(text: str, zone: ZoneInfo, since_at: datetime, people: Mapping[str, str]) -> tuple[Shift, ...]:
    """The shifts that end after `since_at`, in order; those of one person that touch are one.

    `people` are ids by id and by e-mail address, without case. Times without a zone, and dates, are in `zone`.
    Cancelled events do not count. Raises Refused, naming the event: for someone who is not known, two people at once,
    or an event without an end.
    """
    events = events_of(text.encode())
    replaced = {start for event in events if (start := _replaced(event, zone)) is not None}
    found: list[Shift] = []
    left = MAX_OCCURRENCES
    for event in events:
        if str(event.get("STATUS", "")).strip().upper() == "CANCELLED":
            continue
        for starts_at, ends_at in _times(event, zone, since_at + AHEAD):
            left -= 1
            if left < 0:
                raise Refused(f"Its events take place more than {MAX_OCCURRENCES:,} times: let them repeat less long.")
            again = "RRULE" in event or "RDATE" in event
            if ends_at > max(starts_at, since_at) and not (again and (_uid(event), starts_at) in replaced):
                found.append(Shift(_person(event, people), starts_at, ends_at))
    return tuple(_joined(found, zone))


def _times(event: Component, zone: ZoneInfo, until_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The start and end of each time that the event takes place, by the clock of its own zone."""
    own = _zone(event, zone)
    try:
        if frequency(event) not in _REPEATS:
            raise refused(event, "repeats in a way that is not followed: let it repeat by days or weeks")
        for begins, ends in occurrences(event, own, until_at.astimezone(own).replace(tzinfo=None)):
            if ends <= begins:
                raise refused(event, "has no end, or one before its start: a shift needs both")
            yield _instant(begins, own), _instant(ends, own)
    except UNREADABLE as error:
        raise refused(event, f"can't be read: {str(error)[:200]}") from error


def _replaced(event: Component, zone: ZoneInfo) -> tuple[str, datetime] | None:
    own = _zone(event, zone)
    start = replaced_start(event, own)
    return (_uid(event), _instant(start[1], own)) if start is not None else None


def _zone(event: Component, zone: ZoneInfo) -> tzinfo:
    """The zone of the event's start, so that one that repeats does so by its own clock."""
    start = date_of(event, "DTSTART")
    own = start.tzinfo if isinstance(start, datetime) else None
    return own or zone


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _uid(event: Component) -> str:
    return str(event.get("UID", ""))


def _person(event: Component, people: Mapping[str, str]) -> str:
    title = str(event.get("SUMMARY", "")).strip().casefold()
    if title in people:
        return people[title]
    listed = event.get("ATTENDEE", [])
    addresses = [str(each).strip().casefold().removeprefix("mailto:") for each in _listed(listed)]
    found = sorted({people[address] for address in addresses if address in people})
    if len(found) > 1:
        raise refused(event, f"has several people: {', '.join(found)}. Let its title be the id of one of them")
    if not found:
        raise refused(event, "names nobody under `people`. Let its title be someone's id or e-mail address")
    return found[0]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _joined(shifts: list[Shift], zone: ZoneInfo) -> list[Shift]:
    joined: list[Shift] = []
    for shift in sorted(shifts, key=lambda each: (each.starts_at, each.ends_at)):
        last = joined[-1] if joined else None
        if last is None or shift.starts_at > last.ends_at:
            joined.append(shift)
        elif last.person == shift.person:
            joined[-1] = Shift(last.person, last.starts_at, max(last.ends_at, shift.ends_at))
        elif shift.starts_at == last.ends_at:
            joined.append(shift)
        else:
            at = f"{shift.starts_at.astimezone(zone):%Y-%m-%d %H:%M}"
            raise Refused(f"Both {last.person} and {shift.person} are on duty on {at}: let one end before.")
    return joined
