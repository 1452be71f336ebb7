"""The process's ASGI app. It answers the probes from the start, and says what the startup is waiting for."""

import msgspec

from shared.domain.errors import Unavailable
from shared.http.asgi import ASGIApp, Receive, Scope, Send, send_json
from shared.http.probes import ALIVE, READY, Health, Readiness
from shared.http.problems import send_problem


class Entrance:
    """Passes requests on to `web` once that is set. Until then `/healthz` is 200 and everything else 503, with
    `waits_for` as the reason.
    """

    def __init__(self) -> None:
        self.web: ASGIApp | None = None
        self.waits_for: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self.web is not None:
            await self.web(scope, receive, send)
        elif scope["type"] == "http":
            await self._not_yet(scope["path"], send)

    async def _not_yet(self, path: str, send: Send) -> None:
        if path == ALIVE:
            await send_json(send, 200, msgspec.json.encode(Health()))
        elif path == READY:
            found = Readiness(ready=False, checks={"started": self.waits_for or "starting"})
            await send_json(send, found.status, msgspec.json.encode(found))
        else:
            starting = Unavailable("This service is starting; nothing was stored. Send it again.", retry_after_s=2)
            await send_problem(send, starting)
