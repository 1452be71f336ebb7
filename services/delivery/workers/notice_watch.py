"""Watches over notices: how long the oldest one has been due, and whether what channels need is missing."""

import asyncio
from collections.abc import Callable

from services.delivery.channels.apprise import installed
from services.delivery.domain.channel_needs import missing
from services.delivery.store import notices
from shared import metrics
from shared.agreements import store as agreements
from shared.db.engine import Database
from shared.runtime.backoff import until_back

LOOK_S = 10.0


class NoticeWatch:
    """Looks every ten seconds. `mails` is whether a mail server is configured, `apprise` whether that package is
    installed, and `no_links` why there are no links.
    """

    def __init__(
        self,
        database: Database,
        *,
        mails: bool,
        apprise: Callable[[], bool] = installed,
        no_links: str | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._database = database
        self._mails = mails
        self._apprise = apprise
        self._no_links = no_links
        self._look_s = look_s
        self._note: str | None = None

    def note(self) -> str | None:
        """For readiness: what keeps notices from being sent, or from having links."""
        return self._note

    async def run(self) -> None:
        """Look until cancelled. Waits out outages."""
        while True:
            await until_back(self._look, service="delivery", task="watch_notices")
            await asyncio.sleep(self._look_s)

    async def _look(self) -> None:
        async with self._database.read() as tx:
            now = await self._database.now(tx)
            oldest = await notices.oldest_due(tx, now)
            agreement = await agreements.in_force(tx, now)
        metrics.notices_oldest_due_seconds.set((now - oldest).total_seconds() if oldest is not None else 0.0)
        self._note = None
        if agreement is not None and agreement.channels:
            lacks = missing(agreement, mails=self._mails, apprise=self._apprise())
            self._note = "; ".join(lacks) or self._no_links
