"""Bounds the orphans: what waits too long, or beyond the count, is set aside as expired, listed and counted."""

import asyncio
from typing import NoReturn

from services.scoreboard.domain.counters import EXPIRED_ORPHANS, ORPHANS
from services.scoreboard.domain.orphans import OrphanBounds
from services.scoreboard.store import lists, orphans
from shared import log, metrics
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.runtime.backoff import until_back

EVERY_S = 60.0
AT_ONCE = 500


class OrphanExpiry:
    """Expires orphans beyond their bounds, in one process at a time; each process shows the metrics."""

    def __init__(self, database: Database, bounds: OrphanBounds) -> None:
        self._database = database
        self._bounds = bounds
        self._claim = Claim(database, "scoreboard_orphans")
        self._log = log.get("scoreboard")

    async def run(self) -> NoReturn:
        """Look every minute until cancelled. Outages are waited out."""
        while True:
            await until_back(self._look, service="scoreboard", task="orphans")
            await asyncio.sleep(EVERY_S)

    async def _look(self) -> None:
        try:
            if await self._claim.held():
                await self.expire()
        finally:
            await self._claim.release()
        await self.show()

    async def expire(self) -> int:
        """Set aside all that is beyond the bounds, a few at a time; how many."""
        total = 0
        while True:
            async with self._database.begin() as tx:
                now = await self._database.now(tx)
                expired = await orphans.expire_beyond(tx, self._bounds, now, limit=AT_ONCE)
            if not expired:
                return total
            total += len(expired)
            metrics.orphans_expired.inc(len(expired))
            self._log.warning("orphans_expired", count=len(expired), leads=[each.lead_id for each in expired[:10]])

    async def show(self) -> None:
        """Set the metrics, whichever process found what they show."""
        async with self._database.read() as tx:
            now, since = await self._database.now(tx), await orphans.waiting_since(tx)
            waiting, expired = await lists.count(tx, ORPHANS), await lists.count(tx, EXPIRED_ORPHANS)
        metrics.orphans.labels("waiting").set(waiting)
        metrics.orphans.labels("expired").set(expired)
        metrics.orphan_age_s.set((now - since).total_seconds() if since is not None else 0)
