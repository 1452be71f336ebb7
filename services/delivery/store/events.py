"""Public events in the order in which they can be read, each as the bytes that every subscriber gets."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.delivery.store.tables import events
from shared.db.bulk import any_of, insert_or_skip
from shared.db.engine import Tx

_TURN = 4_243_001


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """A stored event: `body` is the structured CloudEvent."""

    event_id: str
    type: str
    lead_id: str
    time: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event at its place in the order; a reader that has `seq` has all before it."""

    seq: int
    event_id: str
    type: str
    body: bytes


async def store_events(tx: Tx, found: Sequence[PublicEvent], now: datetime) -> dict[str, int]:
    """Append the events that are not stored yet; returns the numbers of all of them, by event id.

    Transactions do not commit in the order in which they draw numbers, so a reader that has seen 8 could miss a 7 that
    commits later. So one transaction appends at a time: on PostgreSQL under a lock that is released after its commit is
    visible, on SQLite by its single writer. Numbers then become visible in order, and "everything after n" misses
    nothing. The lock is the last one taken in a batch, so its holder never waits for another.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
    rows = [
        {
            "event_id": event.event_id,
            "type": event.type,
            "lead_id": event.lead_id,
            "time": event.time,
            "stored_at": now,
            "body": event.body,
        }
        for event in found
    ]
    await insert_or_skip(tx, events, rows)
    query = sa.select(events.c.event_id, events.c.seq).where(any_of(tx, events.c.event_id, [e.event_id for e in found]))
    return {row.event_id: row.seq for row in await tx.execute(query)}


async def events_after(tx: Tx, after: int, types: Collection[str], limit: int) -> tuple[list[StoredEvent], int]:
    """Up to `limit` events of these types after place `after`, and the place up to which all has been looked at."""
    newest = (await tx.execute(sa.select(sa.func.max(events.c.seq)))).scalar_one() or 0
    query = (
        sa.select(events.c.seq, events.c.event_id, events.c.type, events.c.body)
        .where(events.c.seq > after, events.c.seq <= newest, events.c.type.in_(sorted(types)))
        .order_by(events.c.seq)
        .limit(limit)
    )
    found = [StoredEvent(*row) for row in await tx.execute(query)]
    return found, found[-1].seq if len(found) == limit else max(after, newest)


async def events_at(tx: Tx, places: Collection[int]) -> dict[int, StoredEvent]:
    """The events at these places."""
    columns = (events.c.seq, events.c.event_id, events.c.type, events.c.body)
    rows = await tx.execute(sa.select(*columns).where(events.c.seq.in_(sorted(places))))
    return {row.seq: StoredEvent(*row) for row in rows}


async def seq_of(tx: Tx, event_id: str) -> int | None:
    """The number of an event, or None if it is not stored."""
    found: int | None = (await tx.execute(sa.select(events.c.seq).where(events.c.event_id == event_id))).scalar()
    return found
