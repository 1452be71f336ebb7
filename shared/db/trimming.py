"""Deletes expired rows, a few at a time, while the service keeps working."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.db.engine import Tx
from shared.db.tables import RuntimeTables


@dataclass(frozen=True, slots=True)
class Rule:
    """The rows of `table` that `old` selects, given the instant `kept` ago."""

    table: sa.Table
    kept: timedelta
    old: Callable[[datetime], "sa.ColumnElement[bool]"]


def inbox_rule(tables: RuntimeTables, kept: timedelta) -> Rule:
    """The ids of handled events. `kept` must outlast every duplicate, or it would be handled again."""
    return Rule(tables.inbox, kept, lambda before: tables.inbox.c.handled_at < before)


async def trim(tx: Tx, rule: Rule, now: datetime, *, limit: int) -> int:
    """Delete up to `limit` of the rule's old rows; how many. Rows that others have locked are left to them."""
    keys: list[sa.Column[Any]] = list(rule.table.primary_key)
    old = sa.select(*keys).where(rule.old(now - rule.kept)).limit(limit)
    if tx.dialect.name == "postgresql":
        old = old.with_for_update(skip_locked=True, of=rule.table)
    key = sa.tuple_(*keys) if len(keys) > 1 else keys[0]
    return (await tx.execute(sa.delete(rule.table).where(key.in_(old)))).rowcount
