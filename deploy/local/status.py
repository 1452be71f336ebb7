"""The components of a layout that keep failing, in a file for operators and `./baton doctor`."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shared.whole_file import replace_file


class Status:
    """The file at `path`: each component that keeps failing, with the reason and since when. `warn` gets a line for
    each change. Thread-safe.
    """

    def __init__(self, path: Path, warn: Callable[[str], object]) -> None:
        self._path = path
        self._warn = warn
        self._failing: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def report(self, component: str, reason: str | None) -> None:
        """`component` keeps failing for `reason`, or, if that is None, runs again."""
        with self._lock:
            if reason is None:
                self._failing.pop(component, None)
            else:
                self._failing[component] = {
                    "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "reason": reason,
                }
            self._write()
        self._warn(reason or f"{component} runs again")

    def clear(self) -> None:
        """Nothing is known to fail: the layout starts or ends."""
        with self._lock:
            self._failing.clear()
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        # The disk itself may be full; the line on stderr does not need the file.
        try:
            replace_file(self._path, f"{json.dumps(self._failing, indent=2)}\n".encode())
        except OSError as wrong:
            self._warn(f"{self._path} can't be written ({wrong.strerror})")
