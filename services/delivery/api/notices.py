"""Notices to people: who is to be told what, who was told by which channel, and what could not be sent."""

from datetime import datetime

import msgspec
from fastapi import APIRouter, Response

from services.delivery.domain.due_notices import DueNotice, NoticeStatus
from services.delivery.domain.notice_summary import summary
from services.delivery.store import notice_overview
from services.delivery.store.notices import notices_page, oldest_due
from shared.bus.envelope import instant
from shared.http.auth import require, require_viewer
from shared.http.cursor import next_cursor, read_cursor
from shared.http.fields import Cursor, Limit, Text
from shared.http.responses import NO_STORE, json_response, page_response
from shared.runtime.service import Platform

LATEST = 5
"""Notices of each state in the overview."""


class NoticeView(msgspec.Struct, frozen=True):
    """A notice to a person, or a role. `state` is `due`, then `told`, `failed` or `dropped` (it was over before it was
    sent). `channel` is the one that took it, or the last that was tried. `reason` says why it was not sent, or not yet.
    `pace` is how a promise about a period was going.
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
    pace: str | None


class NoticesOverview(msgspec.Struct, frozen=True):
    """How notices stand as of `now`, with a `summary` in words: how many are `due`, how many of the last 24 hours
    `failed` (both up to 1,000), and the `latest` of these that failed or were told, failed ones first.
    """

    now: str
    summary: str
    due: int
    oldest_due_at: str | None
    failed: int
    latest: list[NoticeView]


def router(platform: Platform) -> APIRouter:
    """The routes: the list for keys with `leads:read`, the overview also for those who may view pages."""
    database, keys = platform.db, platform.keys
    routes = APIRouter(tags=["delivery"])

    @routes.get("/v1/notices/overview", dependencies=[require_viewer(platform.settings, keys)])
    async def overview() -> Response:
        """How many notices wait and how many failed lately, with the latest."""
        async with database.read() as tx:
            now = await database.now(tx)
            due, oldest_at = await notice_overview.due_count(tx), await oldest_due(tx, now)
            failed = await notice_overview.failed_count(tx, now)
            latest = [
                *await notice_overview.latest(tx, "failed", now, limit=LATEST),
                *await notice_overview.latest(tx, "told", now, limit=LATEST),
            ]
        words = summary(due, oldest_at, failed, now)
        since = instant(oldest_at) if oldest_at is not None else None
        shown = NoticesOverview(instant(now), words, due, since, failed, [_view(each) for each in latest])
        return json_response(shown, headers=NO_STORE)

    @routes.get("/v1/notices", dependencies=[require(keys, "leads:read")])
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
