"""The doors of delivery: manage subscriptions, see how deliveries went, send again."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic
from fastapi import APIRouter, Depends, Query, Request, Response

from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.interest import types_of, vet_patterns
from services.delivery.domain.signature import secret_of
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import Standing
from services.delivery.store.subscriptions import Subscription
from shared.bus.envelope import instant
from shared.clock import new_id
from shared.db.engine import Database
from shared.domain.errors import NotFound, Refused
from shared.http import Keys
from shared.http.cursor import read_position
from shared.http.fields import Body, Cursor, Instant, Text
from shared.runtime.service import Signal

VetHost = Callable[[Endpoint], Awaitable[None]]
"""Raises `Refused` for an endpoint whose host resolves to an address that we don't send to."""

Limit = Annotated[int, Query(ge=1, le=200)]
SECRET_BYTES = 32


class NewSubscription(Body):
    """Where to send what: `events` are type names, prefixes such as `baton.lead.*`, or `*`."""

    url: str
    events: list[Text] = pydantic.Field(default=["*"], min_length=1, max_length=50)
    description: str = pydantic.Field(default="", max_length=500)


class Replay(Body):
    """Which events to send again: one by `event_id`, or those that happened in `from` (included) to `to`.

    A range means the deliveries that failed, or with `which: "all"` all events that the subscription asks for.
    """

    subscription_id: str
    event_id: str | None = None
    since: Instant | None = pydantic.Field(default=None, alias="from")
    until: Instant | None = pydantic.Field(default=None, alias="to")
    which: Literal["failed", "all"] = "failed"


