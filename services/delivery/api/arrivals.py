"""Tells everyone who waits that new events are there: readers of the pull door wait here instead of asking again."""

import asyncio

from shared.runtime.service import WakeUp


class Arrivals(WakeUp):
    """A signal that wakes all waiters. Take `next_one` before looking, so that what comes meanwhile isn't missed."""

    def __init__(self) -> None:
        super().__init__()
        self._coming = asyncio.Event()

    def set(self) -> None:
        """Events were committed."""
        self._coming.set()
        self._coming = asyncio.Event()

    def next_one(self) -> asyncio.Event:
        """What the next `set` sets."""
        return self._coming


async def woken(event: asyncio.Event, timeout_s: float) -> None:
    """Return when the event is set, or after `timeout_s` seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
