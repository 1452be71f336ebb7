"""Keeps a component running: restarts it after a growing delay for as long as the layout runs."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from deploy.local.component import Component
from deploy.local.process import ComponentError, end_of

FAILING_AFTER_ENDS = 3
STEADY_S = 60
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_LOOK_AGAIN_S = 0.2


class Supervisor:
    """Watches `component` from `begin` to `end` in its own thread, and restarts it when it exits.

    A component that exited three times without running for `steady_s` seconds in between is failing: `report` is called
    with its name and the reason, and with None once it has run that long. Restarting never stops, because the cause (a
    full disk, for example) may be fixed at any time.
    """

    def __init__(
        self, name: str, component: Component, report: Callable[[str, str | None], None], *, steady_s: float = STEADY_S
    ) -> None:
        self._name = name
        self._part = component
        self._report = report
        self._steady_s = steady_s
        self._ends = 0
        self._up_since = time.monotonic()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"keep {name}", daemon=True)

    def begin(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def end(self) -> None:
        """Stop the part and the watching; afterwards neither runs."""
        self._ending.set()
        self._part.stop()
        # A start that was under way fails when its process is gone.
        while self._thread.is_alive():
            self._thread.join(_LOOK_AGAIN_S)
            self._part.stop()

    def _supervise(self) -> None:
        while not self._ending.wait(_LOOK_AGAIN_S):
            if self._part.pid is None:
                self._start_again()
            elif self._ends and time.monotonic() - self._up_since > self._steady_s:
                if self._ends >= FAILING_AFTER_ENDS:
                    self._report(self._name, None)
                self._ends = 0

    def _start_again(self) -> None:
        self._ends += 1
        if self._ends == FAILING_AFTER_ENDS:
            self._report(
                self._name,
                f"{self._name} keeps ending ({self._ends} times so far). It is started again and again. "
                f"{end_of(self._part.log)}",
            )
        if self._ending.wait(min(_FIRST_PAUSE_S * 2 ** min(self._ends - 1, 10), _LONGEST_PAUSE_S)):
            return
        # One that can't start has ended once more.
        with suppress(ComponentError, OSError):
            self._part.start()
        self._up_since = time.monotonic()
