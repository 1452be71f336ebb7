"""The pull feed: events in order after a cursor, as pages, by long poll, or as server-sent events.

A reader that keeps its cursor misses nothing and needs no endpoint of its own. Items are the very bytes that webhooks
carry.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from services.delivery.domain.event_types import types_of, vet_patterns
from services.delivery.store.events import StoredEvent, events_after
from shared.db.engine import Database
from shared.domain.errors import Unavailable
from shared.http.auth import require
from shared.http.cursor import read_position
from shared.http.fields import Cursor, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import json_response
from shared.runtime.wakeup import WakeUps

LOOK_S = 1.0
KEEPALIVE_S = 15.0
MAX_WAITING = 200
_STREAM = "text/event-stream"
Types = frozenset[str]


class EventPage(msgspec.Struct, frozen=True):
    """Events as webhooks carry them; `next` is the cursor of the next call."""

    items: list[msgspec.Raw]
    next: str


class EventRoutes:
    """Serves readers. `arrivals` is set when this process commits events; those of other processes are polled for once
    a second.
    """

    def __init__(self, *, database: Database, keys: Keys, arrivals: WakeUps) -> None:
        self._database = database
        self._keys = keys
        self._arrivals = arrivals
        self._waiting = 0
        self._closed = False

    def close(self) -> None:
        """End all waiting and all streams; readers come back with their cursor."""
        self._closed = True
        self._arrivals.set()

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter(prefix="/v1", tags=["delivery"], dependencies=[require(self._keys, "events:read")])
        router.get("/events", responses={200: {"content": {"application/json": {}, _STREAM: {}}}}, response_model=None)(
            self.events
        )
        return router

    async def events(
        self,
        after: Cursor | None = None,
        types: Text = "*",
        limit: Limit = 50,
        wait: Annotated[float, Query(ge=0, le=30)] = 0,
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Events after the cursor `after`, oldest first; without a cursor, from the oldest stored event.

        `types` are names or prefixes, separated by commas. If there are no events, `wait` up to that many seconds.
        `next` is the cursor for the next call, even if `items` is empty.
        """
        wanted = types_of(vet_patterns([name.strip() for name in types.split(",")], "/types"))
        if _STREAM in accept.lower():
            self._refuse_if_full()
            place = _place(last_event_id or after, "/after")
            return StreamingResponse(
                self._stream(place, wanted), media_type=_STREAM, headers={"cache-control": "no-store"}
            )
        found, upto = await self._page(_place(after, "/after"), wanted, limit, wait)
        return json_response(EventPage([msgspec.Raw(event.body) for event in found], str(upto)))

    async def _page(self, place: int, types: Types, limit: int, wait_s: float) -> tuple[list[StoredEvent], int]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        with self._arrivals.listen() as arrived:
            while True:
                found, place = await self._look(place, types, limit)
                left = until - loop.time()
                if found or left <= 0 or self._closed:
                    return found, place
                self._refuse_if_full()
                self._waiting += 1
                try:
                    await arrived.wait(min(LOOK_S, left))
                finally:
                    self._waiting -= 1

    async def _stream(self, place: int, types: Types) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            with self._arrivals.listen() as arrived:
                yield KEEPALIVE_COMMENT
                sent_at = loop.time()
                while not self._closed:
                    found, place = await self._look(place, types, 100)
                    if found:
                        yield b"".join(_as_text(event) for event in found)
                    elif loop.time() - sent_at < KEEPALIVE_S:
                        await arrived.wait(LOOK_S)
                        continue
                    else:
                        yield KEEPALIVE_COMMENT
                    sent_at = loop.time()
        finally:
            self._waiting -= 1

    async def _look(self, place: int, types: Types, limit: int) -> tuple[list[StoredEvent], int]:
        async with self._database.read() as tx:
            return await events_after(tx, place, types, limit)

    def _refuse_if_full(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING} readers are waiting already. Try again without 'wait'.", retry_after_s=5)


def _as_text(event: StoredEvent) -> bytes:
    return format_sse_event(data_str=event.body.decode(), event=event.type, id=str(event.seq))


def _place(cursor: str | None, pointer: str) -> int:
    if cursor is None or cursor == "":
        return 0
    return read_position(cursor, pointer=pointer)
