"""What the hot endpoints share: reading a request with limits, and answering with a problem document.

Plain ASGI on purpose; a framework route costs half the rate. A body is counted while it streams in and must be
complete within a deadline, so neither a large nor a slow sender can hold anything for long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from shared import log, metrics
from shared.domain.errors import Problem, Unavailable
from shared.http.asgi import ASGIApp, Receive, Scope, Send, send_response
from shared.http.problems import WrongMedia, document, problem_headers

LARGEST_BODY = 1024 * 1024
LARGEST_ITEM = 256 * 1024
"""In bytes; one event has to fit into one record of the log (1 MiB on Kafka unless raised), also as base64."""
BODY_S = 10.0
_LONGEST_LENGTH = 18


class TooLarge(Problem):
    """More than we take at a time."""

    status = 413
    title = "Too large"


class TooSlow(Problem):
    """The body did not arrive in time."""

    status = 408
    title = "Too slow"


class WrongMethod(Problem):
    """The path is right, the method is not."""

    status = 405
    title = "Not this method"

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"This endpoint does not take {method}. Use {allow}.")
        self.allow = allow


class Request:
    """One request: method, path, headers (lower-case names, bytes), and the body once read."""

    __slots__ = ("_late", "_receive", "_scope", "headers", "method", "path")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._late = False
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])

    def header(self, name: bytes) -> str | None:
        """A header as text."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self) -> Mapping[str, str]:
        """The query's parameters, the last of each name."""
        return dict(parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True))

    def media_type(self) -> str:
        """The content type without parameters, lower case; "" when none is given."""
        return self.headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower().decode("latin-1")

    async def body(self, max_bytes: int = LARGEST_BODY) -> bytes:
        """The whole body. Raises `TooLarge`, `TooSlow` and `WrongMedia` (for a compressed one)."""
        if b"content-encoding" in self.headers and self.headers[b"content-encoding"].lower() != b"identity":
            raise WrongMedia("Send the body uncompressed, without Content-Encoding.")
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and (len(length) > _LONGEST_LENGTH or int(length) > max_bytes):
            raise _too_large(max_bytes)
        # As asyncio.timeout, which takes 3.7 us of a request's 45; this takes 1.
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (an endpoint runs in a task)
        deadline = asyncio.get_running_loop().call_later(BODY_S, self._give_up, task)
        try:
            return await self._whole(max_bytes)
        except asyncio.CancelledError:
            if not self._late or task.uncancel() > 0:
                raise
            raise TooSlow(f"The body was not complete after {BODY_S:.0f} seconds. Send it again.") from None
        finally:
            deadline.cancel()

    def _give_up(self, task: "asyncio.Task[Any]") -> None:
        self._late = True
        task.cancel()

    async def _whole(self, max_bytes: int) -> bytes:
        message = await self._receive()
        chunk: bytes = message.get("body", b"")
        if not message.get("more_body") and message["type"] == "http.request":
            return chunk
        chunks, size = [chunk], len(chunk)
        while message.get("more_body"):
            message = await self._receive()
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
        if message["type"] == "http.disconnect":
            raise TooSlow("The connection was closed before the body was complete.")
        return b"".join(chunks)


Serve = Callable[[Request, Send], Awaitable[None]]
SendProblem = Callable[[Request, Send, Problem], Awaitable[None]]


def endpoint(serve: Serve, report: SendProblem | None = None) -> ASGIApp:
    """An ASGI app from `serve`. Its errors are sent with `report`, or as a problem document."""
    logger = log.get("ingest")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await serve(request, send)
        except Problem as problem:
            await (report or send_problem)(request, send, problem)
        except Exception as bug:
            logger.error("request_failed", path=request.path.split("/")[2:3], exc_info=bug)
            ours = Unavailable("Internal error; see the log. Nothing was partially applied. Send the request again.")
            await (report or send_problem)(request, send, ours)

    return app


async def send_problem(request: Request, send: Send, problem: Problem) -> None:
    """Respond with the problem document. The connection of a body that came too slowly is closed."""
    metrics.payloads_refused.labels(str(problem.status)).inc()
    headers = problem_headers(problem)
    if isinstance(problem, WrongMethod):
        headers.append((b"allow", problem.allow.encode()))
    if isinstance(problem, TooSlow):
        headers.append((b"connection", b"close"))
    body = b"" if request.method == "HEAD" else document(problem)
    await send_response(send, problem.status, body, headers)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"At most {max_bytes // 1024} KiB are taken at a time. Send it in smaller parts.")
