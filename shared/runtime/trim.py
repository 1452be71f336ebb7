"""The task that deletes what a service no longer needs, in short transactions, one process at a time."""

import asyncio
from collections.abc import Sequence

from shared import metrics
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.db.trimming import Rule, trim
from shared.runtime.outage import until_back

EVERY_S = 600.0
AT_ONCE = 500
BREATH_S = 0.02
"""Pause between two transactions, so that those of the service come first."""


class Trimmer:
    """Trims the tables of `service` by `rules`."""

    def __init__(self, database: Database, service: str, rules: Sequence[Rule]) -> None:
        self._database = database
        self._service = service
        self._rules = rules
        self._claim = Claim(database, f"{service}_trim")

    async def run(self) -> None:
        """Trim now and then until cancelled; an outage of the database is waited out."""
        while True:
            await until_back(self._trim_if_ours, service=self._service, task="trim")
            await asyncio.sleep(EVERY_S)

    async def trim_all(self) -> int:
        """Delete all that is old; how many rows."""
        return sum([await self._trim(rule) for rule in self._rules])

    async def _trim_if_ours(self) -> None:
        try:
            if await self._claim.held():
                await self.trim_all()
        finally:
            await self._claim.release()

    async def _trim(self, rule: Rule) -> int:
        total, count = 0, AT_ONCE
        while count == AT_ONCE:
            async with self._database.begin() as tx:
                count = await trim(tx, rule, await self._database.now(tx), limit=AT_ONCE)
            metrics.rows_trimmed.labels(rule.table.name).inc(count)
            total += count
            await asyncio.sleep(BREATH_S)
        return total
