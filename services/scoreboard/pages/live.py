"""Notifies open pages of changes, at most twice a second, no matter which scoreboard process handled the event.

The number of handled events in the database decides. It is checked after each commit of this process and, while a page
is open, every second for commits of other processes.
"""

import asyncio
from collections.abc import AsyncGenerator

from services.scoreboard.store import queries
from shared.db.engine import Database
from shared.domain.errors import Unavailable
from shared.runtime.backoff import until_back
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
        """Check and notify until cancelled. Waits out outages of the database."""
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
            raise Unavailable("Too many pages are open. Close one, or reload this page to update it.", retry_after_s=30)

    def close(self) -> None:
        """End all streams, so that a stopping server does not wait for them; pages reconnect."""
        self._closed = True
        self._listeners.set()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events: `changed` immediately (a reconnecting page may have missed one) and after each change."""
        with self._listeners.listen() as changed:
            yield _HELLO
            while not self._closed:
                yield _CHANGED if await changed.wait(KEEP_ALIVE_S) else _STILL_HERE
