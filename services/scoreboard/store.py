"""The scoreboard's own tables: what became of each inquiry, lead, window and escalation, the story of each lead, and
counters kept in step with them.

Whoever changes rows makes them first if they are not there, then locks them in the order of their keys, so that facts
from independent topics meet in one row and nobody counts a change that somebody else has counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.scoreboard.domain.conservation import IN_FLIGHT, OUTCOMES, RECEIVED
from services.scoreboard.domain.counting import ALL, EVENTS
from services.scoreboard.domain.inquiries import Inquiry
from services.scoreboard.domain.leads import Lead
from services.scoreboard.domain.promises import OPEN, Escalation, Window
from shared.db.bulk import insert_or_skip
from shared.db.engine import Instant, Tx
from shared.db.tables import metadata, runtime_tables

tables = runtime_tables("scoreboard")
Row = TypeVar("Row", bound=msgspec.Struct)

inquiries = sa.Table(
    "scoreboard_inquiries",
    metadata,
    sa.Column("inquiry_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("channel", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("received_at", Instant),
    sa.Column("test", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("outcome", sa.Text, nullable=False, server_default=IN_FLIGHT),
    sa.Column("decided_at", Instant),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="-1"),
)
_waits = sa.and_(inquiries.c.outcome == sa.literal_column(f"'{IN_FLIGHT}'"), inquiries.c.received_at.is_not(None))
sa.Index("ix_scoreboard_inquiries_in_flight", inquiries.c.received_at, postgresql_where=_waits, sqlite_where=_waits)

leads = sa.Table(
    "scoreboard_leads",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("job_title", sa.Text),
    sa.Column("company", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("channel", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("received_at", Instant, index=True),
    sa.Column("state", sa.Text, nullable=False, server_default="received"),
    sa.Column("reason", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("sales_stage", sa.Text),
    sa.Column("score", sa.Integer),
    sa.Column("owner", sa.Text),
    sa.Column("pool", sa.Text),
    sa.Column("assigned_at", Instant),
    sa.Column("respond_by", Instant),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="-1"),
)

windows = sa.Table(
    "scoreboard_windows",
    metadata,
    sa.Column("window_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, index=True),
    sa.Column("promise", sa.Text),
    sa.Column("side", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("opened_at", Instant),
    sa.Column("due_at", Instant),
    sa.Column("state", sa.Text),
    sa.Column("ended_at", Instant),
    sa.Column("fault", sa.Text),
)
_runs = windows.c.state == sa.literal_column("'open'")
sa.Index("ix_scoreboard_windows_running", windows.c.due_at, postgresql_where=_runs, sqlite_where=_runs)

escalations = sa.Table(
    "scoreboard_escalations",
    metadata,
    sa.Column("escalation_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, index=True),
    sa.Column("window_id", sa.Text),
    sa.Column("promise", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("level", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.Text),
    sa.Column("raised_at", Instant),
    sa.Column("changed_at", Instant),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("quiet_until", Instant),
)
_fires = escalations.c.state.in_([sa.literal_column("'firing'"), sa.literal_column("'acknowledged'")])
sa.Index("ix_scoreboard_escalations_open", escalations.c.raised_at, postgresql_where=_fires, sqlite_where=_fires)

timeline = sa.Table(
    "scoreboard_timeline",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Index("ix_scoreboard_timeline_lead", "lead_id", "at", "rank", "event_id"),
)

counts = sa.Table(
    "scoreboard_counts",
    metadata,
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a lead's story: `data` is the event as JSON, `rank` orders what happened at the same instant."""

    event_id: str
    lead_id: str
    at: datetime
    rank: int
    type: str
    data: bytes


Place = tuple[datetime, int, str]
"""Where an entry stands in its lead's story: its instant, rank and event id."""


async def locked_inquiries(tx: Tx, ids: Iterable[str]) -> dict[str, Inquiry]:
    """These inquiries as known, ours to change until the transaction ends."""
    return await _locked(tx, inquiries, Inquiry, ids)


async def locked_leads(tx: Tx, ids: Iterable[str]) -> dict[str, Lead]:
    """These leads as known, ours to change until the transaction ends."""
    return await _locked(tx, leads, Lead, ids)


async def locked_windows(tx: Tx, ids: Iterable[str]) -> dict[str, Window]:
    """These windows as known, ours to change until the transaction ends."""
    return await _locked(tx, windows, Window, ids)


async def locked_escalations(tx: Tx, ids: Iterable[str]) -> dict[str, Escalation]:
    """These escalations as known, ours to change until the transaction ends."""
    return await _locked(tx, escalations, Escalation, ids)


_TABLES: Mapping[type[msgspec.Struct], sa.Table] = {
    Inquiry: inquiries,
    Lead: leads,
    Window: windows,
    Escalation: escalations,
}


async def save(tx: Tx, rows: Sequence[Inquiry | Lead | Window | Escalation]) -> None:
    """Write back rows of one kind that were locked before."""
    if not rows:
        return
    table = _TABLES[type(rows[0])]
    (key,) = table.primary_key
    values: dict[str, Any] = {
        column.name: sa.bindparam(f"new_{column.name}") for column in table.c if column is not key
    }
    statement = sa.update(table).where(key == sa.bindparam(f"new_{key.name}")).values(values)
    await tx.execute(statement, [{f"new_{n}": v for n, v in msgspec.structs.asdict(row).items()} for row in rows])


async def add_entries(tx: Tx, entries: Sequence[Entry]) -> None:
    """Add to the stories of leads; an event that is there already is left alone."""
    await insert_or_skip(tx, timeline, [msgspec.structs.asdict(entry) for entry in entries])


