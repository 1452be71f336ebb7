"""Endpoints that answer webhooks with any bytes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Self

from hypothesis import given, settings
from hypothesis import strategies as st

from services.delivery.channels.http_client import HttpClient
from services.delivery.channels.webhook import Webhooks
from services.delivery.domain.retry import SCHEDULE_S, EndpointResponse, next_attempt
from shared.clock import SystemClock
from tests.fuzz.growth import UNITS
from tests.fuzz.strategies import texts
from tests.kit.listening import stop_accepting

_line = st.one_of(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 503 No", b"HTTP/1.1 429 Slow", b"HTTP/1.1 410 Gone", b"HTTP/0.9"]),
    st.integers(-1, 10_000).map(lambda status: b"HTTP/1.1 %d X" % status),
    st.binary(max_size=40),
)
_name = st.sampled_from([b"Retry-After", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Content-Encoding"])
_text = texts.map(lambda text: text.encode(errors="replace")) | st.sampled_from(UNITS).map(lambda unit: unit * 2000)
_asked = st.sampled_from(
    ["Mon, 20 Nov 9999999999 12:00:00 +0000", "Mon, 20 Nov 2026 12:00:00 +9999", "Mon, 31 Dec 9999 23:59:59 -2359",
     "Mon, 1 Jan 0001 00:00:00 +2359", "9" * 400, "1e400", "-1", "", "\u0662", "nan"]
)  # fmt: skip
_later = st.tuples(st.just(b"Retry-After"), (_asked | texts).map(lambda text: text.encode(errors="replace")))
_headers = st.lists(_later, min_size=1, max_size=2) | st.lists(
    st.tuples(_name | st.binary(max_size=9), _text), max_size=5
)
_body = st.binary(max_size=100) | st.sampled_from([b"x" * 100_000, b"ffffffffffffffff\r\n", b"-1\r\n", b"\r\n" * 1000])


class Endpoint:
    """Answers each request with the bytes in `answer`, and then closes the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._server = self._runner.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._client = HttpClient(clock=SystemClock(), resolve=_resolve, allow_loopback=True, deadline_s=3.0)
        self._webhooks = Webhooks(self._client, SystemClock())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.run(stop_accepting(self._server.sockets))
        self._server.close()
        self._runner.run(self._server.wait_closed())
        self._runner.close()

    def post(self) -> EndpointResponse:
        """Send a webhook to it."""
        url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self._runner.run(self._webhooks.post(url, ["whsec_" + "a" * 32], "ev_1", b"{}"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(self.answer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


async def _resolve(host: str, port: int) -> list[str]:
    return [host]


def answer_anything(how: settings) -> None:
    """Any bytes as an endpoint's answer."""

    @how
    @given(_line, _headers, _body)
    def answered(line: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        head = b"".join(b"%s: %s\r\n" % each for each in headers)
        endpoint.answer = line + b"\r\n" + head + b"\r\n" + body
        answer = endpoint.post()
        for attempts in range(1, len(SCHEDULE_S) + 3):
            step = next_attempt(answer, attempts, 0.5)
            assert datetime.now(UTC) + timedelta(seconds=step.wait_s or 0) < datetime.now(UTC) + timedelta(days=2)

    with Endpoint() as endpoint:
        answered()
