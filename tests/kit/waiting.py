"""Waiting for what becomes true by itself."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


def eventually(holds: Callable[[], bool], within_s: float = 60) -> None:
    """Return once it holds; for tests without an event loop."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not so within {within_s} s"
        time.sleep(0.1)


async def until(
    holds: Callable[[], object | Awaitable[object]], within_s: float = 60, look_again_s: float = 0.01
) -> None:
    """Return once it is true, or what it awaits is. A look that takes long, such as at a page, is taken less often."""
    async with asyncio.timeout(within_s):
        while True:
            began = time.monotonic()
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            # Or the test takes the processor from those whose work it waits for.
            took = time.monotonic() - began
            await asyncio.sleep(max(look_again_s, min(3 * took, 0.05)))


async def until_right(look: Callable[[], Awaitable[str | None]], within_s: float = 60) -> None:
    """Return once `look` finds nothing wrong (None); fail with what it last found wrong."""
    wrong: str | None = "never looked"

    async def right() -> bool:
        nonlocal wrong
        wrong = await look()
        return wrong is None

    try:
        await until(right, within_s)
    except TimeoutError:
        raise AssertionError(wrong) from None
