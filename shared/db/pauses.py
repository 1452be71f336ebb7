"""Partitions that a service does not read for now, since records of many leads in a row could not be handled; for all
to see. What decides is in the memory of its consumer.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from shared.db.bulk import upsert_rows
from shared.db.engine import Tx
from shared.db.tables import paused_partitions
from shared.ports import TopicPartition


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """`service` waits before the record at `offset`, which failed with `error` like those before it."""

    service: str
    topic: str
    partition: int
    offset: int
    error: str
    paused_at: datetime


async def begin(tx: Tx, pauses: Sequence[Pause]) -> None:
    """Show these."""
    await upsert_rows(tx, paused_partitions, [msgspec.structs.asdict(pause) for pause in pauses])


async def end(tx: Tx, service: str, places: Collection[TopicPartition]) -> None:
    """The service continues reading these partitions, if it was paused there."""
    table = paused_partitions
    here = sa.tuple_(table.c.topic, table.c.partition).in_(list(places))
    await tx.execute(sa.delete(table).where(table.c.service == service, here))


async def running(tx: Tx) -> list[Pause]:
    """Those of all services, the first one in front."""
    table = paused_partitions
    rows = await tx.execute(sa.select(table).order_by(table.c.paused_at, table.c.service, table.c.partition))
    return [Pause(**row._mapping) for row in rows]
