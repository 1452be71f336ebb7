"""SQLite without the thread that aiosqlite has for each connection."""

from asyncio import Future
from collections.abc import Callable
from typing import Any

import pytest
from aiosqlite import core


class _AtOnce:
    """Runs what is put in before it returns, in the caller's thread; there is nothing to get."""

    def put_nowait(self, item: tuple[Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        try:
            result = function()
        except Exception as error:
            if future is None:
                raise
            future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)

    def get(self) -> tuple[None, Callable[[], object]]:
        return None, lambda: core._STOP_RUNNING_SENTINEL


def statements_run_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let each statement of connections that are opened from now on run in the event loop's thread.

    Going to another thread and back takes longer than a small statement does. Nothing else runs meanwhile.
    """
    patch.setattr(core, "SimpleQueue", _AtOnce)
