"""Subscribers for tests: real HTTP receivers on free ports, and events to send them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from shared.bus.envelope import Envelope
from shared.runtime.serving import IDLE_S
from tests.kit import events
from tests.kit.events import envelope
from tests.kit.listening import stop_accepting


@dataclass(frozen=True)
class Seen:
    """One request that a receiver got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = int | tuple[int, Mapping[str, str]] | tuple[int, Mapping[str, str], bytes]


@dataclass
class Receiver:
    """A receiver that answers with `reply`: a status, alone or with headers and a body; it may take its time."""

    url: str
    reply: Callable[[Seen], Awaitable[Reply]]
    seen: list[Seen] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def got(self, count: int, timeout_s: float = 60) -> list[Seen]:
        """All requests, once there are at least `count`."""
        async with asyncio.timeout(timeout_s), self.news:
            await self.news.wait_for(lambda: len(self.seen) >= count)
        return list(self.seen)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI app."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = Seen(scope["path"], headers, body)
        async with self.news:
            self.seen.append(seen)
            self.news.notify_all()
        answer = await self.reply(seen)
        status, extra, *bodies = answer if isinstance(answer, tuple) else (answer, {})
        content = b"".join(bodies)
        length = {"content-length": str(len(content))}
        raw = [(name.encode(), value.encode()) for name, value in {**length, **extra}.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})


def replies(*statuses: Reply) -> Callable[[Seen], Awaitable[Any]]:
    """Give these answers one after the other; the last one for good."""
    left = list(statuses)

    async def reply(_seen: Seen) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return reply


@contextlib.asynccontextmanager
async def receiving(*statuses: Reply, port: int = 0) -> AsyncIterator[Receiver]:
    """A running receiver with these answers, on a free port unless one is given; change its `reply` for others."""
    receiver = Receiver("", replies(*statuses or (200,)))
    async with serving(receiver.app, socket.create_server(("127.0.0.1", port))) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """An ASGI app on the listener, or else on a free port of this machine; its URL."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        interface="asgi3",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=IDLE_S,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await stop_accepting([listener])
        server.should_exit = True
        await running
        listener.close()


def assigned(number: int) -> Envelope:
    """A lead that was given to someone; the same number is the same event."""
    return envelope(events.assigned(f"lead-{number}"), source="baton/router")


def opened(number: int) -> Envelope:
    """A promise that began to run."""
    return envelope(events.opened(f"lead-{number}"), source="baton/sla_monitor")


def move_requested(number: int) -> Envelope:
    """A request among our own services, on a public topic."""
    return envelope(events.move_requested(f"lead-{number}"), source="baton/sla_monitor")
