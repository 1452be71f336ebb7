"""The task that deletes what a service no longer needs, in short transactions, one process at a time."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from shared import metrics
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.db.tables import RuntimeTables
from shared.db.trimming import Rule, trim
from shared.runtime.backoff import until_back
from shared.runtime.service import Platform

EVERY_S = 600.0
AT_ONCE = 500
BREATH_S = 0.02
"""Pause between two transactions, so that those of the service come first."""


class Trimmer:
    """Trims the tables of a service: ids of handled events after `inbox`, and what `rules` select after `retention`,
    or never if it is None. `inbox` must outlast every duplicate, or it would be handled again.
    """

    def __init__(
        self,
        database: Database,
        tables: RuntimeTables,
        rules: Sequence[Rule],
        *,
        retention: timedelta | None,
        inbox: timedelta,
    ) -> None:
        self._database = database
        self._service = tables.service
        self._rules = [(Rule(tables.inbox, lambda before: tables.inbox.c.handled_at < before), inbox)]
        if retention is not None:
            self._rules += [(rule, retention) for rule in rules]
        self._claim = Claim(database, f"{tables.service}_trim")

    @classmethod
    def on(cls, platform: Platform, tables: RuntimeTables, rules: Sequence[Rule], *, keep_days: int | None) -> Self:
        """The trimmer of a service on this platform."""
        retention = timedelta(days=keep_days) if keep_days is not None else None
        inbox = timedelta(days=platform.settings.inbox_days)
        return cls(platform.db, tables, rules, retention=retention, inbox=inbox)

    async def run(self) -> None:
        """Trim now and then until cancelled; an outage of the database is waited out."""
        while True:
            await until_back(self._trim_if_ours, service=self._service, task="trim")
            await asyncio.sleep(EVERY_S)

    async def trim_all(self) -> int:
        """Delete all that is old; how many rows."""
        return sum([await self._trim(rule, retention) for rule, retention in self._rules])

    async def _trim_if_ours(self) -> None:
        try:
            if await self._claim.held():
                await self.trim_all()
        finally:
            await self._claim.release()

    async def _trim(self, rule: Rule, retention: timedelta) -> int:
        total, count = 0, AT_ONCE
        while count == AT_ONCE:
            async with self._database.begin() as tx:
                before = await self._database.now(tx) - retention
                count = await trim(tx, rule, before, limit=AT_ONCE)
            metrics.rows_trimmed.labels(rule.table.name).inc(count)
            total += count
            await asyncio.sleep(BREATH_S)
        return total
