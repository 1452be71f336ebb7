"""Lists of parked and rejected leads, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.scoreboard.domain.counters import ALL
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import TRIAGE, WindowRow
from services.scoreboard.store.rows import filled
from services.scoreboard.store.tables import (
    counts,
    leads,
    leads_parked,
    leads_refused,
    leads_rejected,
    windows,
    windows_running,
)
from shared.db.engine import Instant, Tx

After = tuple[datetime, str]
"""Where a page begins: behind the lead with this instant and id."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One page of counters by name, largest first, and the total of all of them.

    `names` is the number of counters that are not 0, including those on other pages.
    """

    shown: dict[str, int]
    names: int
    total: int


async def counted(tx: Tx, prefix: str, *, limit: int, offset: int = 0) -> Counters:
    """A page of the counters whose names begin with `prefix`, by the rest of the name."""
    value = sa.func.sum(counts.c.value).label("value")
    named = (
        sa.select(counts.c.name, value)
        .where(counts.c.period == ALL, counts.c.name.startswith(prefix, autoescape=True))
        .group_by(counts.c.name)
        .having(value != 0)
        .subquery()
    )
    whole = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(named.c.value), 0)).select_from(named)
    names, total = (await tx.execute(whole)).one()
    page = sa.select(named).order_by(named.c.value.desc(), named.c.name).limit(limit).offset(offset)
    shown = {row[0].removeprefix(prefix): int(row[1]) for row in await tx.execute(page)}
    return Counters(shown, int(names), int(total))


async def count(tx: Tx, name: str) -> int:
    """The value of one counter."""
    query = sa.select(sa.func.sum(counts.c.value)).where(counts.c.period == ALL, counts.c.name == name)
    return int((await tx.execute(query)).scalar_one() or 0)


async def parked(tx: Tx, queue: str, *, after: After | None = None, limit: int) -> list[LeadRow]:
    """The leads that wait in a queue, the longest waiting first."""
    query = sa.select(leads).where(leads_parked, leads.c.queue == queue)
    if after is not None:
        query = query.where(_place(leads.c.settled_at) > _literal(after))
    return await _page(tx, query.order_by(leads.c.settled_at, leads.c.lead_id), limit)


async def rejected(tx: Tx, clause: str, *, after: After | None = None, limit: int) -> list[LeadRow]:
    """The leads that a clause of the agreement turned down, the latest first."""
    query = sa.select(leads).where(leads_rejected, leads.c.clause == clause)
    return await _latest(tx, query, leads.c.settled_at, after, limit)


async def refused(tx: Tx, reason: str, *, after: After | None = None, limit: int) -> list[LeadRow]:
    """The leads that sales rejected for a reason, the latest first."""
    query = sa.select(leads).where(leads_refused, leads.c.ended_because == reason)
    return await _latest(tx, query, leads.c.ended_at, after, limit)


async def triage_of(tx: Tx, lead_ids: Sequence[str]) -> dict[str, WindowRow]:
    """The running promises of the queue's owners on these leads, by lead."""
    query = sa.select(windows).where(windows_running, windows.c.promise == TRIAGE, windows.c.lead_id.in_(lead_ids))
    return {row.lead_id: filled(WindowRow, row) for row in await tx.execute(query)}


async def joined_to(tx: Tx, lead_id: str, *, limit: int) -> list[str]:
    """The other ids of the person, which were merged into this lead."""
    query = sa.select(leads.c.lead_id).where(leads.c.merged_into == lead_id).order_by(leads.c.lead_id).limit(limit)
    return list((await tx.execute(query)).scalars())


async def _latest(
    tx: Tx, query: sa.Select[Any], at: "sa.Column[Any]", after: After | None, limit: int
) -> list[LeadRow]:
    if after is not None:
        query = query.where(_place(at) < _literal(after))
    return await _page(tx, query.order_by(at.desc(), leads.c.lead_id.desc()), limit)


async def _page(tx: Tx, query: sa.Select[Any], limit: int) -> list[LeadRow]:
    return [filled(LeadRow, row) for row in await tx.execute(query.limit(limit))]


def _place(at: "sa.Column[Any]") -> sa.Tuple:
    return sa.tuple_(at, leads.c.lead_id)


def _literal(after: After) -> sa.Tuple:
    return sa.tuple_(sa.literal(after[0], Instant()), sa.literal(after[1]))
