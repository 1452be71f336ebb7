"""Events that are decided, waiting to be put on the bus: written with the state they follow from, in one transaction.

The relay takes unpublished rows in the order of `seq` and marks them once the bus has them, so a crash at any
instant sends an event again rather than never; ids do not change, and readers drop what they have seen. A cursor
("everything after the last seq") would skip rows, because transactions commit in another order than they draw their
numbers. Published events stay for a while, to be sent again should the log lose them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from shared.bus.envelope import Envelope, attributes, instant, value_of
from shared.db.bulk import any_of, insert_rows
from shared.db.engine import Instant, Tx
from shared.db.tables import RuntimeTables
from shared.ports import Message
from shared.settings import Retention


async def announce(tx: Tx, tables: RuntimeTables, envelopes: Sequence[Envelope]) -> None:
    """Have the events published, in this order, if the transaction commits."""
    rows = [
        {
            "event_id": envelope.id,
            "type": envelope.type,
            "topic": envelope.event.TOPIC,
            "key": envelope.subject,
            "time": instant(envelope.time),
            "value": value_of(envelope.event),
        }
        for envelope in envelopes
    ]
    await insert_rows(tx, tables.outbox, rows)


class Announced(NamedTuple):
    """An event that waits to be published: its number in the outbox, its id, and the message to send."""

    seq: int
    event_id: str
    message: Message


async def unpublished(tx: Tx, tables: RuntimeTables, *, max_rows: int) -> list[Announced]:
    """The oldest events that are not known to be on the bus."""
    table = tables.outbox
    columns = (table.c.seq, table.c.event_id, table.c.type, table.c.topic, table.c.key, table.c.time, table.c.value)
    waiting = sa.select(*columns).where(table.c.published_at.is_(None)).order_by(table.c.seq).limit(max_rows)
    source = f"baton/{tables.service}"
    return [
        Announced(seq, event_id, Message(topic, key, value, attributes(event_id, kind, source, key, time)))
        for seq, event_id, kind, topic, key, time, value in await tx.execute(waiting)
    ]


async def mark_published(tx: Tx, tables: RuntimeTables, numbers: Sequence[int], now: datetime) -> None:
    """The bus has these. Should a crash of the database undo that, they are sent again, which is harmless; so the
    commit need not wait for the disk.
    """
    await _without_waiting_for_disk(tx)
    table = tables.outbox
    await tx.execute(sa.update(table).where(any_of(tx, table.c.seq, numbers)).values(published_at=now))


async def remove(tx: Tx, tables: RuntimeTables, numbers: Sequence[int]) -> None:
    """Delete events that can't be published."""
    await tx.execute(sa.delete(tables.outbox).where(any_of(tx, tables.outbox.c.seq, numbers)))


async def trim(tx: Tx, tables: RuntimeTables, *, retention: Retention, now: datetime, limit: int) -> int:
    """Delete up to `limit` of the oldest published events that `retention` does not hold; how many went."""
    await _without_waiting_for_disk(tx)
    table = tables.outbox
    newest = sa.select(sa.func.coalesce(sa.func.max(table.c.seq), 0)).scalar_subquery()
    oldest = sa.select(table.c.seq, table.c.published_at).order_by(table.c.seq).limit(limit).subquery()
    over = sa.or_(
        oldest.c.published_at < now - timedelta(seconds=retention.seconds), oldest.c.seq <= newest - retention.rows
    )
    gone = sa.select(oldest.c.seq).where(oldest.c.published_at.is_not(None), over)
    deleted: int = (await tx.execute(sa.delete(table).where(table.c.seq.in_(gone)))).rowcount
    return deleted


async def send_again(tx: Tx, services: Sequence[str], *, topics: Sequence[str], since: datetime) -> int:
    """Have the relays of `services` publish again what they published to `topics` from `since` on; how many events."""
    total = 0
    for service in services:
        table = sa.table(f"{service}_outbox", sa.column("topic"), sa.column("published_at", Instant()))
        chosen = sa.and_(table.c.topic.in_(topics), table.c.published_at >= since)
        total += (await tx.execute(sa.update(table).where(chosen).values(published_at=None))).rowcount
    return total


async def _without_waiting_for_disk(tx: Tx) -> None:
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.text("SET LOCAL synchronous_commit = off"))
