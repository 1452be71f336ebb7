"""`GET /v1/orphans`: lead ids that activities name and no inquiry has, with their age."""

from datetime import datetime
from typing import Literal

import msgspec
from fastapi import APIRouter, Response

from services.scoreboard.store.orphans import Orphan, orphans
from shared.http.auth import require
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Cursor, Limit
from shared.http.responses import NO_STORE, page_response
from shared.runtime.service import Platform


class OrphanView(Orphan, frozen=True):
    """A lead id without a lead: how many activities wait for it, since when, and for how many seconds."""

    age_s: int = 0


def router(platform: Platform) -> APIRouter:
    """The route; it needs a key with `leads:read`."""
    routes = APIRouter(dependencies=[require(platform.keys, "leads:read")])

    @routes.get("/v1/orphans", summary="Lead ids that activities name and no inquiry has, longest-waiting first")
    async def listed(
        state: Literal["waiting", "expired"] = "waiting", limit: Limit = 50, cursor: Cursor | None = None
    ) -> Response:
        async with platform.db.read() as tx:
            now = await platform.db.now(tx)
            page = await orphans(tx, expired=state == "expired", after=read_cursor(cursor), limit=limit)
        following = next_cursor(page, limit, lambda last: (last.since, last.lead_id))
        return page_response([_view(orphan, now) for orphan in page], following, headers=NO_STORE)

    return routes


def _view(orphan: Orphan, now: datetime) -> OrphanView:
    age_s = max(0, int((now - orphan.since).total_seconds()))
    return OrphanView(**msgspec.structs.asdict(orphan), age_s=age_s)
