"""Calls a URL as long as all is well, so that another system notices when it is not (a dead man's switch).

All is well if the last audit was clean and is recent. The scoreboard audits, the monitor has to give verdicts for an
audit to be clean, and delivery calls: whichever of them stops, the calls stop.
"""

import asyncio
from datetime import timedelta
from typing import NoReturn

from pydantic import SecretStr

from services.delivery.channels.http_client import HttpClient, Request
from services.delivery.store.audits import last_clean
from shared import log, metrics
from shared.db.claim import Claim
from shared.db.engine import Database
from shared.runtime.backoff import until_back

_HEADERS = ((b"content-type", b"text/plain"), (b"user-agent", b"Baton/1 (heartbeat)"))


class Heartbeat:
    """Posts to `url` every `every_s` seconds, in one process at a time, while the last audit was clean and ended at
    most `recent_s` seconds ago. The URL is a secret.
    """

    def __init__(
        self, database: Database, http: HttpClient, url: SecretStr | None, *, every_s: float, recent_s: float
    ) -> None:
        self._database = database
        self._http = http
        self._url = url
        self._every_s = every_s
        self._recent = timedelta(seconds=recent_s)
        self._claim = Claim(database, "delivery_heartbeat")
        self._note: str | None = None
        self._log = log.get("delivery")

    def note(self) -> str | None:
        """For readiness: why the URL is not called, or did not take the call."""
        return self._note

    async def run(self) -> NoReturn:
        """Call until cancelled; without a URL, do nothing. Outages of the database are waited out."""
        while True:
            if self._url is not None:
                await until_back(self.beat, service="delivery", task="heartbeat")
            await asyncio.sleep(self._every_s)

    async def beat(self) -> None:
        """Call once if all is well, and if this is the process that calls."""
        try:
            if await self._claim.held():
                await self._call()
        finally:
            await self._claim.release()

    async def _call(self) -> None:
        assert self._url is not None  # noqa: S101 (`run` asks)
        async with self._database.read() as tx:
            now, clean_at = await self._database.now(tx), await last_clean(tx)
        if clean_at is None or clean_at < now - self._recent:
            self._say("withheld", "the heartbeat is withheld: the last audit of promises is not clean, or too old")
            return
        answer = await self._http.post(Request(self._url.get_secret_value(), b"", _HEADERS))
        if answer.status is not None and answer.status < 300:
            metrics.heartbeats.labels("sent").inc()
            self._note = None
            return
        why = f"it answered {answer.status}" if answer.status is not None else answer.problem
        self._say("failed", f"the heartbeat did not arrive: {why}. Check BATON_DELIVERY_HEARTBEAT_URL")

    def _say(self, outcome: str, note: str) -> None:
        metrics.heartbeats.labels(outcome).inc()
        if self._note != note:
            self._log.error(f"heartbeat_{outcome}", reason=note)
        self._note = note
