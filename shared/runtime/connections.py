"""Limits for every connection, like the reverse proxy's: how much and how slowly a client may send, how slowly it may
read, and how many connections there are. A completely received request is always answered.

uvicorn only limits idle connections between requests: it waits forever for one that sends nothing or half a request,
buffers headers of any size, and its connection limit counts silent connections against active ones.
"""

import asyncio
import heapq
import resource
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http.whole_request import MAX_REST

SWEEP_S = 1.0
BACKLOG = 256
MAX_CONNECTIONS = 4096
_PIECE = 8 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes and seconds. `connections` is the total; one address may have half of them."""

    header_bytes: int = 32 * 1024
    body_bytes: int = MAX_REST
    header_s: float = 10
    body_s: float = 30
    read_s: float = 30
    """How long a client may take to read `read_bytes` of an answer."""
    read_bytes: int = 64 * 1024
    connections: int = MAX_CONNECTIONS


def limits_for_this_process() -> Limits:
    """Raise the limit of open files as far as allowed, and reserve three eighths of it for other files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files = 1_000_000 if hard == resource.RLIM_INFINITY else hard
    return Limits(connections=max(8, min(MAX_CONNECTIONS, files * 5 // 8)))


@dataclass(slots=True)
class Connections:
    """All connections of one server, by the address of the client."""

    limits: Limits
    by_address: dict[str, "set[Connection]"] = field(default_factory=lambda: defaultdict(set))
    count: int = 0

    def add(self, new: "Connection") -> bool:
        """Accept a connection, unless too many are busy.

        At the limit, the connections that have kept us waiting longest are closed.
        """
        of_address = self.by_address[new.address]
        if len(of_address) >= self.limits.connections // 2:
            room = self._make_room(of_address)
        else:
            room = self.count < self.limits.connections or self._make_room(self._all())
        if room:
            self.by_address[new.address].add(new)
            self.count += 1
        return room

    def remove(self, gone: "Connection") -> None:
        """Forget a connection that is closed."""
        of_address = self.by_address[gone.address]
        if gone in of_address:
            of_address.remove(gone)
            self.count -= 1
        if not of_address:
            del self.by_address[gone.address]

    async def sweep(self) -> None:
        """Until cancelled: end connections that are too slow."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = asyncio.get_running_loop().time()
            for connection in self._all():
                connection.end_if_too_slow(now)

    def _all(self) -> "list[Connection]":
        return [each for of_address in self.by_address.values() for each in of_address]

    def _make_room(self, among: "Iterable[Connection]") -> bool:
        waiting = [each for each in among if each.waits_for_client]
        # Several at a time, so that a flood does not cost a search per connection.
        for oldest in heapq.nsmallest(len(waiting) // 16 + 1, waiting, key=lambda each: each.since):
            oldest.end()
            self.remove(oldest)
        return bool(waiting)


class Connection(HttpToolsProtocol):
    """One connection. `since` is when the client's turn began: to send a request, its body, or the next request."""

    address = ""
    since = 0.0
    _shared: Connections
    _part: "str | None" = "headers"  # what the client has to send: "headers", "body", or None when a request is whole
    _received = 0
    _followed: object = None  # the request that `_part` is about
    _unread: "int | None" = None  # bytes of an answer that wait for a slow reader
    _unread_since = 0.0

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shared = connections

    @property
    def waits_for_client(self) -> bool:
        """Whether no completely received request is being answered."""
        return self._part == "body" or self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client has headers' time for its first request."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self.address = self.client[0] if self.client else ""
        if not self._shared.add(self):
            self.refuse(503, b"Service Unavailable")

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the connection to make room."""
        self._shared.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data; headers in pieces, so that oversized ones are not parsed to their end."""
        if len(data) <= _PIECE or self._part == "body":
            self._feed(data)
            return
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            if self._part == "body":
                self._feed(data[start:])
                return
            self._feed(data[start : start + _PIECE])

    def _feed(self, data: bytes) -> None:
        before = self.cycle
        HttpToolsProtocol.data_received(self, data)
        cycle = self.cycle
        begun = cycle is not None and cycle.scope is self.scope
        if begun and not cycle.more_body and (cycle is not before or self._part == "body"):
            self._part = None
        else:
            self._follow("body" if begun and cycle.more_body else "headers", len(data))

    def _follow(self, part: str, size: int) -> None:
        """Part of a request came: see that the rest is neither too large nor too late."""
        if part != self._part or self.scope is not self._followed:
            self._part, self._followed, self._received, self.since = part, self.scope, 0, self.loop.time()
        self._received += size
        if part == "headers" and self._received >= self._shared.limits.header_bytes:
            self.refuse(431, b"Request Header Fields Too Large")
        elif part == "body" and self._received > self._shared.limits.body_bytes:
            self.refuse(413, b"Content Too Large")

    def send_400_response(self, msg: str) -> None:
        """Respond once to data that is not HTTP."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """The client reads more slowly than we answer."""
        self._unread, self._unread_since = self.transport.get_write_buffer_size(), self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read nearly all."""
        self._unread = None
        super().resume_writing()

    def end_if_too_slow(self, now: float) -> None:
        """End it if the client has taken too long to send or to read. The server's own delays don't count."""
        if self._reads_too_slowly(now):
            self.transport.abort()
        elif self._part == "headers" and self.waits_for_client and now - self.since > self._shared.limits.header_s:
            self.refuse(408, b"Request Timeout")
        elif self.flow.read_paused:
            self.since += SWEEP_S
        elif self._part == "body" and now - self.since > self._shared.limits.body_s:
            self.refuse(408, b"Request Timeout")

    def refuse(self, status: int, phrase: bytes) -> None:
        """End it with a status, unless an answer has begun or nothing was asked."""
        if self.transport.is_closing():
            return
        answered = self.cycle is not None and self.cycle.response_started
        asked = self._part == "body" or self._received > 0 or status == 503
        if asked and not (answered and self._part == "body"):
            self.transport.write(b"HTTP/1.1 %d %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % (status, phrase))
        self.end()

    def end(self) -> None:
        """Close it; a request that waits for its body sees a disconnect."""
        self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _reads_too_slowly(self, now: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if self._unread is None:
            # A closed connection waits for its client to read the rest.
            if unread and self.transport.is_closing():
                self._unread, self._unread_since = unread, now
            return False
        if unread <= self._unread - self._shared.limits.read_bytes:
            self._unread, self._unread_since = unread, now
        return now - self._unread_since > self._shared.limits.read_s
