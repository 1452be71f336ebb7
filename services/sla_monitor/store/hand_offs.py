"""Hand-offs, and the figures of a period that follow from them."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.hand_offs import HandOff, is_complete
from services.sla_monitor.domain.period import Figures
from services.sla_monitor.store.tables import hand_offs
from shared.db.bulk import any_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.agreement import Commitment
from shared.domain.event import PromisePeriod


async def hand_offs_of(tx: Tx, lead_ids: Collection[str]) -> list[HandOff]:
    """The hand-offs of these leads."""
    rows = await tx.execute(sa.select(hand_offs).where(any_of(tx, hand_offs.c.lead_id, lead_ids)))
    return [HandOff(**row._mapping) for row in rows]


async def save_hand_offs(tx: Tx, changed: Sequence[HandOff]) -> None:
    """Save the hand-offs."""
    await upsert_rows(tx, hand_offs, [msgspec.structs.asdict(each) for each in changed])


async def figures_of(tx: Tx, commitment: Commitment, period: PromisePeriod) -> Figures:
    """What counts in the period for this promise."""
    table, target_s = hand_offs.c, float(commitment.target)
    handed, timed = _within(table.counts_at, period), table.hand_off_s.is_not(None)
    kept_rejected = table.accepted_at.is_(None) | (table.accepted_at >= period.ends_at)
    wanted = {"handed": handed}
    if commitment.measure in ("volume", "accepted_share"):
        wanted["accepted"] = _within(table.accepted_at, period)
        wanted["rejected"] = _within(table.rejected_at, period) & kept_rejected
    if commitment.measure == "hand_off_latency":
        wanted |= {"timed": handed & timed, "in_time": handed & (table.hand_off_s <= target_s)}
    counts = [
        sa.select(sa.func.count()).select_from(hand_offs).where(rows).scalar_subquery().label(name)
        for name, rows in wanted.items()
    ]
    figures = Figures(**(await tx.execute(sa.select(*counts))).one()._mapping)
    if commitment.measure == "completeness":
        return await _completeness(tx, commitment, handed)
    if commitment.measure == "hand_off_latency" and figures.timed:
        return msgspec.structs.replace(figures, p95_s=await _p95_s(tx, handed & timed, figures.timed))
    return figures


async def _completeness(tx: Tx, commitment: Commitment, handed: sa.ColumnElement[bool]) -> Figures:
    """How many hand-offs had all fields, of those of which that is known."""
    known = sa.select(hand_offs.c.filled, sa.func.count()).where(handed, hand_offs.c.filled.is_not(None))
    groups = [(filled, number) for filled, number in await tx.execute(known.group_by(hand_offs.c.filled))]
    complete = sum(number for filled, number in groups if is_complete(filled, commitment.fields))
    return Figures(handed=sum(number for _, number in groups), complete=complete)


async def _p95_s(tx: Tx, timed: sa.ColumnElement[bool], number: int) -> float:
    """Within how many seconds 95 of 100 were handed over: the smallest that covers as many."""
    query = sa.select(hand_offs.c.hand_off_s).where(timed).order_by(hand_offs.c.hand_off_s)
    return float((await tx.execute(query.limit(1).offset(-(-95 * number // 100) - 1))).scalar_one())


def _within(column: "sa.Column[datetime]", period: PromisePeriod) -> sa.ColumnElement[bool]:
    return (column >= period.starts_at) & (column < period.ends_at)
