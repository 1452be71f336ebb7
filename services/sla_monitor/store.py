"""What the monitor keeps: windows, the facts that may meet them, how far facts are complete, escalations, holds.

`sla_monitor_windows.look_at` is the queue of the timer: the next instant at which a window wants a look, null for
never and while it is on hold. Its index is partial and by partition, so that finding what is due costs the same with
a million open windows as with ten.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.domain.settlement import FiredStep
from services.sla_monitor.domain.watermark import LOST, RUNNING, Watermark
from services.sla_monitor.domain.window import Fact, Window
from shared.db.bulk import insert_or_lower, insert_or_skip, insert_rows, upsert_rows
from shared.db.engine import Instant, Tx
from shared.db.tables import metadata, runtime_tables
from shared.db.text import Key, Text

tables = runtime_tables("sla_monitor")

_WAITING = sa.text("look_at IS NOT NULL")
_windows = sa.Table(
    "sla_monitor_windows",
    metadata,
    sa.Column("window_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("promise", Text, nullable=False),
    sa.Column("owner", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("look_at", Instant),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index(
        "ix_sla_monitor_windows_look_at", "partition", "look_at", postgresql_where=_WAITING, sqlite_where=_WAITING
    ),
    sa.Index("ix_sla_monitor_windows_due_at", "due_at", "window_id"),
)
_facts = sa.Table(
    "sla_monitor_facts",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("activity_id", Key, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("accepted_at", Instant, nullable=False),
)
_steps = sa.Table(
    "sla_monitor_steps",
    metadata,
    sa.Column("window_id", Key, primary_key=True),
    sa.Column("loop", sa.Integer, primary_key=True),
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("fired_at", Instant, nullable=False),
    sa.Column("outcome", Text, nullable=False),
)
_watermarks = sa.Table(
    "sla_monitor_watermarks",
    metadata,
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("instance", Key, primary_key=True),
    sa.Column("upto_at", Instant, nullable=False),
    sa.Column("state", Text, nullable=False),
)
_escalations = sa.Table(
    "sla_monitor_escalations",
    metadata,
    sa.Column("escalation_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("quiet_until_at", Instant),
    sa.Column("raised_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_sla_monitor_escalations_raised_at", "raised_at", "escalation_id"),
)
_holds = sa.Table(
    "sla_monitor_holds",
    metadata,
    sa.Column("quarantine_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("digest", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("held_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
)

_encode = msgspec.json.Encoder().encode
_window = msgspec.json.Decoder(Window).decode
_escalation = msgspec.json.Decoder(Escalation).decode
_LOCK_CLASS = 7_301


class LeadHold(msgspec.Struct, frozen=True):
    """An activity of the lead could not be read; `digest` is that of its bytes, so that its replay is known again."""

    quarantine_id: str
    lead_id: str
    digest: str
    reason: str


async def lock_leads(tx: Tx, partitions: Iterable[int]) -> None:
    """Let no other process change what is known of these partitions' leads until the transaction ends.

    Assignments and activities of one lead may be read by two processes. Without this, each could miss what the other
    is just storing, and a window would stay open next to the fact that meets it.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(*(sa.func.pg_advisory_xact_lock(_LOCK_CLASS, p) for p in sorted(set(partitions)))))


async def windows_of(tx: Tx, lead_ids: Sequence[str], *, states: Sequence[str] = ()) -> list[Window]:
    """The windows of these leads (in one of `states`, if given), locked until the transaction ends."""
    query = sa.select(_windows.c.body).where(_windows.c.lead_id.in_(lead_ids))
    if states:
        query = query.where(_windows.c.state.in_(states))
    rows = await tx.execute(query.order_by(_windows.c.window_id).with_for_update())
    return [_window(body) for body in rows.scalars()]


async def facts_of(tx: Tx, lead_ids: Sequence[str]) -> dict[str, list[Fact]]:
    """All facts of these leads; a lead without any has no entry."""
    found: dict[str, list[Fact]] = {}
    for row in await tx.execute(sa.select(_facts).where(_facts.c.lead_id.in_(lead_ids))):
        found.setdefault(row.lead_id, []).append(Fact(row.activity_id, row.kind, row.accepted_at))
    return found


