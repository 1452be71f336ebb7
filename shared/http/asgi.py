"""Plain ASGI apps: their types, where they are served, and how they answer."""

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A plain ASGI app that is served at a path.

    `routed` are methods that the framework's routes answer at the same path. `any_site` lets pages of other sites post
    to it.
    """

    app: ASGIApp
    routed: Collection[str] = ()
    any_site: bool = False


async def send_response(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send one whole response from a plain ASGI app."""
    every = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, body: bytes) -> None:
    """Send an encoded JSON value from a plain ASGI app."""
    await send_response(send, status, body, [(b"content-type", b"application/json")])
