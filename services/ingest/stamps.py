"""The instants at which facts are accepted: never decreasing, and never taken from a clock that was just stepped.

Deadlines are judged by these instants, so a stepped clock must not date a fact. Stamps run on the monotonic clock from
one reading of the wall clock; while the two disagree by more than a second there are no stamps.
"""

from datetime import datetime, timedelta

from services.ingest.domain.draft import EPOCH
from shared.domain.errors import Unavailable
from shared.ports import Clock

_MICROSECOND = timedelta(microseconds=1)
TOLERANCE_US = 1_000_000


class Stamps:
    """Gives stamps in microseconds after 1970, none below `floor_us`. Used by one thread."""

    def __init__(self, clock: Clock, floor_us: int) -> None:
        self._clock = clock
        self._wall_us = _microseconds(clock.now())
        self._monotonic = clock.monotonic()
        self._last_us = floor_us

    def next(self) -> int:
        """The present instant, or the last stamp if that is later. Raises `Unavailable` while the clock is in doubt."""
        expected_us = self._wall_us + int((self._clock.monotonic() - self._monotonic) * 1e6)
        if abs(_microseconds(self._clock.now()) - expected_us) > TOLERANCE_US:
            raise Unavailable(
                "The clock of this machine was stepped by more than a second, so nothing can be dated. "
                "Operators: set it right, or restart ingest once it is right.",
                retry_after_s=10,
            )
        if self._last_us - expected_us > TOLERANCE_US:
            raise Unavailable(
                "The clock of this machine is behind what was accepted before. Operators: set it right.",
                retry_after_s=10,
            )
        self._last_us = max(self._last_us, expected_us)
        return self._last_us


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND
