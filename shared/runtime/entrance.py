"""The process's one ASGI app: from the first instant it answers the probes, and says what the start still waits for."""

import msgspec

from shared.domain.errors import Unavailable
from shared.http.asgi import ASGIApp, Receive, Scope, Send
from shared.http.problems import document, problem_headers
from shared.http.responses import send_response

_JSON = ((b"content-type", b"application/json"),)


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
        reason = self.waits_for or "starting"
        if path == "/healthz":
            await send_response(send, 200, msgspec.json.encode({"status": "ok"}), _JSON)
        elif path == "/readyz":
            found = {"ready": False, "checks": {"started": reason}, "notes": {}}
            await send_response(send, 503, msgspec.json.encode(found), _JSON)
        else:
            starting = Unavailable("This service is starting; nothing was stored. Send it again.", retry_after_s=2)
            await send_response(send, 503, document(starting), problem_headers(starting))
