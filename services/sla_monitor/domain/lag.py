"""How far verdicts are behind, partition by partition, and what each one waits for."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

import msgspec

from services.sla_monitor.domain.watermark import RUNNING, Watermark, out_of_step, watermarks

STALLED_S = 30.0
OVERDUE_S = 5.0
"""How far behind facts may be while a promise is due, without anything being wrong."""
NO_LOG = "the event log does not answer, so no facts arrive"


class PartitionLag(msgspec.Struct, frozen=True):
    """Facts of a partition are complete up to `complete_upto`, `behind_s` seconds ago; None: of no ingest instance.

    `unread` records of the log are not handled yet; None: the log does not answer. `next_at` is when a promise may be
    due next. `held` says why no verdict is given although one is due, or why none can be given; None if all is well.
    """

    partition: int
    complete_upto: datetime | None
    behind_s: float | None
    slowest: str | None
    unread: int | None
    next_at: datetime | None
    held: str | None


def lags(
    marks: Sequence[Watermark],
    looks: Mapping[int, datetime],
    unread: Mapping[int, int | None],
    *,
    now: datetime,
    tolerance: timedelta,
) -> list[PartitionLag]:
    """The lag of each partition in `unread`. `looks` are the earliest instants at which a window may be due."""
    upto, skews = watermarks(marks), out_of_step(marks, now, tolerance)
    found = []
    for partition, records in sorted(unread.items()):
        at = upto.get(partition)
        slowest = _slowest(marks, partition)
        held = NO_LOG if records is None else None
        held = held or _held(partition, at, slowest, looks.get(partition), skews.get(partition), now)
        behind_s = max((now - at).total_seconds(), 0.0) if at is not None else None
        found.append(PartitionLag(partition, at, behind_s, slowest, records, looks.get(partition), held))
    return found


def summary(found: Sequence[PartitionLag], leads_on_hold: int) -> str:
    """Whether verdicts are given and how far facts are complete, in a sentence or two.

    >>> at = datetime.fromisoformat("2026-11-21T09:30Z")
    >>> summary([PartitionLag(0, at, 0.8, "ingest-1", 0, None, None)], 0)
    'Verdicts are given. All facts are complete up to 1 s ago.'
    """
    held = [lag for lag in found if lag.held is not None]
    behind = [lag.behind_s for lag in found if lag.behind_s is not None]
    sentences = ["Verdicts are given."]
    if held:
        sentences = [f"Verdicts wait on {len(held)} of {len(found)} partitions."]
    elif behind:
        sentences.append(f"All facts are complete up to {ceil(max(behind))} s ago.")
    if leads_on_hold:
        sentences.append(f"{leads_on_hold} leads are on hold, because an activity of theirs could not be read.")
    return " ".join(sentences)


def _slowest(marks: Sequence[Watermark], partition: int) -> str | None:
    running = [mark for mark in marks if mark.partition == partition and mark.state == RUNNING]
    return min(running, key=lambda mark: (mark.upto_at, mark.instance)).instance if running else None


def _held(
    partition: int,
    upto_at: datetime | None,
    slowest: str | None,
    look_at: datetime | None,
    skew: tuple[str, float] | None,
    now: datetime,
) -> str | None:
    if upto_at is None:
        return f"no running ingest instance has reported on partition {partition}"
    if skew is not None and skew[1]:
        direction = "ahead of" if skew[1] > 0 else "behind"
        return f"the clock of ingest {skew[0]} is {abs(skew[1]):.1f} s {direction} the database's"
    if skew is not None:
        return f"the clock of ingest {skew[0]} is not compared with the database's yet"
    behind_s = (now - upto_at).total_seconds()
    due = look_at is not None and upto_at < look_at <= now
    if behind_s > (OVERDUE_S if due else STALLED_S):
        return f"facts of ingest {slowest} are complete only up to {behind_s:.0f} s ago"
    return None
