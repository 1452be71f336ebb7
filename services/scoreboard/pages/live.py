"""Tells open pages that something changed, at most twice a second, whichever process of the scoreboard handled it.

The number of handled events in the database is the only truth: a commit in this process makes us look at once, and
while someone listens we look every second for what others committed.
"""

import asyncio
from collections.abc import AsyncGenerator

from services.scoreboard.store import queries
from shared.db.engine import Database
from shared.domain.errors import Unavailable
from shared.runtime.outage import until_back
from shared.runtime.wakeup import WakeUp, WakeUps

POLL_S = 1.0
QUIET_S = 0.5
KEEP_ALIVE_S = 15.0
MAX_LISTENERS = 200
_HELLO = b"retry: 1000\n\nevent: changed\ndata: {}\n\n"
_CHANGED = b"event: changed\ndata: {}\n\n"
_STILL_HERE = b": still here\n\n"


class Live:
    """The listeners of this process. `committed` is set by its consumer after each commit."""

    def __init__(self, database: Database, committed: WakeUp) -> None:
        self._database = database
        self._committed = committed
        self._listeners = WakeUps()
        self._seen = -1
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many pages listen now."""
        return len(self._listeners)

    async def run(self) -> None:
        """Look and tell until cancelled; an outage of the database is waited out."""
        while True:
            await self._committed.wait(POLL_S)
            if not self._listeners:
                continue
            handled = await until_back(self._handled, service="scoreboard", task="live")
            if handled != self._seen:
                self._seen = handled
                self._listeners.set()
                await asyncio.sleep(QUIET_S)

    async def _handled(self) -> int:
        async with self._database.read() as tx:
            return await queries.events_handled(tx)

    def make_room(self) -> None:
        """Raise `Unavailable` when as many pages listen as we can serve."""
        if len(self._listeners) >= MAX_LISTENERS:
            raise Unavailable("Too many pages are open. Close one, or reload this page now and then.", retry_after_s=30)

    def close(self) -> None:
        """End all streams, so that a stopping server need not wait for them; pages reconnect to whoever is next."""
        self._closed = True
        self._listeners.set()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events: `changed` at once (a page that reconnects may have missed one) and after each change."""
        with self._listeners.listen() as changed:
            yield _HELLO
            while not self._closed:
                yield _CHANGED if await changed.wait(KEEP_ALIVE_S) else _STILL_HERE
