"""The timeline of one lead: everything that happened to it, oldest first."""

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from services.scoreboard.domain.timeline_text import describe
from services.scoreboard.store import queries
from services.scoreboard.store.rows import TimelineEntry, TimelinePosition
from shared.bus.envelope import instant
from shared.domain.errors import NotFound
from shared.domain.events import TYPES
from shared.http.auth import require
from shared.http.cursor import read_cursor, read_position, write_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.responses import NO_STORE, page_response
from shared.runtime.service import Platform


class TimelineItem(msgspec.Struct, frozen=True):
    """One event of a lead's timeline; `data` is the event itself."""

    at: str
    type: str
    summary: str
    event_id: str
    data: msgspec.Raw


def router(platform: Platform) -> APIRouter:
    """The route; it needs a key with `leads:read`."""
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/leads/{lead_id}/timeline", summary="Everything that happened to a lead, oldest first")
    async def timeline(lead_id: Text, limit: Limit = 50, cursor: Cursor | None = None) -> Response:
        after = _position(cursor)
        async with platform.db.read() as tx:
            entries = await queries.story(tx, lead_id, after=after, limit=limit + 1)
        if not entries and after is None:
            raise NotFound("Unknown lead. Check the id, or find the lead with GET /v1/leads.")
        next_cursor = _cursor(entries[limit - 1]) if len(entries) > limit else None
        return page_response([_item(entry) for entry in entries[:limit]], next_cursor, headers=NO_STORE)

    return routes


def _item(entry: TimelineEntry) -> TimelineItem:
    event = msgspec.json.decode(entry.data, type=TYPES[entry.type])
    return TimelineItem(instant(entry.at), entry.type, describe(event), entry.event_id, msgspec.Raw(entry.data))


def _cursor(entry: TimelineEntry) -> str:
    return write_cursor(entry.at, f"{entry.rank}.{entry.event_id}")


def _position(cursor: str | None) -> TimelinePosition | None:
    found = read_cursor(cursor)
    if found is None:
        return None
    rank, _, event_id = found[1].partition(".")
    return found[0], read_position(rank, below=1_000), event_id
