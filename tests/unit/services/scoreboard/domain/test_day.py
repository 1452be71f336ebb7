"""A day in the zone of the scoreboard, in quarter hours."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.scoreboard.domain.day import day_of, quarter_of


def test_a_day_follows_the_zone_and_its_clock_changes() -> None:
    brussels = ZoneInfo("Europe/Brussels")
    day = day_of(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), brussels)
    assert (day.date.isoformat(), day.start_at) == ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC))
    long = day_of(datetime(2026, 10, 25, 12, tzinfo=UTC), brussels)
    assert (long.end_at - long.start_at).total_seconds() == 25 * 3600


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Eucla", "Pacific/Chatham", "America/St_Johns"])
def test_a_day_is_whole_quarter_hours_in_odd_zones(zone: str) -> None:
    day = day_of(datetime(2026, 11, 22, 12, tzinfo=UTC), ZoneInfo(zone))
    assert quarter_of(day.start_at) == f"{day.start_at:%Y-%m-%dT%H:%MZ}"
    assert quarter_of(day.end_at) == f"{day.end_at:%Y-%m-%dT%H:%MZ}"
