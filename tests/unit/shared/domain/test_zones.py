"""All machines find the same deadlines, since the rules of time zones are those of the locked package."""

import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime

import tzdata

from shared.domain.calendar import Calendar
from shared.domain.zones import ZONE_DATA


def test_the_rules_of_zones_are_those_of_the_package() -> None:
    assert Calendar("office", "Europe/Brussels", {}).tz.utcoffset(datetime(2026, 7, 1, tzinfo=UTC)) is not None
    assert zoneinfo.TZPATH == ()
    assert ZONE_DATA == tzdata.IANA_VERSION


def test_a_process_that_knows_calendars_reads_no_zones_of_the_machine() -> None:
    code = "import shared.domain.calendar, zoneinfo; print(zoneinfo.TZPATH)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "()"
