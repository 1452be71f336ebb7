"""Refuses a rejection whose reason may be used only after promised attempts, where it is known that they are missing.

The monitor knows: it has all facts, and knows up to when they are complete. A rejection is refused only once that is
after the moment at which it came in, so that no attempt that was accepted before, by whichever ingest process, is
overlooked. Whenever that is not known in time, the rejection is accepted: facts are never lost over an outage.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import msgspec
from pydantic import SecretStr

from services.ingest.domain.attempts import promise_before, still_missing, too_early
from services.ingest.domain.facts import Activity
from services.ingest.domain.pending_event import PendingEvent
from shared import log, metrics
from shared.domain.agreement import Agreement
from shared.domain.attempts import RecordedAttempts
from shared.ports import Clock
from shared.settings import Settings

Ask = Callable[[str, str], Awaitable[RecordedAttempts | None]]
"""What is recorded on a lead of a promise; None if nothing is promised, as far as is known. Raises `OSError`,
`httpx.HTTPError` or `msgspec.MsgspecError`."""

LONGEST_S = 3.0
"""How long a request waits at most for the facts to be complete, in seconds: a few watermark intervals."""
_AGAIN_S = 0.1
_log = log.get("ingest")


@dataclass(frozen=True, slots=True)
class AttemptsRule:
    """Checks rejections under the agreement in force. Without a way to `ask`, all are accepted."""

    ask: Ask | None
    in_force: Callable[[], Agreement | None]
    repeats: Callable[[Sequence[PendingEvent]], Awaitable[set[str]]]
    clock: Clock

    async def check(
        self, activities: Sequence[Activity], pending: Sequence[PendingEvent], *, listed: bool = False
    ) -> None:
        """Raise `Refused` for the first rejection that comes too early. `pending` are the same activities for the
        spool: what it has already is answered as before. `listed` ones are named by their number.
        """
        agreement = self.in_force()
        if self.ask is None or agreement is None:
            return
        promises = {number: promise_before(agreement, each) for number, each in enumerate(activities)}
        asked = {number: promise for number, promise in promises.items() if promise is not None}
        if not asked:
            return
        known = await self.repeats([pending[number] for number in asked])
        come_in_at, give_up_at = self.clock.now(), self.clock.monotonic() + LONGEST_S
        for number, promise in asked.items():
            if pending[number].repeat_key in known:
                continue
            lead_id, earlier = activities[number].lead_id or "", activities[:number]
            found = await self._missing(lead_id, promise, earlier, come_in_at, give_up_at)
            if found is not None:
                pointer = f"/{number}/reason" if listed else "/reason"
                raise too_early(*found, activities[number].reason or "", pointer=pointer)

    async def _missing(
        self, lead_id: str, promise: str, earlier: Sequence[Activity], come_in_at: datetime, give_up_at: float
    ) -> tuple[RecordedAttempts, int] | None:
        """What is recorded and how many attempts are surely missing; None if none are, or that is not known."""
        assert self.ask is not None  # noqa: S101 (`check` asks)
        why = "the facts were not complete in time"
        while (left_s := give_up_at - self.clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    found = await self.ask(lead_id, promise)
            except (OSError, httpx.HTTPError, msgspec.MsgspecError) as error:
                why = f"the monitor did not answer ({type(error).__name__})"
                break
            if found is None:
                return None
            missing = still_missing(found, lead_id, earlier)
            if missing == 0:
                return None
            if found.complete_until is None:
                why = "it is not known up to when the facts are complete"
                break
            if found.complete_until >= come_in_at:
                return found, missing
            await asyncio.sleep(_AGAIN_S)
        metrics.rejections_unchecked.inc()
        _log.warning("rejection_not_checked", lead_id=lead_id, promise=promise, reason=why)
        return None


class Monitor:
    """Asks the monitor at `url` with the administrator's key. Close it at the end."""

    def __init__(self, url: str, admin_key: SecretStr) -> None:
        headers = {"authorization": f"Bearer {admin_key.get_secret_value()}"}
        self._client = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=LONGEST_S, trust_env=False)

    async def ask(self, lead_id: str, promise: str) -> RecordedAttempts | None:
        """As `Ask` says."""
        answer = await self._client.get(f"/v1/leads/{lead_id}/attempts", params={"promise": promise})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=RecordedAttempts)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def monitor_of(url: str | None, settings: Settings) -> Monitor | None:
    """The monitor at `url`; None without a URL or without an administrator's key."""
    return None if url is None or settings.admin_key is None else Monitor(url, settings.admin_key)
