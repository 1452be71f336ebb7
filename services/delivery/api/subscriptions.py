"""The doors of delivery: manage subscriptions, see how deliveries went, send again."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic
from fastapi import APIRouter, Depends, Query, Request, Response

from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.event_types import types_of, vet_patterns
from services.delivery.domain.signature import secret_of
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import DeliveryStatus
from services.delivery.store.subscriptions import Subscription
from shared.bus.envelope import instant
from shared.clock import new_id
from shared.db.engine import Database
from shared.domain.errors import NotFound, Refused
from shared.http.auth import Keys
from shared.http.cursor import read_position, unknown_cursor
from shared.http.fields import Body, Cursor, Instant, Text
from shared.runtime.service import WakeUp

VetHost = Callable[[Endpoint], Awaitable[None]]
"""Raises `Refused` for an endpoint whose host resolves to an address that we don't send to."""

Limit = Annotated[int, Query(ge=1, le=200)]
SECRET_BYTES = 32


class NewSubscription(Body):
    """Where to send what: `events` are type names, prefixes such as `baton.lead.*`, or `*`."""

    url: str
    events: list[Text] = pydantic.Field(default=["*"], min_length=1, max_length=50)
    description: str = pydantic.Field(default="", max_length=500)


class ReplayRequest(Body):
    """Which events to send again: one by `event_id`, or those that happened in `from` (included) to `to`.

    A range means the deliveries that failed, or with `which: "all"` all events that the subscription asks for.
    """

    subscription_id: str
    event_id: str | None = None
    since: Instant | None = pydantic.Field(default=None, alias="from")
    until: Instant | None = pydantic.Field(default=None, alias="to")
    which: Literal["failed", "all"] = "failed"


class SubscriptionRoutes:
    """What the routes share. `due` is set when something was made due."""

    def __init__(self, *, database: Database, keys: Keys, vet: VetHost, allow_loopback: bool, due: WakeUp) -> None:
        self._database = database
        self._keys = keys
        self._vet_host = vet
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

    async def subscribe(self, subscription: NewSubscription) -> dict[str, Any]:
        """Have events sent to a URL. The answer holds the signing secret; it is not shown again."""
        endpoint = vet_url(subscription.url, allow_loopback=self._allow_loopback)
        patterns = vet_patterns(subscription.events, "/events")
        await self._vet_host(endpoint)
        secret = secret_of(secrets.token_bytes(SECRET_BYTES))
        async with self._database.begin() as tx:
            new = Subscription(
                id=new_id(),
                url=subscription.url,
                events=patterns,
                description=subscription.description,
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
            found = await deliveries.status_page(tx, subscription_id, state, before, limit)
        last = found[-1] if len(found) == limit else None
        return {
            "items": [_delivery(status) for status in found],
            "next_cursor": f"{last.subscription_id}.{last.event_seq}" if last else None,
        }

    async def replay(self, wanted: ReplayRequest) -> dict[str, int]:
        """Send events again, under the ids they always had."""
        subscription = await self._found(wanted.subscription_id)
        if subscription.state != "active":
            raise Refused("This subscription is disabled. Enable it first, then replay.", status=409)
        async with self._database.begin() as tx:
            now = await self._database.now(tx)
            if wanted.event_id is not None:
                place = await events.seq_of(tx, wanted.event_id)
                if place is None:
                    raise NotFound("There is no such event among those that are kept.", pointer="/event_id")
                count = await deliveries.replay_event(tx, subscription.id, place, now)
            else:
                types, failed_only = sorted(types_of(subscription.events)), wanted.which == "failed"
                count = await deliveries.replay_range(
                    tx, subscription.id, _span(wanted), types, now, failed_only=failed_only
                )
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


def _shown(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscription_id": subscription.id,
        "url": subscription.url,
        "events": list(subscription.events),
        "description": subscription.description,
        "state": subscription.state,
        "reason": subscription.reason,
        "created_at": instant(subscription.created_at),
        "failing_since": _instant(subscription.failing_since),
    }


def _delivery(status: DeliveryStatus) -> dict[str, Any]:
    return {
        "subscription_id": status.subscription_id,
        "event_id": status.event_id,
        "type": status.type,
        "lead_id": status.lead_id,
        "state": status.state,
        "attempts": status.attempts,
        "next_attempt_at": _instant(status.due_at),
        "ended_at": _instant(status.ended_at),
        "last_status": status.last_status,
        "last_error": status.last_error,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _delivery_cursor(text: str) -> tuple[str, int]:
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
