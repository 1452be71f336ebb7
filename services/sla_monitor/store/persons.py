"""Leads that became part of another, and the lock on all that is known of a person."""

from collections.abc import Callable, Collection, Iterable

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.persons import Merge, Persons
from services.sla_monitor.store import tables
from shared.db.bulk import any_of, insert_or_skip
from shared.db.engine import Tx

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


async def save_merges(tx: Tx, merges: Iterable[Merge]) -> None:
    """Save the merges; a known one does not change."""
    await insert_or_skip(tx, tables.merged, [msgspec.structs.asdict(merge) for merge in merges])


async def delete_merge(tx: Tx, lead_id: str) -> None:
    """Delete what is known about the lead's merge, since it was split."""
    await tx.execute(sa.delete(tables.merged).where(tables.merged.c.lead_id == lead_id))


async def _lock(tx: Tx, partitions: Iterable[int]) -> None:
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(*(sa.func.pg_advisory_xact_lock(_LOCK_CLASS, p) for p in sorted(partitions))))
