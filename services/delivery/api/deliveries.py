"""Deliveries: the state of each event for each subscription, and replays."""

from datetime import datetime
from typing import Literal

import msgspec
import pydantic
from fastapi import APIRouter, Response

from services.delivery.api.subscriptions import unknown
from services.delivery.domain.event_types import types_of
from services.delivery.domain.retry import DeliveryStatus
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import DeliveryRow
from services.delivery.store.subscriptions import Subscription
from shared.bus.envelope import instant
from shared.db.engine import Database, Tx
from shared.domain.errors import NotFound, Refused
from shared.http.auth import require
from shared.http.cursor import read_position, unknown_cursor
from shared.http.fields import Body, Cursor, Instant, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import json_response, page_response
from shared.runtime.wakeup import WakeUp


class ReplayRequest(Body):
    """The events to send again: one by `event_id`, or those between `from` (inclusive) and `to`.

    A range covers failed deliveries, or with `which: "all"` all events that the subscription asks for.
    """

    subscription_id: str
    event_id: str | None = None
    since: Instant | None = pydantic.Field(default=None, alias="from")
    until: Instant | None = pydantic.Field(default=None, alias="to")
    which: Literal["failed", "all"] = "failed"


class DeliveryView(msgspec.Struct, frozen=True):
    """The delivery of an event to a subscription."""

    subscription_id: str
    event_id: str
    type: str
    lead_id: str
    state: DeliveryStatus
    attempts: int
    next_attempt_at: str | None
    ended_at: str | None
    last_status: int | None
    last_error: str | None


class Replayed(msgspec.Struct, frozen=True):
    """How many events are sent again."""

    replayed: int


class DeliveryRoutes:
    """What the routes share. `due` is set when something was made due."""

    def __init__(self, *, database: Database, keys: Keys, due: WakeUp) -> None:
        self._database = database
        self._keys = keys
        self._due = due

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1", tags=["delivery"])
        read, write = require(self._keys, "events:read"), require(self._keys, "subscriptions:write")
        router.get("/deliveries", dependencies=[read])(self.list_deliveries)
        router.post("/deliveries/replay", status_code=202, dependencies=[write])(self.replay)
        return router

    async def list_deliveries(
        self,
        subscription_id: Text | None = None,
        state: DeliveryStatus | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Response:
        """Deliveries by subscription, newest event first."""
        before = None if cursor is None else _position(cursor)
        async with self._database.read() as tx:
            found = await deliveries.status_page(tx, subscription_id, state, before, limit)
        last = found[-1] if len(found) == limit else None
        next_cursor = f"{last.subscription_id}.{last.event_seq}" if last else None
        return page_response([_view(status) for status in found], next_cursor)

    async def replay(self, wanted: ReplayRequest) -> Response:
        """Send events again, under the ids they always had."""
        async with self._database.read() as tx:
            subscription = await subscriptions.subscription(tx, wanted.subscription_id)
        if subscription is None:
            raise unknown(wanted.subscription_id)
        if subscription.state != "active":
            raise Refused("This subscription is disabled. Enable it first, then replay.", status=409)
        async with self._database.begin() as tx:
            count = await self._replay(tx, subscription, wanted)
        self._due.set()
        return json_response(Replayed(count), status=202)

    async def _replay(self, tx: Tx, subscription: Subscription, wanted: ReplayRequest) -> int:
        now = await self._database.now(tx)
        if wanted.event_id is not None:
            seq = await events.seq_of(tx, wanted.event_id)
            if seq is None:
                raise NotFound("This event is not stored, or no longer.", pointer="/event_id")
            return await deliveries.replay_event(tx, subscription.id, seq, now)
        types = sorted(types_of(subscription.events))
        failed_only = wanted.which == "failed"
        return await deliveries.replay_range(tx, subscription.id, _span(wanted), types, now, failed_only=failed_only)


def _view(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        subscription_id=row.subscription_id,
        event_id=row.event_id,
        type=row.type,
        lead_id=row.lead_id,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=_instant(row.due_at),
        ended_at=_instant(row.ended_at),
        last_status=row.last_status,
        last_error=row.last_error,
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _position(text: str) -> tuple[str, int]:
    subscription_id, _, position = text.rpartition(".")
    if not subscription_id:
        raise unknown_cursor()
    return subscription_id, read_position(position)


def _span(wanted: ReplayRequest) -> tuple[datetime, datetime]:
    if wanted.since is None or wanted.until is None:
        raise Refused("Give an event_id, or both from and to.", pointer="/from" if wanted.since is None else "/to")
    if wanted.since >= wanted.until:
        raise Refused("'from' must be before 'to'.", pointer="/from")
    return wanted.since, wanted.until
