"""Deletes expired rows, a few at a time, while the service keeps working."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.db.engine import Tx


@dataclass(frozen=True, slots=True)
class Rule:
    """The rows of `table` that `old` selects, given the instant before which rows expire."""

    table: sa.Table
    old: Callable[[datetime], "sa.ColumnElement[bool]"]


async def trim(tx: Tx, rule: Rule, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` of the rule's old rows; how many. Rows that others have locked are left to them."""
    keys: list[sa.Column[Any]] = list(rule.table.primary_key)
    old = sa.select(*keys).where(rule.old(before)).limit(limit)
    if tx.dialect.name == "postgresql":
        old = old.with_for_update(skip_locked=True, of=rule.table)
    key = sa.tuple_(*keys) if len(keys) > 1 else keys[0]
    return (await tx.execute(sa.delete(rule.table).where(key.in_(old)))).rowcount
