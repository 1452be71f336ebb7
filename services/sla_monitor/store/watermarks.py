"""How far the facts of each ingest instance are complete, by partition."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.watermark import LOST, RUNNING, Watermark
from services.sla_monitor.store import tables
from shared.db.bulk import upsert_rows
from shared.db.engine import Tx

_ALL = sa.select(tables.watermarks)


async def watermarks(tx: Tx) -> list[Watermark]:
    """The last marker of every instance on every partition."""
    rows = await tx.execute(_ALL)
    return [Watermark(**row._mapping) for row in rows]


async def save_watermarks(tx: Tx, changed: Sequence[Watermark]) -> None:
    """Save the watermarks."""
    await upsert_rows(tx, tables.watermarks, [msgspec.structs.asdict(each) for each in changed])


async def declare_lost(tx: Tx, instance: str) -> int:
    """Wait for this instance no longer; on how many partitions it was waited for, 0 for an unknown one."""
    mine = (tables.watermarks.c.instance == instance) & (tables.watermarks.c.state == RUNNING)
    return (await tx.execute(sa.update(tables.watermarks).where(mine).values(state=LOST))).rowcount
