"""Promises on hold, because an activity of their lead could not be read."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.sla_monitor.store import tables
from shared.db.bulk import any_of, insert_or_skip
from shared.db.engine import Tx


class LeadHold(msgspec.Struct, frozen=True):
    """An unreadable activity of a lead; `digest` is that of its bytes, so that a replay is recognized."""

    quarantine_id: str
    lead_id: str
    digest: str
    reason: str


async def save_holds(tx: Tx, holds: Sequence[LeadHold], now: datetime) -> None:
    """Save the holds; existing ones, even released ones, do not change."""
    await insert_or_skip(tx, tables.holds, [{**msgspec.structs.asdict(hold), "held_at": now} for hold in holds])


async def holds_of(tx: Tx, lead_ids: Sequence[str]) -> list[LeadHold]:
    """The holds on these leads that are not released, oldest first."""
    mine = any_of(tx, tables.holds.c.lead_id, lead_ids) & tables.holds.c.released_at.is_(None)
    rows = await tx.execute(sa.select(tables.holds).where(mine).order_by(tables.holds.c.held_at))
    return [LeadHold(row.quarantine_id, row.lead_id, row.digest, row.reason) for row in rows]


async def leads_on_hold(tx: Tx, *, limit: int) -> int:
    """How many leads are on hold; counting stops at `limit`."""
    held = sa.select(tables.holds.c.lead_id).where(tables.holds.c.released_at.is_(None)).distinct().limit(limit)
    return (await tx.execute(sa.select(sa.func.count()).select_from(held.subquery()))).scalar_one()


async def release_holds(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    """These records were seen to."""
    await tx.execute(sa.update(tables.holds).where(tables.holds.c.quarantine_id.in_(ids)).values(released_at=now))
