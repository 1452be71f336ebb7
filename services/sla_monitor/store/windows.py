"""Windows, and the steps of their ladders that are done."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.inquiry_verdicts import HAND_OFF
from services.sla_monitor.domain.inquiry_verdicts import NO_PARTITION as NO_LEADS
from services.sla_monitor.domain.opening import DISPUTES, TRIAGE
from services.sla_monitor.domain.period_windows import NO_PARTITION
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import FiredStep
from services.sla_monitor.store import tables
from shared.db.bulk import any_of, row_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.agreement import Side
from shared.domain.promises import WindowStatus

_OF_OPERATIONS = tables.windows.c.promise.in_((HAND_OFF, TRIAGE, DISPUTES))
_ON_INQUIRIES = tables.windows.c.partition == sa.literal_column(str(NO_LEADS))
_OF_MARKETING = tables.windows.c.partition == sa.literal_column(str(NO_PARTITION))
_OWED_BY: Mapping[Side, sa.ColumnElement[bool]] = {
    "sales": sa.not_(_OF_OPERATIONS) & sa.not_(_OF_MARKETING),
    "operations": _OF_OPERATIONS,
    "marketing": _OF_MARKETING,
}
_encode = msgspec.json.Encoder().encode
window_of = msgspec.json.Decoder(Window).decode
"""The window from its stored body."""


async def windows_of(
    tx: Tx, lead_ids: Sequence[str], *, states: Sequence[WindowStatus] = (), lock: bool = True
) -> list[Window]:
    """The windows of these leads (in one of `states`, if given), locked until the transaction ends unless they are only
    read. Without those on inquiries, which nothing but a verdict ends.
    """
    query = sa.select(tables.windows.c.body).where(any_of(tx, tables.windows.c.lead_id, lead_ids), ~_ON_INQUIRIES)
    if states:
        query = query.where(tables.windows.c.state.in_(states))
    query = query.order_by(tables.windows.c.window_id)
    rows = await tx.execute(query.with_for_update() if lock else query)
    return [window_of(body) for body in rows.scalars()]


async def windows_by_id(tx: Tx, ids: Sequence[str]) -> list[Window]:
    """These windows, locked until the transaction ends."""
    query = sa.select(tables.windows.c.body).where(tables.windows.c.window_id.in_(ids))
    rows = await tx.execute(query.order_by(tables.windows.c.window_id).with_for_update())
    return [window_of(body) for body in rows.scalars()]


async def save_windows(tx: Tx, windows: Sequence[Window]) -> None:
    """Save the windows."""
    await upsert_rows(tx, tables.windows, [_row(window) for window in windows])


async def save_fired(tx: Tx, fired: Sequence[FiredStep]) -> None:
    """Note the levels that are done; the latest time, if the breach before it was taken back."""
    rows = [
        row_of(tables.steps, each, loop=each.level.loop, level=each.level.level, due_at=each.level.due_at)
        for each in fired
    ]
    await upsert_rows(tx, tables.steps, rows)


async def first_looks(tx: Tx, partitions: int) -> dict[int, datetime]:
    """For each partition with a waiting window, the earliest `look_at`; one index probe each."""
    row = (await tx.execute(_first_looks(partitions))).one()
    return {partition: at for partition, at in enumerate(row) if at is not None}


@lru_cache(maxsize=8)
def _first_looks(partitions: int) -> "sa.Select[Any]":
    look_at = tables.windows.c.look_at
    probes = [
        sa.select(sa.func.min(look_at)).where(tables.windows.c.partition == p, look_at.is_not(None)).scalar_subquery()
        for p in range(partitions)
    ]
    return sa.select(*(probe.label(f"p{p}") for p, probe in enumerate(probes)))


async def due_windows(
    tx: Tx, upto: Mapping[int, datetime], *, within: timedelta | None = None, limit: int
) -> list[Window]:
    """Windows that are due by the instant given for their partition (and not longer than `within`), longest due first,
    locked. Skips those that another process has locked.
    """
    due = sa.union_all(*(_queue(partition, at, within, limit) for partition, at in sorted(upto.items()))).subquery()
    ids = (await tx.execute(sa.select(due.c.window_id).order_by(due.c.look_at).limit(limit))).scalars().all()
    query = sa.select(tables.windows.c.body).where(any_of(tx, tables.windows.c.window_id, ids))
    rows = await tx.execute(query.order_by(tables.windows.c.look_at).with_for_update(skip_locked=True))
    windows = [window_of(body) for body in rows.scalars()]
    # Another process may have settled some of them before they were locked.
    return [each for each in windows if each.hold is None and each.look_at and each.look_at <= upto[each.partition]]


def _queue(partition: int, upto_at: datetime, within: timedelta | None, limit: int) -> "sa.Select[Any]":
    """The next windows of one partition: a few entries of its part of the index."""
    windows = tables.windows.c
    due = (windows.partition == partition) & (windows.look_at <= upto_at)
    if within is not None:
        due &= windows.look_at >= upto_at - within
    first = sa.select(windows.window_id, windows.look_at).where(due).order_by(windows.look_at).limit(limit)
    return sa.select(first.subquery())


async def windows_page(
    tx: Tx,
    *,
    filters: Mapping[str, str],
    now: datetime,
    side: Side | None = None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Window]:
    """Windows by exact `lead_id`, `state` (also `paused`), `promise` or `owner`, and by the side that owes it, first
    due first; `after` is the last one before.
    """
    until = tables.windows.c.paused_until
    paused = (tables.windows.c.state == "open") & until.is_not(None) & (until > now)
    of_state = {"paused": paused, "open": (tables.windows.c.state == "open") & ~paused}
    query = sa.select(tables.windows.c.body).where(
        *(
            of_state[value] if name == "state" and value in of_state else tables.windows.c[name] == value
            for name, value in filters.items()
        )
    )
    if side is not None:
        query = query.where(_OWED_BY[side])
    if after is not None:
        query = query.where(sa.tuple_(tables.windows.c.due_at, tables.windows.c.window_id) > after)
    rows = await tx.execute(query.order_by(tables.windows.c.due_at, tables.windows.c.window_id).limit(limit))
    return [window_of(body) for body in rows.scalars()]


def _row(window: Window) -> dict[str, Any]:
    look_at = window.look_at if window.hold is None else None
    return row_of(tables.windows, window, look_at=look_at, body=_encode(window))
