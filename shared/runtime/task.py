"""Supervises a service's task: a failed task is restarted, and readiness says so.

No input from outside may end a task. If one does anyway, only this task is down for a moment; the others of the process
continue, above all the endpoints that receive leads.
"""

import asyncio

from shared import log, metrics
from shared.runtime.backoff import Pauses, is_away, reason
from shared.runtime.service import Run

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""A task that ran so long since it last failed is well again."""


class Task:
    """The task `name` of a process; `run` starts `work` again whenever it fails."""

    def __init__(self, name: str, work: Run) -> None:
        self.name = name
        self._work = work
        self._failure: str | None = None
        self._well_at = 0.0
        self._log = log.get("runtime")

    async def run(self) -> None:
        """Until cancelled, or until the work is done."""
        pauses, clock = Pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S), asyncio.get_running_loop()
        while True:
            began = clock.time()
            try:
                return await self._work()
            except Exception as error:
                if clock.time() - began > STEADY_S:
                    pauses.reset()
                pause_s = pauses.next_s()
                self._failure = reason(error) if is_away(error) else type(error).__name__
                self._well_at = clock.time() + pause_s + STEADY_S
                metrics.task_failures.labels(self.name).inc()
                self._log.error("task_failed", task=self.name, again_in_s=pause_s, exc_info=error)
            await asyncio.sleep(pause_s)

    async def check(self) -> str | None:
        """Readiness: what it failed with last, until it has run for a while."""
        if self._failure is not None and asyncio.get_running_loop().time() >= self._well_at:
            self._failure = None
        return f"the task failed ({self._failure}) and is started again; the log has more" if self._failure else None
