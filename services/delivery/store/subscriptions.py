"""Subscriptions: who receives which events, where, and whether the endpoint works."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from services.delivery.store.tables import deliveries, subscriptions
from shared.db.bulk import insert_rows
from shared.db.engine import Tx

SubscriptionStatus = Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook subscription. `state` is `active` or `disabled` (then `reason` says why)."""

    id: str
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str
    secrets: tuple[str, ...] = field(repr=False)
    state: SubscriptionStatus
    reason: str | None
    created_at: datetime
    failing_since: datetime | None


def _from(row: sa.RowMapping) -> Subscription:
    values = {name: row[name] for name in Subscription.__slots__}
    return Subscription(**values | {"events": tuple(row["events"].split()), "secrets": tuple(row["secrets"].split())})


async def add_subscription(tx: Tx, subscription: Subscription) -> None:
    """Save a new subscription."""
    row = {name: getattr(subscription, name) for name in Subscription.__slots__}
    await insert_rows(
        tx, subscriptions, [row | {"events": " ".join(subscription.events), "secrets": " ".join(subscription.secrets)}]
    )


async def subscription(tx: Tx, subscription_id: str) -> Subscription | None:
    """The one with this id."""
    query = sa.select(subscriptions).where(subscriptions.c.id == subscription_id)
    row = (await tx.execute(query)).mappings().first()
    return None if row is None else _from(row)


async def subscription_page(tx: Tx, after: str, limit: int) -> list[Subscription]:
    """Up to `limit`, oldest first, after the id `after`."""
    query = sa.select(subscriptions).where(subscriptions.c.id > after).order_by(subscriptions.c.id).limit(limit)
    return [_from(row) for row in (await tx.execute(query)).mappings()]


async def active_subscriptions(tx: Tx) -> Sequence[Subscription]:
    """All active subscriptions."""
    query = sa.select(subscriptions).where(subscriptions.c.state == "active")
    return [_from(row) for row in (await tx.execute(query)).mappings()]


async def waiting_subscriptions(tx: Tx) -> list[tuple[Subscription, datetime]]:
    """The active ones that have something pending, with when the first of it falls due; the longest overdue first."""
    first = (
        sa.select(sa.func.min(deliveries.c.due_at))
        .where(deliveries.c.subscription_id == subscriptions.c.id, deliveries.c.due_at.is_not(None))
        .scalar_subquery()
    )
    candidates = sa.select(subscriptions, first.label("due_at")).where(subscriptions.c.state == "active").subquery()
    query = sa.select(candidates).where(candidates.c.due_at.is_not(None)).order_by(candidates.c.due_at)
    return [(_from(row), row["due_at"]) for row in (await tx.execute(query)).mappings()]


async def remove_subscription(tx: Tx, subscription_id: str) -> bool:
    """Forget it and its deliveries; whether there was one."""
    await tx.execute(sa.delete(deliveries).where(deliveries.c.subscription_id == subscription_id))
    gone = await tx.execute(sa.delete(subscriptions).where(subscriptions.c.id == subscription_id))
    return gone.rowcount > 0


async def enable_subscription(tx: Tx, subscription_id: str) -> None:
    """Enable a subscription again."""
    values = {"state": "active", "reason": None, "failing_since": None}
    await tx.execute(sa.update(subscriptions).where(subscriptions.c.id == subscription_id).values(values))


async def disable_subscriptions(tx: Tx, reasons: Mapping[str, str], now: datetime) -> None:
    """Disable subscriptions, by id with the reason. Their pending deliveries become failed and can be replayed."""
    for subscription_id, reason in sorted(reasons.items()):
        await tx.execute(
            sa.update(subscriptions)
            .where(subscriptions.c.id == subscription_id)
            .values(state="disabled", reason=reason)
        )
        await tx.execute(
            sa.update(deliveries)
            .where(deliveries.c.subscription_id == subscription_id, deliveries.c.due_at.is_not(None))
            .values(state="failed", due_at=None, ended_at=now, last_error=f"the subscription was disabled: {reason}")
        )


async def save_health(tx: Tx, well: Collection[str], failing: Collection[str], now: datetime) -> dict[str, datetime]:
    """Note which endpoints took something and which took nothing; since when each of the latter has been failing."""
    table = subscriptions
    if well:
        await tx.execute(
            sa.update(table)
            .where(table.c.id.in_(sorted(well)), table.c.failing_since.is_not(None))
            .values(failing_since=None)
        )
    if not failing:
        return {}
    ours = table.c.id.in_(sorted(failing))
    await tx.execute(sa.update(table).where(ours, table.c.failing_since.is_(None)).values(failing_since=now))
    return {
        row.id: row.failing_since for row in await tx.execute(sa.select(table.c.id, table.c.failing_since).where(ours))
    }