async def save_facts(tx: Tx, facts: Sequence[tuple[str, Fact]]) -> None:
    """Keep the facts, each with its lead; one that was accepted several times as it was first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for lead_id, fact in facts:
        key = (lead_id, fact.activity_id)
        if key not in rows or fact.accepted_at < rows[key]["accepted_at"]:
            rows[key] = {"lead_id": lead_id, **msgspec.structs.asdict(fact)}
    await insert_or_lower(tx, _facts.c.accepted_at, list(rows.values()))


async def save_windows(tx: Tx, windows: Sequence[Window]) -> None:
    """Keep the windows as they are now."""
    await upsert_rows(tx, _windows, [_row(window) for window in windows])


async def escalations_of(tx: Tx, ids: Sequence[str]) -> dict[str, Escalation]:
    """The escalations that exist, by the id of their window."""
    query = sa.select(_escalations.c.body).where(_escalations.c.escalation_id.in_(ids))
    return {each.window_id: each for each in map(_escalation, (await tx.execute(query)).scalars())}


async def save_escalations(tx: Tx, escalations: Sequence[Escalation]) -> None:
    """Keep the escalations as they are now."""
    rows = [
        {
            "escalation_id": each.escalation_id,
            "lead_id": each.lead_id,
            "state": each.state,
            "quiet_until_at": each.quiet_until_at,
            "raised_at": each.raised_at,
            "body": _encode(each),
        }
        for each in escalations
    ]
    await upsert_rows(tx, _escalations, rows)


async def save_fired(tx: Tx, fired: Sequence[FiredStep]) -> None:
    """Note the levels that are done; the key refuses one that is done twice."""
    rows = [
        {
            "window_id": each.window_id,
            "loop": each.level.loop,
            "level": each.level.level,
            "due_at": each.level.due_at,
            "fired_at": each.fired_at,
            "outcome": each.outcome,
        }
        for each in fired
    ]
    await insert_rows(tx, _steps, rows)


async def watermarks(tx: Tx) -> list[Watermark]:
    """What every instance last said on every partition."""
    rows = await tx.execute(sa.select(_watermarks))
    return [Watermark(row.partition, row.instance, row.upto_at, row.state) for row in rows]


async def save_watermarks(tx: Tx, changed: Sequence[Watermark]) -> None:
    """Keep the marks as they are now."""
    await upsert_rows(tx, _watermarks, [msgspec.structs.asdict(each) for each in changed])


async def declare_lost(tx: Tx, instance: str) -> int:
    """Wait for this instance no longer; on how many partitions it was waited for, 0 for an unknown one."""
    mine = (_watermarks.c.instance == instance) & (_watermarks.c.state == RUNNING)
    return (await tx.execute(sa.update(_watermarks).where(mine).values(state=LOST))).rowcount


async def first_looks(tx: Tx, partitions: int) -> dict[int, datetime]:
    """For each partition with a waiting window, the earliest `look_at`; one index probe each."""
    look_at = _windows.c.look_at
    probes = [
        sa.select(sa.func.min(look_at)).where(_windows.c.partition == p, look_at.is_not(None)).scalar_subquery()
        for p in range(partitions)
    ]
    row = (await tx.execute(sa.select(*(probe.label(f"p{p}") for p, probe in enumerate(probes))))).one()
    return {partition: at for partition, at in enumerate(row) if at is not None}


async def due_windows(tx: Tx, partition: int, upto_at: datetime, *, limit: int) -> list[Window]:
    """The windows of a partition that want a look by `upto_at`, longest due first, locked; those that another process
    holds are left to it.
    """
    due = (_windows.c.partition == partition) & (_windows.c.look_at <= upto_at)
    query = sa.select(_windows.c.body).where(due).order_by(_windows.c.look_at).limit(limit)
    return [_window(body) for body in (await tx.execute(query.with_for_update(skip_locked=True))).scalars()]


async def save_holds(tx: Tx, holds: Sequence[LeadHold], now: datetime) -> None:
    """Keep the holds; one that is known already, even if released, stays as it is."""
    await insert_or_skip(tx, _holds, [{**msgspec.structs.asdict(hold), "held_at": now} for hold in holds])


async def holds_of(tx: Tx, lead_ids: Sequence[str]) -> list[LeadHold]:
    """The holds on these leads that are not released, oldest first."""
    mine = _holds.c.lead_id.in_(lead_ids) & _holds.c.released_at.is_(None)
    rows = await tx.execute(sa.select(_holds).where(mine).order_by(_holds.c.held_at))
    return [LeadHold(row.quarantine_id, row.lead_id, row.digest, row.reason) for row in rows]


async def release_holds(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    """These records were seen to."""
    await tx.execute(sa.update(_holds).where(_holds.c.quarantine_id.in_(ids)).values(released_at=now))


async def windows_page(
    tx: Tx, *, filters: Mapping[str, str], after: tuple[datetime, str] | None, limit: int
) -> list[Window]:
    """Windows by exact `lead_id`, `state`, `promise` or `owner`, first due first; `after` is the last one before."""
    query = sa.select(_windows.c.body).where(*(_windows.c[name] == value for name, value in filters.items()))
    if after is not None:
        query = query.where(_past(_windows.c.due_at, _windows.c.window_id, after))
    rows = await tx.execute(query.order_by(_windows.c.due_at, _windows.c.window_id).limit(limit))
    return [_window(body) for body in rows.scalars()]


async def escalations_page(
    tx: Tx, *, state: str | None, lead_id: str | None, now: datetime, after: tuple[datetime, str] | None, limit: int
) -> list[Escalation]:
    """Escalations, first raised first. One whose acknowledgement has run out is firing again."""
    table = _escalations
    query = sa.select(table.c.body)
    if lead_id is not None:
        query = query.where(table.c.lead_id == lead_id)
    quiet = (table.c.state == "acknowledged") & (table.c.quiet_until_at.is_(None) | (table.c.quiet_until_at > now))
    ran_out = (table.c.state == "acknowledged") & (table.c.quiet_until_at <= now)
    if state is not None:
        held = {"firing": (table.c.state == "firing") | ran_out, "acknowledged": quiet}
        query = query.where(held.get(state, table.c.state == state))
    if after is not None:
        query = query.where(_past(table.c.raised_at, table.c.escalation_id, after))
    rows = await tx.execute(query.order_by(table.c.raised_at, table.c.escalation_id).limit(limit))
    return [_escalation(body) for body in rows.scalars()]


async def escalation_to_change(tx: Tx, escalation_id: str) -> Escalation | None:
    """One escalation, locked until the transaction ends; None if there is none."""
    query = sa.select(_escalations.c.body).where(_escalations.c.escalation_id == escalation_id)
    body = (await tx.execute(query)).scalar_one_or_none()
    if body is None:
        return None
    # The window's lock is the one that everyone takes, so what is read after it holds.
    window = sa.select(_windows.c.window_id).where(_windows.c.window_id == _escalation(body).window_id)
    await tx.execute(window.with_for_update())
    return _escalation((await tx.execute(query)).scalar_one())


def _past(at: "sa.Column[Any]", key: "sa.Column[Any]", after: tuple[datetime, str]) -> "sa.ColumnElement[bool]":
    last_at, last_key = after
    return (at > last_at) | ((at == last_at) & (key > last_key))


def _row(window: Window) -> dict[str, Any]:
    return {
        "window_id": window.window_id,
        "lead_id": window.lead_id,
        "partition": window.partition,
        "promise": window.promise,
        "owner": window.owner,
        "state": window.state,
        "due_at": window.due_at,
        "look_at": window.look_at if window.hold is None else None,
        "body": _encode(window),
    }
