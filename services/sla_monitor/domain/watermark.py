"""How far the facts are complete. Each ingest instance writes to each partition of the activities topic "everything I
accepted before this instant is ahead of this record"; a partition is complete up to the earliest of these instants."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from shared.domain.events import WatermarkAdvanced

RUNNING, LEFT, LOST = "running", "left", "lost"


class Watermark(msgspec.Struct, frozen=True):
    """The last marker of one instance on one partition. `state` is `running`, `left` (signed off with an empty spool)
    or `lost` (declared by an operator).
    """

    partition: int
    instance: str
    upto_at: datetime
    state: str = RUNNING


def watermark_of(partition: int, event: WatermarkAdvanced) -> Watermark:
    """The event as a mark."""
    return Watermark(partition, event.instance, event.upto, LEFT if event.state == LEFT else RUNNING)


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


def from_the_future(watermarks: Iterable[Watermark], now: datetime, tolerance: timedelta) -> dict[int, Watermark]:
    """For each partition with such a word: the one of a running instance that is furthest ahead of the database's
    clock, by more than the tolerance. One of the two clocks is wrong then, so nothing can be judged.
    """
    found: dict[int, Watermark] = {}
    for each in watermarks:
        if each.state == RUNNING and each.upto_at > now + tolerance:
            known = found.get(each.partition)
            found[each.partition] = each if known is None or each.upto_at > known.upto_at else known
    return found


def _rank(each: Watermark) -> tuple[datetime, bool]:
    return each.upto_at, each.state != RUNNING
