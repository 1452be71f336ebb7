"""What the operations board reads: escalations by urgency, and their counts. All bounded."""

from datetime import datetime

import sqlalchemy as sa

from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow, standing
from services.scoreboard.store import queries
from services.scoreboard.store.rows import filled
from services.scoreboard.store.tables import escalations, escalations_firing, windows
from shared.db.engine import Tx


async def firing(tx: Tx, now: datetime, *, limit: int) -> list[tuple[EscalationRow, LeadRow | None]]:
    """The escalations that nobody has taken on, highest level first, then the latest; each with its lead."""
    order = escalations.c.level.desc(), escalations.c.raised_at.desc()
    return await _with_leads(tx, sa.select(escalations).where(_firing(now)).order_by(*order).limit(limit), now)


async def acknowledged(tx: Tx, now: datetime, *, limit: int) -> list[tuple[EscalationRow, LeadRow | None]]:
    """The escalations that someone has taken on, the latest first; each with its lead."""
    query = sa.select(escalations).where(_acknowledged(now)).order_by(escalations.c.raised_at.desc())
    return await _with_leads(tx, query.limit(limit), now)


async def firing_count(tx: Tx, now: datetime, *, limit: int) -> int:
    """How many escalations nobody has taken on; counting stops at `limit`."""
    return await _count(tx, _firing(now), limit)


async def acknowledged_count(tx: Tx, now: datetime, *, limit: int) -> int:
    """How many escalations someone has taken on; counting stops at `limit`."""
    return await _count(tx, _acknowledged(now), limit)


async def escalation(tx: Tx, escalation_id: str, now: datetime) -> EscalationRow | None:
    """One escalation as it stands at `now`, or None."""
    query = sa.select(escalations).where(escalations.c.escalation_id == escalation_id)
    row = (await tx.execute(query)).one_or_none()
    return standing(filled(EscalationRow, row), now) if row is not None else None


async def window(tx: Tx, window_id: str) -> WindowRow | None:
    """One promise, or None."""
    row = (await tx.execute(sa.select(windows).where(windows.c.window_id == window_id))).one_or_none()
    return filled(WindowRow, row) if row is not None else None


def _acknowledged(now: datetime) -> sa.ColumnElement[bool]:
    quiet = escalations.c.quiet_until.is_(None) | (escalations.c.quiet_until > now)
    return escalations_firing & (escalations.c.state == "acknowledged") & quiet


def _firing(now: datetime) -> sa.ColumnElement[bool]:
    ran_out = (escalations.c.state == "acknowledged") & (escalations.c.quiet_until <= now)
    return escalations_firing & ((escalations.c.state != "acknowledged") | ran_out)


async def _with_leads(
    tx: Tx, query: "sa.Select[tuple[object, ...]]", now: datetime
) -> list[tuple[EscalationRow, LeadRow | None]]:
    found = [standing(filled(EscalationRow, row), now) for row in await tx.execute(query)]
    known = await queries.leads_of(tx, {each.lead_id for each in found if each.lead_id})
    return [(each, known.get(each.lead_id or "")) for each in found]


async def _count(tx: Tx, wanted: sa.ColumnElement[bool], limit: int) -> int:
    query = sa.select(escalations.c.escalation_id).where(wanted).limit(limit)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()
