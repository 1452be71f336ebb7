"""A CRM for tests: a real HTTP server that verifies every webhook with an independent library and stores it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from standardwebhooks import Webhook

from tests.kit.listening import stop_accepting


@dataclass
class Crm:
    """What arrived, in order; `secret` is set once the subscription exists."""

    url: str
    secret: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def receive(self, headers: dict[str, str], body: bytes) -> int:
        """Take one delivery; 400 when its signature does not verify."""
        try:
            Webhook(self.secret).verify(body.decode(), headers)
        except Exception as error:
            self.wrong.append(repr(error))
            return 400
        async with self._news:
            if headers["webhook-id"] not in self.ids:
                self.ids.append(headers["webhook-id"])
                self.events.append(json.loads(body))
            self._news.notify_all()
        return 204

    async def got(self, kind: str, lead_id: str, *, within_s: float = 60) -> dict[str, Any]:
        """The first event of this kind on this lead, awaited."""
        event: dict[str, Any] = await self.until(lambda: next(iter(self.about(lead_id, kind)), None), within_s=within_s)
        return event

    def about(self, lead_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """What arrived so far on a lead."""
        return [e for e in self.events if e["subject"] == lead_id and (kind is None or e["type"] == kind)]

    async def until(self, found: Callable[[], Any], *, within_s: float) -> Any:
        """Wait for deliveries until `found` gives something."""
        async with asyncio.timeout(within_s), self._news:
            while (result := found()) is None:
                await self._news.wait()
            return result


@asynccontextmanager
async def crm() -> AsyncIterator[Crm]:
    """A running receiver on a free port."""
    box: dict[str, Crm] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = await box["crm"].receive(headers, body)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    box["crm"] = Crm(f"http://127.0.0.1:{port}/hook")
    yield box["crm"]
    await stop_accepting(server.servers[0].sockets)
    server.should_exit = True
    await serving
