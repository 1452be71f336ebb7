"""The real clock and the real source of ids; the only place that asks the machine for either."""

import time
from datetime import UTC, datetime

import uuid_utils


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since a fixed instant. Never decreases, and continues while the machine is suspended."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def new_id() -> str:
    """A fresh, time-ordered id (UUID version 7)."""
    return str(uuid_utils.uuid7())
