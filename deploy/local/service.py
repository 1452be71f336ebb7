"""One of Baton's services as a process, on a port that stays the same over kills and restarts."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from deploy.local.component import Component
from deploy.local.ports import LOOPBACK, exchange
from deploy.local.proxy import Service

ROOT = Path(__file__).parents[2]

_ANSWERS_WITHIN_S = 5


class ServiceProcess(Component):
    """`python -m services.<service>` under the name `name`, with log and process id in `folder`.

    `env` are its settings; it does not inherit ours. It drains within the time that `stop` allows.
    """

    def __init__(self, service: Service, folder: Path, *, name: str, port: int, env: Mapping[str, str]) -> None:
        super().__init__(name, folder)
        self.port = port
        self._command = [sys.executable, "-m", f"services.{service}"]
        self._env = {**env, "BATON_HOST": LOOPBACK, "BATON_PORT": str(port), "PYTHONPATH": str(ROOT)}

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Self:
        """Start it and return without waiting until it is ready. Raises ComponentError if it is already running."""
        self._process.start(self._command, env=self._env, ready=lambda: True, deadline_s=1)
        return self

    def ready(self) -> bool:
        """Whether `/readyz` reports ready; waits at most 5 s for a response."""
        return self.readiness().startswith(b"HTTP/1.1 200")

    def readiness(self) -> bytes:
        """What `/readyz` answers, with its headers; b"" if nothing does within 5 s."""
        request = f"GET /readyz HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode()
        return exchange(self.port, request, timeout_s=_ANSWERS_WITHIN_S)
