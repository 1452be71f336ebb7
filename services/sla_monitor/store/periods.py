"""Windows of promises about periods."""

from datetime import datetime

import sqlalchemy as sa

from services.sla_monitor.domain.period_windows import NO_PARTITION
from services.sla_monitor.domain.window import Window
from services.sla_monitor.store.tables import windows
from services.sla_monitor.store.windows import window_of
from shared.db.engine import Tx

_LOCK = sa.text("SELECT pg_advisory_xact_lock(7302, 0)")
_OF_PERIODS = windows.c.partition == sa.literal_column(str(NO_PARTITION))
_MAY_CHANGE = windows.c.state.in_(["open", "breached"])


async def lock_opening(tx: Tx) -> None:
    """One process at a time opens periods, until the transaction ends. SQLite has a single writer anyway."""
    if tx.dialect.name == "postgresql":
        await tx.execute(_LOCK)


async def latest(tx: Tx) -> dict[str, datetime]:
    """When the last period of each promise that has one ends."""
    query = sa.select(windows.c.promise, sa.func.max(windows.c.due_at)).where(_OF_PERIODS).group_by(windows.c.promise)
    return {row[0]: row[1] for row in await tx.execute(query)}


async def to_look_at(tx: Tx, now: datetime, *, running: bool) -> list[str]:
    """The windows with something to do by `now`, those that end first in front; all that are `running`, if asked."""
    due = windows.c.look_at <= now
    wanted = due | (windows.c.state == "open") if running else due
    query = sa.select(windows.c.window_id).where(_OF_PERIODS, wanted).order_by(windows.c.due_at, windows.c.window_id)
    return list((await tx.execute(query)).scalars())


async def claim(tx: Tx, window_id: str) -> Window | None:
    """The window, locked until the transaction ends; None if another process has it."""
    query = sa.select(windows.c.body).where(windows.c.window_id == window_id)
    body = (await tx.execute(query.with_for_update(skip_locked=True))).scalar_one_or_none()
    return window_of(body) if body is not None else None


async def judge_again(tx: Tx, *, since_at: datetime, now: datetime) -> None:
    """Have all periods looked at that are over and end after this instant: what counts in them is another number.

    One that is being judged is waited for, because the verdict may not know this number.
    """
    if since_at >= now:
        return
    over = _OF_PERIODS & _MAY_CHANGE & (windows.c.due_at > since_at) & (windows.c.due_at <= now)
    # In order, so that no two processes wait for each other.
    query = sa.select(windows.c.window_id).where(over).order_by(windows.c.window_id).with_for_update()
    ids = list((await tx.execute(query)).scalars())
    if ids:
        mine = windows.c.window_id.in_(ids) & _MAY_CHANGE
        await tx.execute(sa.update(windows).where(mine).values(look_at=now))
