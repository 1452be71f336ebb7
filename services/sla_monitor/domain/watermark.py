"""How far the facts are complete. Each ingest instance writes to each partition of the activities topic "everything I
accepted before this instant is ahead of this record"; a partition is complete up to the earliest of these instants."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from services.sla_monitor.domain.skew import Probes, skew_s
from shared.domain.events import WatermarkAdvanced
from shared.ports import Record

RUNNING, LEFT, LOST = "running", "left", "lost"


class Watermark(msgspec.Struct, frozen=True):
    """The last marker of one instance on one partition. `state` is `running`, `left` (signed off with an empty spool)
    or `lost` (declared by an operator). `offset` is the record's offset. The instance's clock was certainly `skew_s`
    seconds ahead of the database's (below 0: behind) when it wrote this; None while that is not known.
    """

    partition: int
    instance: str
    upto_at: datetime
    state: str = RUNNING
    offset: int = -1
    skew_s: float | None = 0.0


def watermark_of(record: Record, event: WatermarkAdvanced) -> Watermark:
    """The event as a mark, its skew not known yet."""
    state = LEFT if event.state == LEFT else RUNNING
    return Watermark(record.partition, event.instance, event.upto, state, record.offset, None)


def compared(
    mark: Watermark, said_at: datetime | None, previous: Watermark | None, probes: Probes, now: datetime
) -> Watermark:
    """The mark with its skew, found with the instance's `previous` one. Of an ingest that does not say when it spoke
    (`said_at`), an earlier release, none is assumed.
    """
    if said_at is None:
        return structs.replace(mark, skew_s=0.0)
    if previous is None or not 0 <= previous.offset < mark.offset:
        return mark
    after_at = probes.written_after(mark.partition, previous.offset)
    if after_at is None:
        return mark
    before_at = probes.written_before(mark.partition, mark.offset, now)
    return structs.replace(mark, skew_s=skew_s(said_at, after_at=after_at, before_at=before_at))


def newest(watermarks: Iterable[Watermark]) -> dict[tuple[int, str], Watermark]:
    """The word that holds for each partition and instance: the latest, in whatever order they come. Of two with the
    same instant, the one that ends the instance holds, so a copy that comes late never brings it back.

    >>> early, late = (datetime.fromisoformat(f"2026-11-21T09:3{n}Z") for n in (0, 1))
    >>> newest([Mark(0, "a", late), Mark(0, "a", early), Mark(0, "a", late, LEFT)])[(0, "a")].state
    'left'
    """
    found: dict[tuple[int, str], Watermark] = {}
    for each in watermarks:
        held = found.get((each.partition, each.instance))
        if held is None or _rank(each) > _rank(held):
            found[(each.partition, each.instance)] = each
    return found


def watermarks(watermarks: Iterable[Watermark]) -> Mapping[int, datetime]:
    """For each partition, the instant up to which facts are complete: the earliest marker of its running instances.

    A partition without a running instance has no entry, and nothing is decided on it.
    """
    found: dict[int, datetime] = {}
    for each in watermarks:
        if each.state == RUNNING:
            found[each.partition] = min(found.get(each.partition, each.upto_at), each.upto_at)
    return found


def out_of_step(watermarks: Iterable[Watermark], now: datetime, tolerance: timedelta) -> dict[int, tuple[str, float]]:
    """For each partition on which nothing can be judged, because a running instance's clock and the database's differ
    by more than the tolerance or have not been compared: the instance, and by how many seconds it is ahead (below 0:
    behind; 0: not known).

    Certain are skews only up to the interval of probes, so half the tolerance ahead is too much: a follow-up must never
    be dated past a deadline that it met.
    """
    found: dict[int, tuple[str, float]] = {}
    tolerance_s = tolerance.total_seconds()
    for each in watermarks:
        if each.state != RUNNING:
            continue
        future_s = (each.upto_at - now).total_seconds()
        skew_s = each.skew_s or 0.0
        if future_s > tolerance_s:
            skew_s = max(skew_s, future_s)
        elif each.skew_s is not None and -tolerance_s <= skew_s <= tolerance_s / 2:
            continue
        if each.partition not in found or abs(skew_s) > abs(found[each.partition][1]):
            found[each.partition] = (each.instance, skew_s)
    return found


def _rank(each: Watermark) -> tuple[datetime, bool]:
    return each.upto_at, each.state != RUNNING
