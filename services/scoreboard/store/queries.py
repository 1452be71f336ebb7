"""The queries of the API and the pages, all bounded."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from services.scoreboard.domain.conservation import EARLY, IN_FLIGHT, MISSING, OUTCOMES, RECEIVED
from services.scoreboard.domain.counters import ALL, EVENTS
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import OPEN, EscalationRow, WindowRow, standing
from services.scoreboard.store.rows import TimelineEntry, TimelinePosition, filled
from services.scoreboard.store.tables import (
    counts,
    escalations,
    escalations_firing,
    inquiries,
    inquiries_early,
    inquiries_waiting,
    leads,
    timeline,
    windows,
    windows_of_periods,
    windows_running,
)
from shared.db.engine import Instant, Tx

MOST_IDS = 100
"""Of how many ids that became part of a lead its story has the events."""


async def conservation_counts(tx: Tx) -> dict[str, int]:
    """The terms of the equation, each counted separately, at one instant (hence one statement)."""
    wanted = (counts.c.period == ALL) & counts.c.name.in_((RECEIVED, MISSING, *OUTCOMES))
    query = sa.union_all(
        sa.select(counts.c.name, sa.cast(sa.func.sum(counts.c.value), sa.BigInteger).label("value"))
        .where(wanted)
        .group_by(counts.c.name),
        sa.select(sa.literal(IN_FLIGHT), sa.func.count()).select_from(inquiries).where(inquiries_waiting),
        sa.select(sa.literal(EARLY), sa.func.count()).select_from(inquiries).where(inquiries_early),
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def decided_unread(tx: Tx, before: datetime) -> int:
    """How many inquiries have a verdict from before that instant and were never read themselves."""
    query = sa.select(sa.func.count()).select_from(inquiries).where(inquiries_early, inquiries.c.decided_at <= before)
    return (await tx.execute(query)).scalar_one()


async def period_counts(tx: Tx, start: str, end: str) -> dict[str, int]:
    """The counters of the quarter hours from `start` up to before `end`."""
    query = (
        sa.select(counts.c.name, sa.func.sum(counts.c.value))
        .where(counts.c.period >= start, counts.c.period < end)
        .group_by(counts.c.name)
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def events_handled(tx: Tx) -> int:
    """How many events were ever handled, by all processes together."""
    return await _total(tx, EVENTS)


async def open_window_count(tx: Tx) -> int:
    """How many promises run now."""
    return await _total(tx, OPEN)


async def open_windows(tx: Tx, *, limit: int) -> list[tuple[WindowRow, LeadRow | None]]:
    """The running windows that fall due first, each with its lead."""
    query = sa.select(windows).where(windows_running).order_by(windows.c.due_at).limit(limit)
    found = [filled(WindowRow, row) for row in await tx.execute(query)]
    known = await leads_of(tx, {window.lead_id for window in found if window.lead_id})
    return [(window, known.get(window.lead_id or "")) for window in found]


async def periods(tx: Tx, *, limit: int) -> list[WindowRow]:
    """The promises on periods that end last, running ones first."""
    query = sa.select(windows).where(windows_of_periods)
    query = query.order_by(windows.c.due_at.desc(), windows.c.window_id.desc()).limit(limit)
    return sorted((filled(WindowRow, row) for row in await tx.execute(query)), key=lambda each: each.state != "open")


async def overdue_count(tx: Tx, now: datetime, *, limit: int) -> int:
    """How many running windows are past their time; counting stops at `limit`."""
    query = sa.select(windows.c.window_id).where(windows_running, windows.c.due_at <= now).limit(limit)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()


async def open_escalations(tx: Tx, now: datetime, *, limit: int) -> list[tuple[EscalationRow, LeadRow | None]]:
    """The escalations that are not closed, newest first, each with its lead."""
    query = sa.select(escalations).where(escalations_firing).order_by(escalations.c.raised_at.desc()).limit(limit)
    found = [standing(filled(EscalationRow, row), now) for row in await tx.execute(query)]
    known = await leads_of(tx, {escalation.lead_id for escalation in found if escalation.lead_id})
    return [(escalation, known.get(escalation.lead_id or "")) for escalation in found]


async def open_escalation_count(tx: Tx, *, limit: int) -> int:
    """How many escalations are not closed; counting stops at `limit`."""
    query = sa.select(escalations.c.escalation_id).where(escalations_firing).limit(limit)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()


async def exhausted_count(tx: Tx, *, limit: int) -> int:
    """How many escalations came to the end of their ladder without an answer; counting stops at `limit`."""
    over = escalations_firing & (escalations.c.state == "exhausted")
    query = sa.select(escalations.c.escalation_id).where(over).limit(limit)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()


async def latest_leads(tx: Tx, *, limit: int) -> list[LeadRow]:
    """The leads that wrote last, newest first."""
    received = leads.c.received_at
    query = sa.select(leads).where(received.is_not(None)).order_by(received.desc()).limit(limit)
    return [filled(LeadRow, row) for row in await tx.execute(query)]


async def lead(tx: Tx, lead_id: str) -> LeadRow | None:
    """One lead, or None."""
    return (await leads_of(tx, {lead_id})).get(lead_id)


async def windows_of(tx: Tx, lead_id: str, *, limit: int) -> list[WindowRow]:
    """The lead's running windows, the one due first in front."""
    query = (
        sa.select(windows).where(windows_running, windows.c.lead_id == lead_id).order_by(windows.c.due_at).limit(limit)
    )
    return [filled(WindowRow, row) for row in await tx.execute(query)]


