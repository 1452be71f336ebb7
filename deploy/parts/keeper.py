"""Keeps a part running: one that ends is started anew, later each time; one that ends again and again is given up,
with its last words.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deploy.parts.process import PartError

MOST_ENDS = 5
WITHIN_S = 60
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_LOOK_AGAIN_S = 0.2
_LINES_SHOWN = 20
_TAIL_BYTES = 16_384


class Part(Protocol):
    """What can be kept running."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""

    @property
    def log(self) -> Path:
        """The file that holds what it said."""

    def start(self) -> object:
        """Start it. Raises PartError."""

    def stop(self) -> None:
        """End it; nothing happens if it does not run."""


class Keeper:
    """Watches the running `part` from `begin` to `end`, in a thread of its own.

    If it ends more than `most_ends - 1` times within 60 s, `give_up` is called once with the reason and the part is
    left alone; None means that it is never given up.
    """

    def __init__(self, name: str, part: Part, give_up: Callable[[str], None], *, most_ends: int | None) -> None:
        self._name = name
        self._part = part
        self._give_up = give_up
        self._most_ends = most_ends
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keep {name}", daemon=True)

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

    def _keep(self) -> None:
        ends: deque[float] = deque()
        while not self._ending.wait(_LOOK_AGAIN_S):
            if self._part.pid is not None:
                continue
            now = time.monotonic()
            ends.append(now)
            while ends[0] < now - WITHIN_S:
                ends.popleft()
            if self._most_ends is not None and len(ends) >= self._most_ends:
                return self._give_up(
                    f"{self._name} ended {len(ends)} times within {WITHIN_S} s, so it is not started again. "
                    f"The end of {self._part.log} says:\n{last_lines(self._part.log) or '(nothing)'}"
                )
            if self._ending.wait(min(_FIRST_PAUSE_S * 2 ** (len(ends) - 1), _LONGEST_PAUSE_S)):
                return None
            # One that can't start has ended once more.
            with suppress(PartError, OSError):
                self._part.start()
        return None


def last_lines(log: Path) -> str:
    """The last 20 lines of a log; "" if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_LINES_SHOWN:])
