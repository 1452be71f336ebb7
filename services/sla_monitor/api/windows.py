"""Promises on leads as they run."""

from datetime import datetime
from typing import Literal

import msgspec
from fastapi import APIRouter, Response

from services.sla_monitor.domain.window import Fault, Window
from services.sla_monitor.store import windows as window_store
from shared.db.engine import Database
from shared.domain.agreement import Side
from shared.domain.events import AgreementRef, Progress, PromisePeriod
from shared.domain.promises import WindowStatus
from shared.http.auth import require
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import page_response


class WindowView(msgspec.Struct, frozen=True):
    """A promise on a lead, or on all leads of a period with its progress as of the last look. `calendar` is the version
    of the owner's calendar by which its instants were found, `zone_data` that of the rules of time zones; None if an
    earlier release did.
    """

    window_id: str
    lead_id: str
    promise: str
    side: Side
    owner: str
    generation: int
    opened_at: datetime
    due_at: datetime
    state: Literal[WindowStatus, "paused"]
    ended_at: datetime | None
    met_by: str | None
    done: int
    needed: int
    fault: Fault | None
    reason: str | None
    hold: str | None
    paused_until: datetime | None
    agreement: AgreementRef
    period: PromisePeriod | None = None
    progress: Progress | None = None
    calendar: str | None = None
    zone_data: str | None = None


def router(database: Database, keys: Keys) -> APIRouter:
    """The route; it needs a key with `leads:read`."""
    routes = APIRouter(dependencies=[require(keys, "leads:read")])

    @routes.get("/v1/windows")
    async def windows(
        lead_id: Text | None = None,
        state: Literal[WindowStatus, "paused"] | None = None,
        promise: Text | None = None,
        owner: Text | None = None,
        side: Side | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Promises on leads and on periods, first due first."""
        wanted = {"lead_id": lead_id, "state": state, "promise": promise, "owner": owner}
        filters = {name: value for name, value in wanted.items() if value}
        async with database.read() as tx:
            now = await database.now(tx)
            after = read_cursor(cursor)
            page = await window_store.windows_page(tx, filters=filters, now=now, side=side, after=after, limit=limit)
        following = next_cursor(page, limit, lambda last: (last.due_at, last.window_id))
        return page_response([_view(window, now) for window in page], following)

    return routes


def _view(window: Window, now: datetime) -> WindowView:
    view = msgspec.convert(window, WindowView, from_attributes=True)
    if window.paused_until is not None:
        paused = window.paused_until > now
        view = msgspec.structs.replace(
            view, state="paused" if paused else "open", paused_until=window.paused_until if paused else None
        )
    return view if window.state == "breached" else msgspec.structs.replace(view, fault=None)
