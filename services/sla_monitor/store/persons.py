"""Leads that became part of another, and the lock on all that is known of a person."""

from collections.abc import Callable, Collection, Iterable

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.persons import Merge, Persons, merges_in
from services.sla_monitor.store import tables
from shared.db.bulk import any_of, insert_or_skip
from shared.db.engine import Tx
from shared.domain.events import Event, LeadSplit

_LOCK_CLASS = 7_301


async def lock_persons(tx: Tx, lead_ids: Collection[str], partition_of: Callable[[str], int]) -> Persons:
    """The people with these ids, locked against other processes with everything in the partitions of all their ids,
    until the transaction ends.

    Two processes may read the assignments and the activities of one person. Without the lock, each could miss what the
    other is storing, and a window would stay open despite the fact that meets it. Merges stored while this waited for
    the lock are seen. Locks that are known to be needed are taken at once, in order: no two processes wait for each
    other.
    """
    locked: set[int] = set()
    persons = await persons_of(tx, lead_ids)
    while missing := {partition_of(each) for each in persons.ids} - locked:
        await _lock(tx, missing)
        locked |= missing
        persons = await persons_of(tx, lead_ids)
    return persons


async def persons_of(tx: Tx, lead_ids: Collection[str]) -> Persons:
    """The people with these ids."""
    merged = tables.merged
    found: set[Merge] = set()
    looked: set[str] = set()
    while new := {*lead_ids, *(each for merge in found for each in (merge.lead_id, merge.into))} - looked:
        either = any_of(tx, merged.c.lead_id, new) | any_of(tx, merged.c.into, new)
        found |= {Merge(**row._mapping) for row in await tx.execute(sa.select(merged).where(either))}
        looked |= new
    return Persons(lead_ids, found)


async def save_merges_in(tx: Tx, events: Iterable[Event]) -> list[Merge]:
    """Save which leads became part of another, without those that were split; a known merge does not change. Returns
    those of the events.
    """
    merges: dict[str, Merge] = {}
    for event in events:
        for merge in merges_in(event):
            merges.setdefault(merge.lead_id, merge)
        # Its own announcement comes in the order of its merges, unlike the one for the other lead.
        if isinstance(event, LeadSplit) and event.was_part_of is not None:
            merges.pop(event.lead_id, None)
            await tx.execute(sa.delete(tables.merged).where(tables.merged.c.lead_id == event.lead_id))
    await insert_or_skip(tx, tables.merged, [msgspec.structs.asdict(merge) for merge in merges.values()])
    return list(merges.values())


async def _lock(tx: Tx, partitions: Iterable[int]) -> None:
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(*(sa.func.pg_advisory_xact_lock(_LOCK_CLASS, p) for p in sorted(partitions))))
