"""Subscriptions: where events are sent, and whether the endpoint accepts them."""

import secrets
from collections.abc import Awaitable, Callable

import msgspec
import pydantic
from fastapi import APIRouter, Response

from services.delivery.domain.endpoint import Endpoint, vet_url
from services.delivery.domain.event_types import vet_patterns
from services.delivery.domain.signature import secret_of
from services.delivery.store import subscriptions
from services.delivery.store.subscriptions import Subscription, SubscriptionStatus
from shared.bus.envelope import instant
from shared.clock import new_id
from shared.db.engine import Database
from shared.domain.errors import NotFound
from shared.http.auth import require
from shared.http.fields import Body, Cursor, Limit, Text
from shared.http.keys import Keys
from shared.http.responses import json_response, page_response

VetHost = Callable[[Endpoint], Awaitable[None]]
"""Raises `Refused` for an endpoint whose host resolves to an address that we don't send to."""

SECRET_BYTES = 32


class NewSubscription(Body):
    """Where to send what: `events` are type names, prefixes such as `baton.lead.*`, or `*`."""

    url: str
    events: list[Text] = pydantic.Field(default=["*"], min_length=1, max_length=50)
    description: str = pydantic.Field(default="", max_length=500)


class SubscriptionView(msgspec.Struct, frozen=True):
    """A subscription; `reason` says why it was disabled."""

    subscription_id: str
    url: str
    events: tuple[str, ...]
    description: str
    state: SubscriptionStatus
    reason: str | None
    created_at: str
    failing_since: str | None


class NewSubscriptionView(SubscriptionView, frozen=True):
    """A subscription with its signing secret, which is shown only once."""

    secret: str


class SubscriptionRoutes:
    """What the routes share."""

    def __init__(self, *, database: Database, keys: Keys, vet: VetHost, allow_loopback: bool) -> None:
        self._database = database
        self._keys = keys
        self._vet_host = vet
        self._allow_loopback = allow_loopback

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1", tags=["delivery"])
        write, read = [require(self._keys, "subscriptions:write")], [require(self._keys, "events:read")]
        router.post("/subscriptions", status_code=201, dependencies=write)(self.subscribe)
        router.get("/subscriptions", dependencies=read)(self.list_subscriptions)
        router.get("/subscriptions/{subscription_id}", dependencies=read)(self.show_subscription)
        router.delete("/subscriptions/{subscription_id}", status_code=204, dependencies=write)(self.unsubscribe)
        router.post("/subscriptions/{subscription_id}/enable", dependencies=write)(self.enable)
        return router

    async def subscribe(self, subscription: NewSubscription) -> Response:
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
        return json_response(NewSubscriptionView(**msgspec.structs.asdict(_view(new)), secret=secret), status=201)

    async def list_subscriptions(self, limit: Limit = 50, cursor: Cursor = "") -> Response:
        """All subscriptions, oldest first."""
        async with self._database.read() as tx:
            found = await subscriptions.subscription_page(tx, cursor, limit)
        next_cursor = found[-1].id if len(found) == limit else None
        return page_response([_view(each) for each in found], next_cursor)

    async def show_subscription(self, subscription_id: Text) -> Response:
        """One subscription, and whether its endpoint takes what it is sent."""
        return json_response(_view(await self._found(subscription_id)))

    async def unsubscribe(self, subscription_id: Text) -> Response:
        """Send nothing more. Requests in flight may still arrive."""
        async with self._database.begin() as tx:
            if not await subscriptions.remove_subscription(tx, subscription_id):
                raise unknown(subscription_id)
        return Response(status_code=204)

    async def enable(self, subscription_id: Text) -> Response:
        """Send again to a subscription that was disabled. What it missed is not sent by itself: replay it."""
        await self._found(subscription_id)
        async with self._database.begin() as tx:
            await subscriptions.enable_subscription(tx, subscription_id)
        return json_response(_view(await self._found(subscription_id)))

    async def _found(self, subscription_id: str) -> Subscription:
        async with self._database.read() as tx:
            found = await subscriptions.subscription(tx, subscription_id)
        if found is None:
            raise unknown(subscription_id)
        return found


def unknown(subscription_id: str) -> NotFound:
    """What to raise for an id that no subscription has."""
    return NotFound(f"There is no subscription {subscription_id[:60]!r}. GET /v1/subscriptions lists all.")


def _view(subscription: Subscription) -> SubscriptionView:
    return SubscriptionView(
        subscription_id=subscription.id,
        url=subscription.url,
        events=subscription.events,
        description=subscription.description,
        state=subscription.state,
        reason=subscription.reason,
        created_at=instant(subscription.created_at),
        failing_since=None if subscription.failing_since is None else instant(subscription.failing_since),
    )
