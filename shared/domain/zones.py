"""The rules of time zones, from the locked `tzdata` package and not from the machine: two machines with different
system packages would find different deadlines for the same promise, and nobody could derive them again.

Importing this module, which all calendars do, sets that for the whole process.
"""

import zoneinfo

import tzdata

zoneinfo.reset_tzpath(())
ZONE_DATA: str = tzdata.IANA_VERSION
"""The version of the rules, such as `2026a`."""


def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of an IANA name. Raises `KeyError`, `ValueError` or `OSError` if there is none."""
    return zoneinfo.ZoneInfo(name)
