"""Escalations."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.store import tables
from shared.db.bulk import any_of, row_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.promises import EscalationStatus

_encode = msgspec.json.Encoder().encode
_escalation = msgspec.json.Decoder(Escalation).decode


async def escalations_of(tx: Tx, ids: Sequence[str]) -> dict[str, Escalation]:
    """The escalations that exist, by the id of their window."""
    query = sa.select(tables.escalations.c.body).where(any_of(tx, tables.escalations.c.escalation_id, ids))
    return {each.window_id: each for each in map(_escalation, (await tx.execute(query)).scalars())}


async def silenced_windows(tx: Tx, silence_id: str) -> list[str]:
    """The ids of the windows whose escalation a silence keeps from notifying anyone, in order."""
    query = sa.select(tables.escalations.c.body).where(tables.escalations.c.silence_id == silence_id)
    return sorted(_escalation(body).window_id for body in (await tx.execute(query)).scalars())


async def save_escalations(tx: Tx, escalations: Sequence[Escalation]) -> None:
    """Save the escalations."""
    rows = [row_of(tables.escalations, each, body=_encode(each)) for each in escalations]
    await upsert_rows(tx, tables.escalations, rows)


async def escalations_page(
    tx: Tx,
    *,
    state: EscalationStatus | None,
    lead_id: str | None,
    now: datetime,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Escalation]:
    """Escalations, first raised first. One whose acknowledgement has run out is firing again."""
    table = tables.escalations
    query = sa.select(table.c.body)
    if lead_id is not None:
        query = query.where(table.c.lead_id == lead_id)
    quiet = (table.c.state == "acknowledged") & (table.c.quiet_until_at.is_(None) | (table.c.quiet_until_at > now))
    ran_out = (table.c.state == "acknowledged") & (table.c.quiet_until_at <= now)
    if state is not None:
        held = {"firing": (table.c.state == "firing") | ran_out, "acknowledged": quiet}
        query = query.where(held.get(state, table.c.state == state))
    if after is not None:
        query = query.where(sa.tuple_(table.c.raised_at, table.c.escalation_id) > after)
    rows = await tx.execute(query.order_by(table.c.raised_at, table.c.escalation_id).limit(limit))
    return [_escalation(body) for body in rows.scalars()]


async def escalation_to_change(tx: Tx, escalation_id: str) -> Escalation | None:
    """One escalation, locked until the transaction ends; None if there is none."""
    query = sa.select(tables.escalations.c.body).where(tables.escalations.c.escalation_id == escalation_id)
    body = (await tx.execute(query)).scalar_one_or_none()
    if body is None:
        return None
    # All writers take the window's lock, so what is read after it stays true.
    window = sa.select(tables.windows.c.window_id).where(tables.windows.c.window_id == _escalation(body).window_id)
    await tx.execute(window.with_for_update())
    return _escalation((await tx.execute(query)).scalar_one())
