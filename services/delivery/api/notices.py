"""Notices to people: who is to be told what, who was told by which channel, and what could not be sent."""

from datetime import datetime

import msgspec
from fastapi import APIRouter, Response

from services.delivery.domain.due_notices import DueNotice, NoticeStatus
from services.delivery.store.notices import notices_page
from shared.bus.envelope import instant
from shared.db.engine import Database
from shared.http.auth import require
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import page_response


class NoticeView(msgspec.Struct, frozen=True):
    """A notice to a person, or a role. `state` is `due`, then `told`, `failed` or `dropped` (it was over before it was
    sent). `channel` is the one that took it, or the last that was tried. `reason` says why it was not sent, or not yet.
    """

    notice_id: str
    lead_id: str
    window_id: str
    escalation_id: str | None
    kind: str
    page: bool
    role: str
    person: str | None
    promise: str
    owner: str
    due_at: str
    state: NoticeStatus
    channel: str | None
    attempts: int
    reason: str | None
    created_at: str
    ended_at: str | None


def router(database: Database, keys: Keys) -> APIRouter:
    """The one route, for keys with `leads:read`."""
    routes = APIRouter(tags=["delivery"], dependencies=[require(keys, "leads:read")])

    @routes.get("/v1/notices")
    async def notices(
        state: NoticeStatus | None = None,
        role: Text | None = None,
        person: Text | None = None,
        lead_id: Text | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Notices, first made first."""
        after = read_cursor(cursor)
        async with database.read() as tx:
            page = await notices_page(
                tx, state=state, role=role, person=person, lead_id=lead_id, after=after, limit=limit
            )
        return page_response([_view(each) for each in page], next_cursor(page, limit, _position))

    return routes


def _position(notice: DueNotice) -> tuple[datetime, str]:
    assert notice.created_at is not None  # noqa: S101 (it is stored)
    return notice.created_at, notice.notice_id


def _view(notice: DueNotice) -> NoticeView:
    values = {name: getattr(notice, name) for name in NoticeView.__struct_fields__}
    shown = {name: instant(value) if isinstance(value, datetime) else value for name, value in values.items()}
    return msgspec.convert(shown, NoticeView)
