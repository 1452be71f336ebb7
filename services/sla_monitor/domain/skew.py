"""How far an ingest instance's clock is from the database's, as far as that is certain.

Now and then the monitor reads the database's clock, then where the log ends, then the clock again. What stands behind
such an end was written after the first reading, what stands before it was written before the second. An instance reads
its clock for a marker after its marker before is on the log, and writes the marker after that. So for two markers in a
row the second reading is later than a known instant, and earlier than another one, however late both are read here.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime

import msgspec

REMEMBERED = 1200


class Probe(msgspec.Struct, frozen=True):
    """Between `before_at` and `after_at` by the database's clock, the log had these `ends`, by partition."""

    before_at: datetime
    ends: Mapping[int, int]
    after_at: datetime


class Probes:
    """The latest probes, oldest first."""

    def __init__(self) -> None:
        self._probes: deque[Probe] = deque(maxlen=REMEMBERED)

    def add(self, probe: Probe) -> None:
        """Remember one that is later than all others."""
        self._probes.append(probe)

    def written_after(self, partition: int, offset: int) -> datetime | None:
        """The latest known instant after which the record was written; None where no probe is old enough."""
        for probe in reversed(self._probes):
            if probe.ends[partition] <= offset:
                return probe.before_at
        return None

    def written_before(self, partition: int, offset: int, now: datetime) -> datetime:
        """The earliest known instant before which the record was written, `now` at the latest."""
        earliest_at = now
        for probe in reversed(self._probes):
            if probe.ends[partition] <= offset:
                break
            earliest_at = probe.after_at
        return min(earliest_at, now)


def skew_s(said_at: datetime, *, after_at: datetime, before_at: datetime) -> float:
    """By how many seconds a clock that showed `said_at` between these two instants is surely ahead (above 0) or behind
    (below 0); 0 when it may be right.

    >>> nine, later = (datetime(2026, 11, 23, 9, 0, second) for second in (0, 10))
    >>> skew_s(nine, after_at=later, before_at=later)
    -10.0
    """
    if said_at < after_at:
        return (said_at - after_at).total_seconds()
    return max((said_at - before_at).total_seconds(), 0.0)
