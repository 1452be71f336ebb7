"""A sender as senders are: it reuses connections, and what it does not know to be accepted it sends again."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

_ANSWER_WITHIN_S = 5.0
_PAUSE_S = (0.1, 0.3)
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(AssertionError):
    """A valid item was refused for good."""


class Sender:
    """Posts JSON to the processes of one service on the loopback address, any of `ports` for each try, over at most
    `limit` connections at a time."""

    def __init__(self, ports: Sequence[int], key: str, *, limit: int = 24) -> None:
        self._idle: dict[int, list[_Connection]] = {port: [] for port in ports}
        self._key = key
        self._slots = asyncio.Semaphore(limit)
        self.repeats = 0

    async def until_accepted(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """Send the same bytes until a 2xx comes; its first result. Raises `Refused`."""
        status, answer = await self.until_answered(path, item)
        if not 200 <= status < 300:
            raise Refused(f"{path} answered {status}: {answer.decode()}")
        result: dict[str, Any] = json.loads(answer)["results"][0]
        return result

    async def until_answered(self, path: str, item: dict[str, Any]) -> tuple[int, bytes]:
        """Send the same bytes until the service answers with what repeating would not change; status and body."""
        body = json.dumps(item).encode()
        while True:
            async with self._slots:
                status, answer = await self._tried(path, body)
                if status not in _TRY_AGAIN:
                    return status, answer
                # With its slot in hand: when the service is away, few ask for it at a time.
                self.repeats += 1
                await asyncio.sleep(random.uniform(*_PAUSE_S))

    async def close(self) -> None:
        """Close all connections."""
        for idle in self._idle.values():
            for _, writer in idle:
                writer.close()
            idle.clear()

    async def _tried(self, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await self._exchange(path, body)
        except (OSError, EOFError, TimeoutError):
            return 503, b""

    async def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        port, idle = random.choice(list(self._idle.items()))
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        try:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answered = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answered.partition("content-length:")[2].partition("\r\n")[0])
            answer = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if "connection: close" in answered:
            writer.close()
        else:
            idle.append((reader, writer))
        return int(answered.split(" ", 2)[1]), answer
