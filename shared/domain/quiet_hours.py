"""Quiet hours: times of the day at which a person or role is not notified, by their own clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.agreement import Agreement
from shared.domain.calendar import Span
from shared.domain.zones import time_zone

_DAY = timedelta(days=1)


def not_before(agreement: Agreement, role: str, person: str | None, at: datetime, *, page: bool) -> datetime:
    """The instant before which a notice that is due `at` is not sent: `at` outside of quiet hours, else their end.

    Those of the person win over those of the role. They are in the zone of the person's calendar, else in the
    agreement's. A quiet time is from the instant of its first time of day until that of its last: one that the clock
    skips is later by the gap, one that it repeats is the first. A `page` breaks them if the agreement says so.
    """
    quiet = agreement.quiet_hours
    if quiet is None or (page and quiet.except_page):
        return at
    spans = quiet.spans_of(role, person)
    zone = time_zone(_zone(agreement, person))
    while (ends_at := _end(spans, zone, at)) is not None:
        at = ends_at
    return at


def _zone(agreement: Agreement, person: str | None) -> str:
    known = agreement.people.get(person) if person is not None else None
    return known.calendar.zone if known is not None and known.calendar is not None else agreement.timezone


def _end(spans: Sequence[Span], zone: ZoneInfo, at: datetime) -> datetime | None:
    """When the latest of the quiet times that cover an instant ends; None if none does."""
    today = at.astimezone(zone).date()
    times = (_times(day, span, zone) for day in (today - _DAY, today) for span in spans)
    return max((ends_at for starts_at, ends_at in times if starts_at <= at < ends_at), default=None)


def _times(day: date, span: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins_s, ends_s = span
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a local time)
    length_s = ends_s - begins_s if ends_s > begins_s else ends_s + 86_400 - begins_s
    starts = midnight + timedelta(seconds=begins_s)
    both = (starts, starts + timedelta(seconds=length_s))
    starts_at, ends_at = (each.replace(tzinfo=zone).astimezone(UTC) for each in both)
    return starts_at, ends_at
