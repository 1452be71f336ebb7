"""The reverse proxy on this machine: Caddy from a wheel with `deploy/Caddyfile`, so that the separate services have
one address, as in containers.
"""

import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from deploy.local.component import Component
from deploy.local.ports import LOOPBACK, exchange, free_ports, refuse_taken
from deploy.local.process import ComponentError

Service = Literal["ingest", "router", "sla_monitor", "delivery", "scoreboard"]

CADDYFILE = Path(__file__).parent.parent / "Caddyfile"

_READY_WITHIN_S = 20


class ReverseProxy(Component):
    """One address for the services in `upstreams`, each given as `host:port`. Log and Caddy's own files are in
    `folder`.

    A service that is not among them, or does not answer, is 503 at its paths. The port is a free one unless given.
    """

    def __init__(
        self, folder: Path, upstreams: Mapping[Service, str], *, host: str = LOOPBACK, port: int | None = None
    ) -> None:
        super().__init__("front", folder.resolve())
        self.port = port or free_ports(1)[0]
        self._host = host
        self._folder = folder.resolve()
        self._upstreams = dict(upstreams)

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Self:
        """Start it and return when `/healthz` answers. Raises ComponentError if the port is taken or it is not ready
        within 20 s.
        """
        refuse_taken("front", self.port)
        self._folder.mkdir(parents=True, exist_ok=True)
        unused = f"{LOOPBACK}:1"
        services: tuple[Service, ...] = ("ingest", "router", "sla_monitor", "delivery", "scoreboard")
        upstreams = {f"FRONT_{name.upper()}": self._upstreams.get(name, unused) for name in services}
        self._process.start(
            [_caddy(), "run", "--config", CADDYFILE, "--adapter", "caddyfile"],
            env={
                "FRONT_HOST": self._host,
                "FRONT_PORT": str(self.port),
                # Where Caddy would otherwise write into the user's home.
                "XDG_CONFIG_HOME": str(self._folder),
                "XDG_DATA_HOME": str(self._folder),
                **upstreams,
            },
            ready=self._answers,
            deadline_s=_READY_WITHIN_S,
        )
        return self

    def _answers(self) -> bool:
        request = b"GET /healthz HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n"
        return exchange(self.port, request, timeout_s=1).startswith(b"HTTP/1.1 200")


def _caddy() -> str:
    found = shutil.which("caddy", path=sysconfig.get_path("scripts")) or shutil.which("caddy")
    if found is None:
        raise ComponentError("front", "the program caddy is not installed. Install requirements-dev.lock.")
    return found
