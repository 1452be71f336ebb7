"""Waits out an outage: a step is tried again, after growing pauses, until the database and the log are back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared import log, metrics
from shared.db.outages import is_outage
from shared.domain.errors import Unavailable

T = TypeVar("T")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0


def is_away(error: BaseException) -> bool:
    """Whether the error means that the database, the log or another dependency is down."""
    return isinstance(error, Unavailable) or is_outage(error)


class Pauses:
    """The pauses between one failure and the next try: `first_s` seconds, then twice as long each time."""

    def __init__(self, first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> None:
        self._first_s = self._next_s = first_s
        self._longest_s = longest_s

    def next_s(self) -> float:
        """How long to pause now, in seconds."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s

    def reset(self) -> None:
        """All went well: begin with the first pause again."""
        self._next_s = self._first_s


async def until_back(
    step: Callable[[], Awaitable[T]], *, service: str, task: str, longest_s: float = LONGEST_PAUSE_S
) -> T:
    """What `step` returns, once it returns. An outage is logged, shown as a metric and waited out; any other error is
    raised.

    `step` must have changed nothing when it raises. No pause is longer than `longest_s` seconds.
    """
    pauses = Pauses(longest_s=longest_s)
    waiting = metrics.task_waits.labels(service, task)
    while True:
        try:
            found = await step()
        except Exception as error:
            if not is_away(error):
                raise
            waiting.set(1)
            log.get(service).warning("task_waits", task=task, reason=reason(error))
            await asyncio.sleep(pauses.next_s())
        else:
            waiting.set(0)
            return found


def reason(error: BaseException) -> str:
    """The outage in a few words, without the data."""
    if isinstance(error, Unavailable):
        return error.detail
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__
