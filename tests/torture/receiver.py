"""A subscriber that stores every delivery and verifies each with an independent library."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from standardwebhooks import Webhook as Verifier

from tests.torture.ledger import Ledger, Webhook


class Receiver:
    """Answers 204 to what verifies under `secret`, 400 to what does not; notes both in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.secret = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until its other end is gone."""
        self._open.add(writer)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                status = b"204 No Content" if self._take(headers, body) else b"400 Bad Request"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    def hang_up(self) -> None:
        """Close what is still connected."""
        for writer in self._open:
            writer.close()

    def _take(self, headers: dict[str, str], body: bytes) -> bool:
        try:
            Verifier(self.secret).verify(body, headers)
            event, verified = json.loads(body), True
        except Exception:
            event, verified = {}, False
        self._ledger.webhooks.append(Webhook(headers.get("webhook-id", ""), event, verified))
        return verified


@asynccontextmanager
async def receiver(ledger: Ledger) -> AsyncIterator[Receiver]:
    """A running receiver on a free port."""
    found = Receiver(ledger)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield found
    finally:
        server.close()
        found.hang_up()
        await server.wait_closed()