class Doors:
    """What the routes share. `due` is set when something was made due."""

    def __init__(self, *, database: Database, keys: Keys, vet_host: VetHost, allow_loopback: bool, due: Signal) -> None:
        self._database = database
        self._keys = keys
        self._vet_host = vet_host
        self._allow_loopback = allow_loopback
        self._due = due

    def router(self) -> APIRouter:
        """The routes of this service but the pull door."""
        router = APIRouter(prefix="/v1", tags=["delivery"])
        write = [Depends(needs(self._keys, "subscriptions:write"))]
        read = [Depends(needs(self._keys, "events:read"))]
        router.post("/subscriptions", status_code=201, dependencies=write)(self.subscribe)
        router.get("/subscriptions", dependencies=read)(self.list_subscriptions)
        router.get("/subscriptions/{subscription_id}", dependencies=read)(self.show_subscription)
        router.delete("/subscriptions/{subscription_id}", status_code=204, dependencies=write)(self.unsubscribe)
        router.post("/subscriptions/{subscription_id}/enable", dependencies=write)(self.enable)
        router.get("/deliveries", dependencies=read)(self.list_deliveries)
        router.post("/deliveries/replay", status_code=202, dependencies=write)(self.replay)
        return router

    async def subscribe(self, wish: NewSubscription) -> dict[str, Any]:
        """Have events sent to a URL. The answer holds the signing secret; it is not shown again."""
        endpoint = vet_url(wish.url, allow_loopback=self._allow_loopback)
        patterns = vet_patterns(wish.events, "/events")
        await self._vet_host(endpoint)
        secret = secret_of(secrets.token_bytes(SECRET_BYTES))
        async with self._database.begin() as tx:
            new = Subscription(
                id=new_id(),
                url=wish.url,
                events=patterns,
                description=wish.description,
                secrets=(secret,),
                state="active",
                reason=None,
                created_at=await self._database.now(tx),
                failing_since=None,
            )
            await subscriptions.add_subscription(tx, new)
        return {**_shown(new), "secret": secret}

    async def list_subscriptions(self, limit: Limit = 50, cursor: Cursor = "") -> dict[str, Any]:
        """All subscriptions, oldest first."""
        async with self._database.read() as tx:
            found = await subscriptions.subscription_page(tx, cursor, limit)
        return {"items": [_shown(s) for s in found], "next_cursor": found[-1].id if len(found) == limit else None}

    async def show_subscription(self, subscription_id: Text) -> dict[str, Any]:
        """One subscription, and whether its endpoint takes what it is sent."""
        return _shown(await self._found(subscription_id))

    async def unsubscribe(self, subscription_id: Text) -> Response:
        """Send nothing more; what is on its way may still arrive."""
        async with self._database.begin() as tx:
            if not await subscriptions.remove_subscription(tx, subscription_id):
                raise _unknown(subscription_id)
        return Response(status_code=204)

    async def enable(self, subscription_id: Text) -> dict[str, Any]:
        """Send again to a subscription that was disabled. What it missed is not sent by itself: replay it."""
        await self._found(subscription_id)
        async with self._database.begin() as tx:
            await subscriptions.enable_subscription(tx, subscription_id)
        return _shown(await self._found(subscription_id))

    async def list_deliveries(
        self,
        subscription_id: Text | None = None,
        state: Literal["pending", "delivered", "failed"] | None = None,
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """How deliveries stand, by subscription, newest event first."""
        before = None if cursor is None else _delivery_cursor(cursor)
        async with self._database.read() as tx:
            found = await deliveries.standing_page(tx, subscription_id, state, before, limit)
        last = found[-1] if len(found) == limit else None
        return {
            "items": [_delivery(standing) for standing in found],
            "next_cursor": f"{last.subscription_id}.{last.event_seq}" if last else None,
        }

    async def replay(self, wanted: Replay) -> dict[str, int]:
        """Send events again, under the ids they always had."""
        wish = await self._found(wanted.subscription_id)
        if wish.state != "active":
            raise Refused("This subscription is disabled. Enable it first, then replay.", status=409)
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            if wanted.event_id is not None:
                place = await events.seq_of(tx, wanted.event_id)
                if place is None:
                    raise NotFound("There is no such event among those that are kept.", pointer="/event_id")
                count = await deliveries.replay_event(tx, wish.id, place, now)
            else:
                types, failed_only = sorted(types_of(wish.events)), wanted.which == "failed"
                count = await deliveries.replay_range(tx, wish.id, _span(wanted), types, now, failed_only=failed_only)
        self._due.set()
        return {"replayed": count}

    async def _found(self, subscription_id: str) -> Subscription:
        async with self._database.read() as tx:
            found = await subscriptions.subscription(tx, subscription_id)
        if found is None:
            raise _unknown(subscription_id)
        return found


def needs(keys: Keys, scope: str) -> Callable[[Request], None]:
    """A dependency that lets only keys with `scope` pass."""

    def check(request: Request) -> None:
        keys.authorise(request.headers.get("authorization"), scope)

    return check


def _unknown(subscription_id: str) -> NotFound:
    return NotFound(f"There is no subscription {subscription_id[:60]!r}. GET /v1/subscriptions lists all.")


def _shown(wish: Subscription) -> dict[str, Any]:
    return {
        "subscription_id": wish.id,
        "url": wish.url,
        "events": list(wish.events),
        "description": wish.description,
        "state": wish.state,
        "reason": wish.reason,
        "created_at": instant(wish.created_at),
        "failing_since": _instant(wish.failing_since),
    }


def _delivery(standing: Standing) -> dict[str, Any]:
    return {
        "subscription_id": standing.subscription_id,
        "event_id": standing.event_id,
        "type": standing.type,
        "lead_id": standing.lead_id,
        "state": standing.state,
        "attempts": standing.attempts,
        "next_attempt_at": _instant(standing.due_at),
        "ended_at": _instant(standing.ended_at),
        "last_status": standing.last_status,
        "last_error": standing.last_error,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _delivery_cursor(text: str) -> tuple[str, int]:
    subscription_id, _, position = text.rpartition(".")
    return subscription_id, read_position(position)


def _span(wanted: Replay) -> tuple[datetime, datetime]:
    if wanted.since is None or wanted.until is None:
        raise Refused("Give an event_id, or both from and to.", pointer="/from" if wanted.since is None else "/to")
    if wanted.since >= wanted.until:
        raise Refused("'from' must be before 'to'.", pointer="/from")
    return wanted.since, wanted.until
