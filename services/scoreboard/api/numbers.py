"""The scoreboard's JSON doors: the equation of all inquiries, and the story of one lead."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from services.scoreboard.domain.conservation import IN_FLIGHT, OUTCOMES, RECEIVED, conserve
from services.scoreboard.domain.timeline_text import describe
from services.scoreboard.store import queries
from services.scoreboard.store.rows import TimelineEntry, TimelinePosition
from shared.bus.envelope import instant
from shared.db import gaps
from shared.domain.errors import NotFound
from shared.domain.events import TYPES
from shared.http.cursor import read_cursor, read_position, write_cursor
from shared.http.fields import Cursor, Text
from shared.runtime.service import Platform

_encoder = msgspec.json.Encoder()


def router(platform: Platform) -> APIRouter:
    """The doors; each needs a key with `leads:read`."""

    async def allowed(request: Request) -> None:
        platform.keys.authorise(request.headers.get("authorization"), "leads:read")

    doors = APIRouter(dependencies=[Depends(allowed)])

    @doors.get("/v1/conservation", summary="Every inquiry received, by what became of it")
    async def conservation() -> Response:
        async with platform.db.read() as tx:
            equation = conserve(await queries.conservation_counts(tx))
            unread = await gaps.open_gaps(tx)
        terms = {name: getattr(equation, name) for name in (RECEIVED, *OUTCOMES, IN_FLIGHT)}
        return _json({**terms, "missing": equation.missing, "balanced": equation.balanced and not unread})

    @doors.get("/v1/leads/{lead_id}/timeline", summary="Everything that happened to a lead, oldest first")
    async def timeline(
        lead_id: Text, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Cursor | None = None
    ) -> Response:
        after = _position(cursor)
        async with platform.db.read() as tx:
            entries = await queries.story(tx, lead_id, after=after, limit=limit + 1)
        if not entries and after is None:
            raise NotFound("No lead with this id was ever heard of. Check the id, or find the lead with GET /v1/leads.")
        items = [_item(entry) for entry in entries[:limit]]
        return _json({"items": items, "next_cursor": _cursor(entries[limit - 1]) if len(entries) > limit else None})

    return doors


def _item(entry: TimelineEntry) -> dict[str, Any]:
    event = msgspec.json.decode(entry.data, type=TYPES[entry.type])
    return {
        "at": instant(entry.at),
        "type": entry.type,
        "summary": describe(event),
        "event_id": entry.event_id,
        "data": msgspec.Raw(entry.data),
    }


def _cursor(entry: TimelineEntry) -> str:
    return write_cursor(entry.at, f"{entry.rank}.{entry.event_id}")


def _position(cursor: str | None) -> TimelinePosition | None:
    found = read_cursor(cursor)
    if found is None:
        return None
    rank, _, event_id = found[1].partition(".")
    return found[0], read_position(rank, below=1_000), event_id


def _json(body: Any) -> Response:
    return Response(_encoder.encode(body), media_type="application/json", headers={"cache-control": "no-store"})
