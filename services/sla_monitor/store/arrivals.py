"""Inquiries that wait for their verdict, and verdicts that were read before their inquiry."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.inquiry_verdicts import NO_PARTITION, Arrival
from services.sla_monitor.store.tables import arrivals, watched_since, windows
from shared.db.bulk import any_of, insert_or_skip, upsert_rows
from shared.db.engine import Tx

_LOCK_CLASS = 7_303
_BEGUN = 1


async def lock_inquiries(tx: Tx, partitions: Iterable[int]) -> None:
    """Nobody else pairs inquiries and verdicts of these numbers until the transaction ends. The last lock that a
    transaction takes. SQLite has a single writer anyway.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(sa.select(*(sa.func.pg_advisory_xact_lock(_LOCK_CLASS, p) for p in sorted(partitions))))


async def arrivals_of(tx: Tx, inquiry_ids: Collection[str]) -> dict[str, Arrival]:
    """What is stored of these inquiries, locked until the transaction ends."""
    query = sa.select(arrivals).where(any_of(tx, arrivals.c.inquiry_id, inquiry_ids)).order_by(arrivals.c.inquiry_id)
    rows = await tx.execute(query.with_for_update())
    return {row.inquiry_id: Arrival(**row._mapping) for row in rows}


async def due_arrivals(tx: Tx, upto: datetime, *, limit: int) -> list[Arrival]:
    """Those to look at by this instant, longest due first, locked; none that another process has locked."""
    query = sa.select(arrivals).where(arrivals.c.look_at <= upto).order_by(arrivals.c.look_at).limit(limit)
    return [Arrival(**row._mapping) for row in await tx.execute(query.with_for_update(skip_locked=True))]


async def save_arrivals(tx: Tx, changed: Sequence[Arrival]) -> None:
    """Save them."""
    await upsert_rows(tx, arrivals, [msgspec.structs.asdict(each) for each in changed])


async def forget_arrivals(tx: Tx, inquiry_ids: Collection[str]) -> None:
    """They have come to their end."""
    if inquiry_ids:
        await tx.execute(sa.delete(arrivals).where(any_of(tx, arrivals.c.inquiry_id, inquiry_ids)))


async def first_look(tx: Tx) -> datetime | None:
    """When an inquiry, or a window on one, is to be looked at next; two index probes."""
    waiting = sa.select(sa.func.min(arrivals.c.look_at)).scalar_subquery()
    mine = (windows.c.partition == sa.literal_column(str(NO_PARTITION))) & windows.c.look_at.is_not(None)
    running = sa.select(sa.func.min(windows.c.look_at)).where(mine).scalar_subquery()
    row = (await tx.execute(sa.select(waiting.label("waiting"), running.label("running")))).one()
    return min((at for at in row if at is not None), default=None)


async def since(tx: Tx) -> datetime | None:
    """Since when all verdicts are remembered; None if nobody has promised any yet."""
    begun = watched_since.c.id == _BEGUN
    return (await tx.execute(sa.select(watched_since.c.since_at).where(begun))).scalar_one_or_none()


async def begin(tx: Tx, now: datetime) -> datetime:
    """Remember all verdicts from now on, but not before all processes of an earlier release have ended. Returns since
    when they are.
    """
    known = (await tx.execute(sa.select(sa.func.max(watched_since.c.since_at)))).scalar_one_or_none()
    await insert_or_skip(tx, watched_since, [{"id": _BEGUN, "since_at": max(known or now, now)}])
    found = await since(tx)
    assert found is not None  # noqa: S101 (it was there, or has been inserted)
    return found
