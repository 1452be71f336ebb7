"""How far the facts of each ingest instance are complete, by partition."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.watermark import LOST, RUNNING, Watermark
from services.sla_monitor.store import tables
from shared.db.bulk import upsert_rows
from shared.db.engine import Database, Tx

_ALL = sa.select(tables.watermarks)
_CLOCK = sa.select(sa.func.clock_timestamp().label("now")).subquery("clock")
_WITH_CLOCK = sa.select(_CLOCK.c.now, tables.watermarks).select_from(_CLOCK.outerjoin(tables.watermarks, sa.true()))


async def watermarks(tx: Tx) -> list[Watermark]:
    """The last marker of every instance on every partition."""
    rows = await tx.execute(_ALL)
    return [Watermark(**row._mapping) for row in rows]


async def watermarks_now(tx: Tx, database: Database) -> tuple[datetime, list[Watermark]]:
    """The database's clock with the last markers: one statement where that is a round trip."""
    if database.is_sqlite:
        return await database.now(tx), await watermarks(tx)
    rows = (await tx.execute(_WITH_CLOCK)).all()
    marks = [
        Watermark(row.partition, row.instance, row.upto_at, row.state, row.offset, row.skew_s)
        for row in rows
        if row.instance is not None
    ]
    return rows[0].now.astimezone(UTC), marks


async def save_watermarks(tx: Tx, changed: Sequence[Watermark]) -> None:
    """Save the watermarks."""
    await upsert_rows(tx, tables.watermarks, [msgspec.structs.asdict(each) for each in changed])


async def declare_lost(tx: Tx, instance: str) -> int:
    """Wait for this instance no longer; on how many partitions it was waited for, 0 for an unknown one."""
    mine = (tables.watermarks.c.instance == instance) & (tables.watermarks.c.state == RUNNING)
    return (await tx.execute(sa.update(tables.watermarks).where(mine).values(state=LOST))).rowcount
