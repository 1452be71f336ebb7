"""Deliveries: claimed under a lease, sent outside of a transaction, and recorded by token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.delivery.domain.retry import DeliveryStatus
from services.delivery.store.tables import deliveries, events
from shared.db.bulk import insert_into, insert_or_skip
from shared.db.engine import Tx


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until the lease ends; only a report with its `token` is taken."""

    subscription_id: str
    event_seq: int
    token: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a claimed delivery after an attempt; `due_at` is set while `state` is `pending`."""

    claimed: Claimed
    state: DeliveryStatus
    attempts: int
    due_at: datetime | None
    ended_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as its subscriber may see it."""

    subscription_id: str
    event_seq: int
    event_id: str
    type: str
    lead_id: str
    state: DeliveryStatus
    attempts: int
    due_at: datetime | None
    ended_at: datetime | None
    last_status: int | None
    last_error: str | None


async def add_deliveries(tx: Tx, pairs: Sequence[tuple[str, int]], now: datetime) -> None:
    """Add pending deliveries (subscription id, place of the event), due now."""
    new = {"state": "pending", "attempts": 0, "token": 0, "due_at": now}
    await insert_or_skip(tx, deliveries, [{"subscription_id": s, "event_seq": e, **new} for s, e in pairs])


async def claim(tx: Tx, subscription_id: str, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
    """Claim up to `limit` due deliveries of this subscription until `lease_until`, longest due first."""
    due = (
        sa.select(deliveries.c.event_seq)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.due_at <= now)
        .order_by(deliveries.c.due_at, deliveries.c.event_seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = await tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.event_seq.in_(sa.select(due.c.event_seq)))
        .values(token=deliveries.c.token + 1, due_at=lease_until)
        .returning(deliveries.c.event_seq, deliveries.c.token, deliveries.c.attempts)
    )
    return sorted((Claimed(subscription_id, *row) for row in rows), key=lambda claimed: claimed.event_seq)


async def held(tx: Tx, claims: Sequence[Claimed]) -> set[Claimed]:
    """Those of `claims` that are still the latest of a pending delivery, locked until the transaction ends.

    An attempt that outlived its claim says nothing about its subscription, which may have been disabled, repaired and
    enabled again since.
    """
    if not claims:
        return set()
    key = sa.tuple_(deliveries.c.subscription_id, deliveries.c.event_seq)
    rows = await tx.execute(
        sa.select(deliveries.c.subscription_id, deliveries.c.event_seq, deliveries.c.token)
        .where(key.in_([(c.subscription_id, c.event_seq) for c in claims]), deliveries.c.due_at.is_not(None))
        .order_by(deliveries.c.subscription_id, deliveries.c.event_seq)
        .with_for_update()
    )
    latest = {tuple(row) for row in rows}
    return {c for c in claims if (c.subscription_id, c.event_seq, c.token) in latest}


async def save_reports(tx: Tx, reports: Sequence[Report]) -> None:
    """Record how attempts ended, each only if its claim is still the latest and the delivery still pending."""
    if not reports:
        return
    ordered = sorted(reports, key=lambda report: (report.claimed.subscription_id, report.claimed.event_seq))
    names = ("state", "attempts", "due_at", "ended_at", "last_status", "last_error")
    rows = [{**_key(report.claimed), **{f"new_{name}": getattr(report, name) for name in names}} for report in ordered]
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}", type_=deliveries.c[name].type) for name in names}
    await tx.execute(sa.update(deliveries).where(_still_ours()).values(values), rows)


async def give_back(tx: Tx, claims: Sequence[Claimed], now: datetime) -> None:
    """Release deliveries that were claimed but not sent: they are due again immediately."""
    if claims:
        ordered = sorted(claims, key=lambda claimed: (claimed.subscription_id, claimed.event_seq))
        await tx.execute(sa.update(deliveries).where(_still_ours()).values(due_at=now), [_key(c) for c in ordered])


def _key(claimed: Claimed) -> dict[str, Any]:
    return {"of": claimed.subscription_id, "seq": claimed.event_seq, "claim": claimed.token}


def _still_ours() -> Any:
    return sa.and_(
        deliveries.c.subscription_id == sa.bindparam("of"),
        deliveries.c.event_seq == sa.bindparam("seq"),
        deliveries.c.token == sa.bindparam("claim"),
        deliveries.c.due_at.is_not(None),
    )


async def status_page(
    tx: Tx, subscription_id: str | None, state: DeliveryStatus | None, before: tuple[str, int] | None, limit: int
) -> list[DeliveryRow]:
    """Up to `limit` deliveries, by subscription, newest event first; `before` is the last (subscription, place)
    seen.
    """
    key = sa.tuple_(deliveries.c.subscription_id, deliveries.c.event_seq)
    named = [
        events.c[name] if name in ("event_id", "type", "lead_id") else deliveries.c[name]
        for name in DeliveryRow.__slots__
    ]
    query = sa.select(*named).join(events, events.c.seq == deliveries.c.event_seq)
    if subscription_id is not None:
        query = query.where(deliveries.c.subscription_id == subscription_id)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        query = query.where(key < before)
    query = query.order_by(deliveries.c.subscription_id.desc(), deliveries.c.event_seq.desc()).limit(limit)
    return [DeliveryRow(*row) for row in await tx.execute(query)]


async def replay_event(tx: Tx, subscription_id: str, event_seq: int, now: datetime) -> int:
    """Make the delivery of this event due again; returns 1, or 0 if it is pending already."""
    return await _replay(tx, subscription_id, events.c.seq == event_seq, now)


async def replay_range(
    tx: Tx,
    subscription_id: str,
    span: tuple[datetime, datetime],
    types: Sequence[str],
    now: datetime,
    *,
    failed_only: bool,
) -> int:
    """Make deliveries of the events of these types in `span` (from, until) due again; returns how many.

    With `failed_only` only failed deliveries, else also delivered ones and events that were never pending.
    """
    wanted = sa.and_(events.c.time >= span[0], events.c.time < span[1], events.c.type.in_(types))
    if failed_only:
        failed = sa.select(deliveries.c.event_seq).where(
            deliveries.c.subscription_id == subscription_id, deliveries.c.state == "failed"
        )
        wanted = sa.and_(wanted, events.c.seq.in_(failed))
    return await _replay(tx, subscription_id, wanted, now)


async def _replay(tx: Tx, subscription_id: str, wanted: Any, now: datetime) -> int:
    literal = sa.literal
    rows = sa.select(
        literal(subscription_id, sa.Text),
        events.c.seq,
        literal("pending", sa.Text),
        literal(0, sa.Integer),
        literal(0, sa.BigInteger),
        literal(now, deliveries.c.due_at.type),
    ).where(wanted)
    again = {"state": "pending", "attempts": 0, "token": deliveries.c.token + 1, "due_at": now, "ended_at": None}
    columns = ["subscription_id", "event_seq", "state", "attempts", "token", "due_at"]
    statement = insert_into(tx, deliveries).from_select(columns, rows)
    done = await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["subscription_id", "event_seq"], set_=again, where=deliveries.c.due_at.is_(None)
        )
    )
    return int(done.rowcount)
