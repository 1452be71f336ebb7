"""Dates and instants that a person gives on the command line."""

from datetime import date, datetime, time, timedelta

from shared.domain.errors import Misconfigured, Refused
from shared.domain.instants import bounded
from shared.domain.zones import time_zone


def instant(option: str, text: str | None, zone: str, *, days: int = 0) -> datetime | None:
    """An instant, or the beginning of a date in the agreement's zone, `days` later."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text) + timedelta(days=days)
            return bounded(datetime.combine(day, time(0), time_zone(zone)))
        at = datetime.fromisoformat(text)
        return bounded(at if at.tzinfo is not None else at.replace(tzinfo=time_zone(zone)))
    except (ValueError, OverflowError) as wrong:
        raise Misconfigured(f"{option} {text!r} is not a date. Use the form 2026-11-23.") from wrong
    except Refused as wrong:
        raise Misconfigured(f"{option} {text!r}: {wrong.detail}") from wrong
