"""The timestamps of accepted facts. They never decrease, and no activity is dated by a clock that was stepped.

Deadlines are judged by these timestamps. They follow the wall clock; the monotonic clock shows whether the wall clock
was stepped. A step within the tolerance is followed immediately; after a step back, timestamps repeat until the clock
has caught up. After a larger step the wall clock is in doubt until it is stepped back, an operator accepts it, or it
has run evenly for half a minute, for example after a virtual machine was resumed.
"""

from services.ingest.domain.pending_event import microseconds_of
from shared.domain.errors import Unavailable
from shared.ports import Clock

TOLERANCE_US = 2_000_000
SETTLED_S = 30.0
_DRIFT = 1e-3
"""The maximum drift rate between the two clocks; NTP slewing stays below half of it."""


class Stamps:
    """Gives stamps in microseconds after 1970, all above `floor_us`. Used by one thread."""

    def __init__(self, clock: Clock, floor_us: int) -> None:
        self._clock = clock
        self._last_us = floor_us + 1
        self._wall_us = self._expected_us = microseconds_of(clock.now())
        self._monotonic = clock.monotonic()
        self._off_us = 0
        self._off_since = self._monotonic

    def next(self) -> int:
        """The present instant, or the last stamp if that is later. Raises `Unavailable` while the clock is in doubt."""
        doubt = self.doubt()
        if doubt is not None:
            raise Unavailable(doubt, retry_after_s=10)
        return self.earliest()

    def earliest(self) -> int:
        """The same without an error: while the clock is in doubt, the earliest instant that may be right. Only for
        what decides no deadline.
        """
        self._read()
        now_us = min(self._wall_us, self._expected_us) if self._off_us else self._wall_us
        self._last_us = max(self._last_us, now_us)
        return self._last_us

    def doubt(self) -> str | None:
        """Why the clock can't be trusted now and what to do, for operators; None when it can."""
        self._read()
        step_us = self._off_us or self._wall_us - self._last_us
        if not self._off_us and step_us >= -TOLERANCE_US:
            return None
        direction = "ahead of" if step_us > 0 else "behind"
        since = "was before" if self._off_us else "was when the last fact was accepted"
        return (
            f"The clock of this machine is {abs(step_us) / 1e6:.1f} s {direction} where it {since}. Activities are "
            f"refused until it is set right, or has run evenly for {SETTLED_S:.0f} s; leads are accepted. Operators: "
            "if it is right now, run ./baton clock accept."
        )

    def accept(self) -> None:
        """Take the wall clock as right."""
        self._read()
        self._expected_us, self._off_us = self._wall_us, 0
        self._off_since = self._monotonic - SETTLED_S

    @property
    def outdated(self) -> bool:
        """Whether the stamps given so far are from the future of a clock that is right: nothing can follow them."""
        behind = self._last_us - self._wall_us > TOLERANCE_US
        return behind and not self._off_us and self._monotonic - self._off_since >= SETTLED_S

    def _read(self) -> None:
        monotonic = self._clock.monotonic()
        elapsed_us = max(monotonic - self._monotonic, 0.0) * 1e6
        self._monotonic = monotonic
        self._wall_us = microseconds_of(self._clock.now())
        self._expected_us += int(elapsed_us)
        off_us = self._wall_us - self._expected_us
        if abs(off_us) <= TOLERANCE_US:
            limit_us = int(elapsed_us * _DRIFT)
            self._expected_us += max(-limit_us, min(off_us, limit_us))
            off_us = 0
        if abs(off_us - self._off_us) > TOLERANCE_US:
            self._off_us, self._off_since = off_us, monotonic
        elif self._off_us and monotonic - self._off_since >= SETTLED_S:
            self._expected_us, self._off_us = self._wall_us, 0
