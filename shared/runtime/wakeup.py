"""Wakes what waits in this process: "something was committed", "something is due"."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class WakeUp:
    """Wakes one waiting task, and remembers it while none waits."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the waiter, now or when it next waits."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Return True when set (and clear it), or False after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


def wake(waiting: Iterable[WakeUp]) -> None:
    """Wake all of them."""
    for each in waiting:
        each.set()


class WakeUps(WakeUp):
    """Wakes every task that listens."""

    def __init__(self) -> None:
        super().__init__()
        self._listening: set[WakeUp] = set()

    def set(self) -> None:
        """Wake all listeners, each now or when it next waits."""
        wake(self._listening)

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listening)

    @contextmanager
    def listen(self) -> Iterator[WakeUp]:
        """What wakes this listener. Listen before looking, so that what comes in between isn't missed."""
        mine = WakeUp()
        self._listening.add(mine)
        try:
            yield mine
        finally:
            self._listening.discard(mine)
