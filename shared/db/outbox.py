"""Events that are decided, waiting to be put on the bus: written with the state they follow from, in one transaction.

The relay takes unpublished rows in the order of `seq` and deletes them once the bus has them, so a crash at any
instant sends an event again rather than never; ids do not change, and readers drop what they have seen. A cursor
("everything after the last seq") would skip rows, because transactions commit in another order than they draw their
numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from shared.bus.envelope import Envelope, attributes, instant, value_of
from shared.db.bulk import any_of, insert_rows
from shared.db.engine import Tx
from shared.db.tables import RuntimeTables
from shared.ports import Message


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


async def unpublished(tx: Tx, tables: RuntimeTables, *, most: int) -> list[Announced]:
    """The oldest events that are not known to be on the bus."""
    table = tables.outbox
    rows = (await tx.execute(sa.select(table).order_by(table.c.seq).limit(most))).all()
    source = f"baton/{tables.service}"
    return [
        Announced(
            r.seq,
            r.event_id,
            Message(r.topic, r.key, r.value, attributes(r.event_id, r.type, source, r.key, r.time)),
        )
        for r in rows
    ]


async def forget_published(tx: Tx, tables: RuntimeTables, numbers: Sequence[int]) -> None:
    """The bus has these: delete them. Should a crash of the database undo that, they are sent again, which is harmless;
    so the commit need not wait for the disk.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.text("SET LOCAL synchronous_commit = off"))
    await tx.execute(sa.delete(tables.outbox).where(any_of(tx, tables.outbox.c.seq, numbers)))
