"""When today began and ends in the organisation's zone, and the quarter hours that days are counted in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

QUARTER_S = 900


@dataclass(frozen=True, slots=True)
class Day:
    """One local day, as the half-open period [start_at, end_at); 23 to 25 hours long where the clock changes."""

    date: date
    start_at: datetime
    end_at: datetime


def day_of(at: datetime, zone: ZoneInfo) -> Day:
    """The local day that the instant falls on.

    >>> day_of(datetime(2026, 10, 25, 12, tzinfo=UTC), ZoneInfo("Europe/Brussels")).start_at.isoformat()
    '2026-10-24T22:00:00+00:00'
    """
    local = at.astimezone(zone).date()
    return Day(local, _midnight(local, zone), _midnight(local + timedelta(days=1), zone))


def quarter_of(at: datetime) -> str:
    """The quarter hour the instant falls in, as text that sorts by time.

    Every zone of our century differs from UTC by whole quarter hours, so any local day is a row of whole quarters
    (IANA time zone database).

    >>> quarter_of(datetime(2026, 11, 21, 9, 44, 59, tzinfo=UTC))
    '2026-11-21T09:30Z'
    """
    began = datetime.fromtimestamp(at.timestamp() // QUARTER_S * QUARTER_S, UTC)
    return f"{began:%Y-%m-%dT%H:%MZ}"


def _midnight(local: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(local, time.min, zone).astimezone(UTC)