async def missed_of(tx: Tx, lead_id: str, *, limit: int) -> list[WindowRow]:
    """The lead's breached windows, the one due last in front."""
    missed = (windows.c.lead_id == lead_id) & (windows.c.state == "breached")
    query = sa.select(windows).where(missed).order_by(windows.c.due_at.desc()).limit(limit)
    return [filled(WindowRow, row) for row in await tx.execute(query)]


async def story(tx: Tx, lead_id: str, *, after: TimelinePosition | None = None, limit: int) -> list[TimelineEntry]:
    """The lead's events, also under ids that became part of it, oldest first, from the one behind `after`."""
    query = sa.select(timeline).where(await _of_person(tx, lead_id))
    if after is not None:
        at, rank, event_id = after
        place = sa.tuple_(timeline.c.at, timeline.c.rank, timeline.c.event_id)
        behind = sa.tuple_(sa.literal(at, Instant()), sa.literal(rank), sa.literal(event_id))
        query = query.where(place > behind)
    query = query.order_by(timeline.c.at, timeline.c.rank, timeline.c.event_id).limit(limit)
    return [filled(TimelineEntry, row) for row in await tx.execute(query)]


async def newest(tx: Tx, lead_id: str, *, limit: int, types: Sequence[str] = ()) -> list[TimelineEntry]:
    """The lead's latest events (of these types, if any), also under ids that became part of it, newest first."""
    query = sa.select(timeline).where(await _of_person(tx, lead_id))
    if types:
        query = query.where(timeline.c.type.in_(types))
    query = query.order_by(timeline.c.at.desc(), timeline.c.rank.desc(), timeline.c.event_id.desc()).limit(limit)
    return [filled(TimelineEntry, row) for row in await tx.execute(query)]


async def _of_person(tx: Tx, lead_id: str) -> sa.ColumnElement[bool]:
    query = sa.select(leads.c.lead_id).where(leads.c.merged_into == lead_id).limit(MOST_IDS)
    joined = list((await tx.execute(query)).scalars())
    return timeline.c.lead_id.in_([lead_id, *joined]) if joined else timeline.c.lead_id == lead_id


async def leads_of(tx: Tx, ids: set[str]) -> dict[str, LeadRow]:
    """The leads with these ids, by id."""
    if not ids:
        return {}
    return {
        row.lead_id: filled(LeadRow, row) for row in await tx.execute(sa.select(leads).where(leads.c.lead_id.in_(ids)))
    }


async def _total(tx: Tx, name: str) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(counts.c.value), 0))
    return int((await tx.execute(query.where(counts.c.period == ALL, counts.c.name == name))).scalar_one())
