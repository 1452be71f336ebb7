"""Answers of plain ASGI apps."""

from collections.abc import Iterable

from shared.http.asgi import Send


async def send_response(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send one whole response from a plain ASGI app."""
    every = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