async def add_counts(tx: Tx, moves: Mapping[tuple[str, int, str], int]) -> None:
    """Move counters, each named by period, shard and name. Shards keep writers of different partitions apart."""
    if not moves:
        return
    rows = [{"period": p, "shard": s, "name": n, "value": by} for (p, s, n), by in sorted(moves.items())]
    insert: Any = postgresql.insert(counts) if tx.dialect.name == "postgresql" else sqlite.insert(counts)
    keys = ["period", "shard", "name"]
    moved = {"value": counts.c.value + insert.excluded.value}
    await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=moved), rows)


async def conservation_counts(tx: Tx) -> dict[str, int]:
    """The terms of the equation, each counted on its own, all of one instant (which takes one statement)."""
    wanted = (counts.c.period == ALL) & counts.c.name.in_((RECEIVED, *OUTCOMES))
    query = sa.union_all(
        sa.select(counts.c.name, sa.cast(sa.func.sum(counts.c.value), sa.BigInteger).label("value"))
        .where(wanted)
        .group_by(counts.c.name),
        sa.select(sa.literal(IN_FLIGHT), sa.func.count()).select_from(inquiries).where(_waits),
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


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


async def open_windows(tx: Tx, *, most: int) -> list[tuple[Window, Lead | None]]:
    """The running windows that fall due first, each with its lead."""
    query = sa.select(windows).where(_runs).order_by(windows.c.due_at).limit(most)
    found = [_row(Window, row) for row in await tx.execute(query)]
    known = await _leads(tx, {window.lead_id for window in found if window.lead_id})
    return [(window, known.get(window.lead_id or "")) for window in found]


async def overdue_count(tx: Tx, now: datetime, *, most: int) -> int:
    """How many running windows are past their time; counting stops at `most`."""
    query = sa.select(windows.c.window_id).where(_runs, windows.c.due_at <= now).limit(most)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()


async def open_escalations(tx: Tx, *, most: int) -> list[tuple[Escalation, Lead | None]]:
    """The escalations that are not closed, newest first, each with its lead."""
    query = sa.select(escalations).where(_fires).order_by(escalations.c.raised_at.desc()).limit(most)
    found = [_row(Escalation, row) for row in await tx.execute(query)]
    known = await _leads(tx, {escalation.lead_id for escalation in found if escalation.lead_id})
    return [(escalation, known.get(escalation.lead_id or "")) for escalation in found]


async def open_escalation_count(tx: Tx, *, most: int) -> int:
    """How many escalations are not closed; counting stops at `most`."""
    query = sa.select(escalations.c.escalation_id).where(_fires).limit(most)
    return (await tx.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()


async def latest_leads(tx: Tx, *, most: int) -> list[Lead]:
    """The leads that wrote last, newest first."""
    received = leads.c.received_at
    query = sa.select(leads).where(received.is_not(None)).order_by(received.desc()).limit(most)
    return [_row(Lead, row) for row in await tx.execute(query)]


async def lead(tx: Tx, lead_id: str) -> Lead | None:
    """One lead, or None."""
    return (await _leads(tx, {lead_id})).get(lead_id)


async def windows_of(tx: Tx, lead_id: str, *, most: int) -> list[Window]:
    """The lead's running windows, the one due first in front."""
    query = sa.select(windows).where(_runs, windows.c.lead_id == lead_id).order_by(windows.c.due_at).limit(most)
    return [_row(Window, row) for row in await tx.execute(query)]


async def story(tx: Tx, lead_id: str, *, after: Place | None = None, most: int) -> list[Entry]:
    """The lead's events, oldest first, from the one behind `after`."""
    query = sa.select(timeline).where(timeline.c.lead_id == lead_id)
    if after is not None:
        at, rank, event_id = after
        place = sa.tuple_(timeline.c.at, timeline.c.rank, timeline.c.event_id)
        behind = sa.tuple_(sa.literal(at, Instant()), sa.literal(rank), sa.literal(event_id))
        query = query.where(place > behind)
    query = query.order_by(timeline.c.at, timeline.c.rank, timeline.c.event_id).limit(most)
    return [_row(Entry, row) for row in await tx.execute(query)]


async def newest(tx: Tx, lead_id: str, *, most: int, types: Sequence[str] = ()) -> list[Entry]:
    """The lead's latest events (of these types, if any are named), newest first."""
    query = sa.select(timeline).where(timeline.c.lead_id == lead_id)
    if types:
        query = query.where(timeline.c.type.in_(types))
    query = query.order_by(timeline.c.at.desc(), timeline.c.rank.desc(), timeline.c.event_id.desc()).limit(most)
    return [_row(Entry, row) for row in await tx.execute(query)]


async def _locked(tx: Tx, table: sa.Table, kind: type[Row], ids: Iterable[str]) -> dict[str, Row]:
    wanted = sorted(set(ids))
    (key,) = table.primary_key
    await insert_or_skip(tx, table, [{key.name: each} for each in wanted])
    found: dict[str, Row] = {}
    query = sa.select(table).where(key.in_(wanted)).order_by(key).with_for_update()
    for row in await tx.execute(query):
        found[row[0]] = _row(kind, row)
    return found


async def _leads(tx: Tx, ids: set[str]) -> dict[str, Lead]:
    if not ids:
        return {}
    return {row.lead_id: _row(Lead, row) for row in await tx.execute(sa.select(leads).where(leads.c.lead_id.in_(ids)))}


async def _total(tx: Tx, name: str) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(counts.c.value), 0))
    return int((await tx.execute(query.where(counts.c.period == ALL, counts.c.name == name))).scalar_one())


def _row(kind: type[Row], row: Any) -> Row:
    return kind(**row._mapping)
