"""The range of instants and dates that Baton accepts, from 1970 to 2100, and how to check and clamp them.

Every lead, promise and absence lies in that range. It also leaves enough room on both sides to add any duration that
Baton knows and to convert to any time zone: `datetime` itself ends at the years 1 and 9999 and raises OverflowError.
Check what comes in with `bounded`. Clamp what may have been stored before the check existed with `clamped`.
"""

from datetime import UTC, date, datetime

from shared.domain.errors import Refused

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
RANGE = f"{EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}"
PLAUSIBLE = datetime(2020, 1, 1, tzinfo=UTC)
"""A sender's clock that says an inquiry is older than this was never set: it starts at 1970, 1980 or 2000."""


def bounded(at: datetime, *, pointer: str = "") -> datetime:
    """An aware instant in UTC. Raises Refused, naming the range and `pointer`, when it is out of range.

    >>> bounded(datetime.fromisoformat("2026-11-20T09:00:00+01:00")).isoformat()
    '2026-11-20T08:00:00+00:00'
    """
    if not EARLIEST <= at <= LATEST:
        raise Refused(f"This instant is out of range: use one from {RANGE}.", pointer=pointer)
    return at.astimezone(UTC)


def bounded_day(day: date, *, pointer: str = "") -> date:
    """A date. Raises Refused, naming the range and `pointer`, when it is out of range."""
    if not EARLIEST.date() <= day <= LATEST.date():
        raise Refused(f"This date is out of range: use one from {RANGE}.", pointer=pointer)
    return day


def clamped(at: datetime) -> datetime:
    """An aware instant, or the nearest end of the range when it is out of range.

    >>> clamped(datetime.max.replace(tzinfo=UTC)).isoformat()
    '2100-01-01T00:00:00+00:00'
    """
    return min(max(at, EARLIEST), LATEST)


def clamped_day(day: date) -> date:
    """A date, or the nearest end of the range when it is out of range."""
    return min(max(day, EARLIEST.date()), LATEST.date())
