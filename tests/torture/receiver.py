"""Who gets what Baton sends: a subscriber, and the people whom it notifies. Both store everything that arrives and
verify it with an independent library; a share of the answers to the people's messages is lost."""

import asyncio
import base64
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from standardwebhooks import Webhook as Verifier

from tests.kit.listening import stop_accepting
from tests.torture.ledger import Ledger, Receipt, Webhook

SECRET = "whsec_" + base64.b64encode(b"torture-notices-of-no-value").decode()
"""The secret of the channels over which people are notified."""

_UNANSWERED_OF = 4
_COUNT = re.compile(r"\b(\d+) (?:leads|promises)")


class Receiver:
    """Answers 204 to what verifies under `secret`, 400 to what does not; notes both in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
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
                status = self.take(headers, body)
                if status is None:
                    break
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    def hang_up(self) -> None:
        """Close what is still connected."""
        for writer in self._open:
            writer.close()

    def take(self, headers: dict[str, str], body: bytes) -> bytes | None:
        """Note what arrived; the status to answer with, or None to hang up instead."""
        event = self.verified(headers, body)
        self.ledger.webhooks.append(Webhook(headers.get("webhook-id", ""), event or {}, event is not None))
        return b"400 Bad Request" if event is None else b"204 No Content"

    def verified(self, headers: dict[str, str], body: bytes) -> Mapping[str, str] | None:
        """The content; None if its signature is wrong."""
        try:
            Verifier(self.secret).verify(body, headers)
            content: Mapping[str, str] = json.loads(body)
        except Exception:
            return None
        return content


class People(Receiver):
    """Those who are notified: the first time that they get one of some messages, they hang up."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.secret = SECRET
        self._hung_up: set[str] = set()

    def take(self, headers: dict[str, str], body: bytes) -> bytes | None:
        """Note what arrived; the status to answer with, or None to hang up instead."""
        content, message_id = self.verified(headers, body), headers.get("webhook-id", "")
        hangs_up = zlib.crc32(message_id.encode()) % _UNANSWERED_OF == 0 and message_id not in self._hung_up
        self.ledger.receipts.append(receipt(message_id, content, datetime.now(UTC), answered=not hangs_up))
        if hangs_up:
            self._hung_up.add(message_id)
            return None
        return b"400 Bad Request" if content is None else b"204 No Content"


def receipt(message_id: str, content: Mapping[str, str] | None, at: datetime, *, answered: bool) -> Receipt:
    """What arrived, as the ledger has it: a message about several promises says about how many."""
    said = content or {}
    of = _COUNT.search(said.get("headline", ""))
    verified = content is not None and said.get("id") == message_id
    count = int(of[1]) if of is not None else 1
    return Receipt(at, message_id, said.get("kind", ""), said.get("role", ""), count, verified, answered)


@asynccontextmanager
async def receiver(ledger: Ledger) -> AsyncIterator[Receiver]:
    """A running subscriber on a free port."""
    async with _serving(Receiver(ledger)) as found:
        yield found


@asynccontextmanager
async def people(ledger: Ledger) -> AsyncIterator[Receiver]:
    """The running end of the channels over which people are notified."""
    async with _serving(People(ledger)) as found:
        yield found


@asynccontextmanager
async def _serving(found: Receiver) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield found
    finally:
        await stop_accepting(server.sockets)
        server.close()
        found.hang_up()
        await server.wait_closed()
