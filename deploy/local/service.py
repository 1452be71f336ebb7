"""One of Baton's services as a process of its own, on a port of its own that stays the same however often it is
killed and started.
"""

import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from deploy.local.ports import LOOPBACK, exchange
from deploy.local.process import Process
from deploy.local.proxy import Service

ROOT = Path(__file__).parents[2]

# Longer than a service drains.
_STOPPED_WITHIN_S = 15
_ANSWERS_WITHIN_S = 5


class ServiceProcess:
    """`python -m services.<service>` under the name `name`, with log and process id in `folder`.

    `env` are its settings; none of ours reach it. All methods may be called from any thread.
    """

    def __init__(self, service: Service, folder: Path, *, name: str, port: int, env: Mapping[str, str]) -> None:
        self.name = name
        self.port = port
        self._command = [sys.executable, "-m", f"services.{service}"]
        self._env = {**env, "BATON_HOST": LOOPBACK, "BATON_PORT": str(port), "PYTHONPATH": str(ROOT)}
        self._process = Process(name, folder)
        # A kill that still tidies up must not meet the start that follows it.
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """The file that holds what it said."""
        return self._process.log

    @property
    def pid(self) -> int | None:
        """Its process id while it runs (paused counts), else None."""
        with self._lock:
            return self._process.pid

    def start(self) -> Self:
        """Start it and return at once: it is not ready yet. Raises PartError if it runs already."""
        with self._lock:
            self._process.start(self._command, env=self._env, ready=lambda: True, deadline_s=1)
        return self

    def ready(self) -> bool:
        """Whether `/readyz` says so now; waits at most 5 s for an answer."""
        return self.readiness().startswith(b"HTTP/1.1 200")

    def readiness(self) -> bytes:
        """What `/readyz` answers, with its headers; b"" if nothing does within 5 s."""
        request = f"GET /readyz HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode()
        return exchange(self.port, request, timeout_s=_ANSWERS_WITHIN_S)

    def stop(self) -> None:
        """Ask it to drain and end; SIGKILL after 15 s."""
        with self._lock, suppress(psutil.NoSuchProcess):
            self._process.stop(deadline_s=_STOPPED_WITHIN_S)

    def kill(self) -> None:
        """SIGKILL, as a crash would; returns when it is gone."""
        with self._lock:
            self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        with self._lock:
            self._process.pause()

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        with self._lock:
            self._process.resume()
