"""Delivery on a real log and both databases, to real receivers: who gets what, however often, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from services.delivery.service import build
from services.delivery.store.subscriptions import save_health
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode, structured
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.ports import Clock
from shared.runtime.service import Service
from shared.runtime.web import Web
from tests.kit.clocks import SteppedClock
from tests.kit.services import client_of, platform_on
from tests.kit.subscribers import Receiver, Seen, assigned, move_requested, opened, receiving
from tests.kit.tables import make_tables

QUICK = (0.02,) * 9


class Delivery:
    """A delivery service whose tasks a test starts and stops, and a client of its routes."""

    def __init__(self, service: Service, bus: EmbeddedBus, client: httpx.AsyncClient) -> None:
        self.service = service
        self.client = client
        self._bus = bus
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(run(), name=name) for name, run in self.service.tasks.items()]

    async def crash(self) -> None:
        """Stop at once, recording nothing more."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        assert all(isinstance(error, asyncio.CancelledError) for error in ended), ended

    async def publish(self, *envelopes: Envelope) -> None:
        await self._bus.publish([encode(envelope) for envelope in envelopes])

    async def subscribe(self, url: str, *events: str) -> dict[str, Any]:
        answer = await self.client.post("/v1/subscriptions", json={"url": url, "events": list(events) or ["*"]})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def standings(self, subscription: dict[str, Any], until: str, count: int = 1) -> list[dict[str, Any]]:
        """The subscription's deliveries once `count` of them are in the state `until`."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.client.get(
                    "/v1/deliveries", params={"subscription_id": subscription["subscription_id"], "limit": 200}
                )
                items: list[dict[str, Any]] = answer.json()["items"]
                if sum(item["state"] == until for item in items) >= count:
                    return items
                await asyncio.sleep(0.02)

    async def state(self, subscription: dict[str, Any]) -> dict[str, Any]:
        return dict((await self.client.get(f"/v1/subscriptions/{subscription['subscription_id']}")).json())


@asynccontextmanager
async def delivery_on(
    database: Database,
    bus: EmbeddedBus,
    *,
    schedule_s: Sequence[float] = QUICK,
    deadline_s: float = 15,
    clock: Clock | None = None,
    **environ: str,
) -> AsyncIterator[Delivery]:
    platform = platform_on(database, bus, clock, BATON_ALLOW_LOOPBACK_ENDPOINTS="true", **environ)
    service = build(platform, schedule_s=schedule_s, deadline_s=deadline_s)
    async with client_of(Web(platform, [service])) as client:
        delivery = Delivery(service, bus, client)
        delivery.start()
        yield delivery
        await delivery.crash()
        await service.drains[1]()


@pytest.fixture
async def delivery(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Delivery]:
    async with delivery_on(database, embedded_bus) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(200) as running:
        yield running


async def test_a_subscriber_gets_the_event_as_a_cloudevent_that_the_reference_library_verifies(
    delivery: Delivery, receiver: Receiver
) -> None:
    subscription = await delivery.subscribe(receiver.url, "baton.lead.*")
    envelope = assigned(1)
    await delivery.publish(envelope)
    (seen,) = await receiver.got(1)
    payload = Webhook(subscription["secret"]).verify(seen.body, dict(seen.headers))
    assert seen.body == structured(envelope)
    assert (payload["specversion"], payload["type"], payload["subject"]) == ("1.0", "baton.lead.assigned.v1", "lead-1")
    assert payload["data"]["rep"] == {"id": "ann", "email": "ann@acme.example"}
    assert seen.headers["webhook-id"] == envelope.id == payload["id"]
    assert seen.headers["content-type"] == "application/cloudevents+json"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["host"] == receiver.url.split("/")[2]
    (status,) = await delivery.standings(subscription, "delivered")
    assert (status["attempts"], status["last_status"], status["next_attempt_at"]) == (1, 200, None)


async def test_each_subscriber_hears_what_it_asked_for_and_nobody_hears_our_own_requests(delivery: Delivery) -> None:
    async with receiving() as leads, receiving() as everything:
        await delivery.subscribe(leads.url, "baton.lead.assigned.v1")
        await delivery.subscribe(everything.url, "*")
        await delivery.publish(opened(1), move_requested(1), assigned(1), opened(2), assigned(2))
        received = {seen.headers["webhook-id"] for seen in await everything.got(4)}
        assert received == {envelope.id for envelope in (opened(1), assigned(1), opened(2), assigned(2))}
        assert {seen.headers["webhook-id"] for seen in await leads.got(2)} == {assigned(1).id, assigned(2).id}


async def test_a_failed_attempt_is_made_again_under_the_same_id_and_signed_again(
    database: Database, embedded_bus: EmbeddedBus, receiver: Receiver
) -> None:
    clock = SteppedClock()

    async def reply(_seen: Seen) -> int:
        clock.passed_s += 1
        return 500 if len(receiver.seen) < 3 else 204

    receiver.reply = reply
    async with delivery_on(database, embedded_bus, clock=clock) as delivery:
        subscription = await delivery.subscribe(receiver.url)
        await delivery.publish(assigned(1))
        attempts = await receiver.got(3)
        assert {seen.headers["webhook-id"] for seen in attempts} == {assigned(1).id}
        assert {seen.body for seen in attempts} == {structured(assigned(1))}
        stamps = [int(seen.headers["webhook-timestamp"]) for seen in attempts]
        assert stamps == sorted(stamps)
        assert stamps[0] < stamps[-1]
        for seen in attempts:
            Webhook(subscription["secret"]).verify(seen.body, dict(seen.headers))
        (status,) = await delivery.standings(subscription, "delivered")
        assert (status["attempts"], status["last_status"], status["last_error"]) == (3, 204, None)


async def test_an_endpoint_that_never_works_is_given_up_after_the_schedule_and_can_be_replayed(
    delivery: Delivery, receiver: Receiver
) -> None:
    receiver.reply = _answering(503)
    subscription = await delivery.subscribe(receiver.url)
    await delivery.publish(assigned(1))
    (status,) = await delivery.standings(subscription, "failed")
    assert (status["attempts"], status["last_error"]) == (10, "answered 503")
    assert (await delivery.state(subscription))["failing_since"] is not None
    receiver.reply = _answering(200)
    asked = {"subscription_id": subscription["subscription_id"], "event_id": assigned(1).id}
    answer = await delivery.client.post("/v1/deliveries/replay", json=asked)
    assert (answer.status_code, answer.json()) == (202, {"replayed": 1})
    await delivery.standings(subscription, "delivered")
    assert {seen.headers["webhook-id"] for seen in receiver.seen} == {assigned(1).id}
    assert len(receiver.seen) == 11
    assert (await delivery.state(subscription))["failing_since"] is None


async def test_410_disables_the_subscription_fails_what_was_pending_and_enabling_it_makes_replay_possible(
    delivery: Delivery, receiver: Receiver
) -> None:
    receiver.reply = _answering(410)
    subscription = await delivery.subscribe(receiver.url)
    await delivery.publish(*(assigned(n) for n in range(50)))
    items = await delivery.standings(subscription, "failed", 50)
    assert len(items) == 50
    shown = await delivery.state(subscription)
    assert shown["state"] == "disabled"
    assert "410" in shown["reason"]
    before = len(receiver.seen)
    await delivery.publish(assigned(51))
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    asked = {"subscription_id": subscription["subscription_id"], **span}
    assert (await delivery.client.post("/v1/deliveries/replay", json=asked)).status_code == 409
    receiver.reply = _answering(200)
    await delivery.client.post(f"/v1/subscriptions/{subscription['subscription_id']}/enable")
    await _stored(delivery, 51)
    answer = await delivery.client.post("/v1/deliveries/replay", json=asked)
    assert answer.json() == {"replayed": 50}
    answer = await delivery.client.post("/v1/deliveries/replay", json={**asked, "which": "all"})
    await receiver.got(before + 51)
    await delivery.standings(subscription, "delivered", 51)
    assert {seen.headers["webhook-id"] for seen in receiver.seen} == {assigned(n).id for n in [*range(50), 51]}


async def test_an_attempt_that_ends_after_the_subscription_was_enabled_again_does_not_disable_it(
    delivery: Delivery, receiver: Receiver
) -> None:
    answer_late = asyncio.Event()

    async def reply(seen: Seen) -> int:
        if seen.headers["webhook-id"] == assigned(2).id:
            await answer_late.wait()
        return 410

    receiver.reply = reply
    subscription = await delivery.subscribe(receiver.url)
    await delivery.publish(assigned(1), assigned(2))
    await receiver.got(2)
    await delivery.standings(subscription, "failed", 2)
    await delivery.client.post(f"/v1/subscriptions/{subscription['subscription_id']}/enable")
    answer_late.set()
    await delivery.service.drains[0]()
    shown = await delivery.state(subscription)
    assert (shown["state"], shown["reason"], shown["failing_since"]) == ("active", None, None)


async def test_an_endpoint_that_took_nothing_for_five_days_is_disabled_with_its_next_failure(
    database: Database, delivery: Delivery, receiver: Receiver
) -> None:
    receiver.reply = _answering(500)
    worn_out = await delivery.subscribe(receiver.url)
    async with receiving(500) as young:
        failing = await delivery.subscribe(young.url)
        now = datetime.now(UTC)
        async with database.begin() as tx:
            await save_health(tx, set(), {worn_out["subscription_id"]}, now - timedelta(days=5, minutes=1))
            await save_health(tx, set(), {failing["subscription_id"]}, now - timedelta(days=4, hours=23))
        await delivery.publish(assigned(1))
        (status,) = await delivery.standings(worn_out, "failed")
        assert "disabled: it took nothing for 5 days" in status["last_error"]
        assert (await delivery.state(worn_out))["state"] == "disabled"
        await young.got(3)
        assert (await delivery.state(failing))["state"] == "active"


async def test_a_redirect_is_not_followed(delivery: Delivery, receiver: Receiver) -> None:
    async with receiving() as elsewhere:
        receiver.reply = _answering((302, {"location": elsewhere.url}))
        subscription = await delivery.subscribe(receiver.url)
        await delivery.publish(assigned(1))
        (status,) = await delivery.standings(subscription, "failed")
        assert status["attempts"] == 4
        assert "redirects are not followed" in status["last_error"]
        assert elsewhere.seen == []


async def test_retry_after_is_honoured(database: Database, embedded_bus: EmbeddedBus, receiver: Receiver) -> None:
    receiver.reply = _answering((429, {"retry-after": "7200"}))
    async with delivery_on(database, embedded_bus, schedule_s=(3600, 3600)) as delivery:
        subscription = await delivery.subscribe(receiver.url)
        await delivery.publish(assigned(1))
        (seen,) = await receiver.got(1)
        async with asyncio.timeout(60):
            while not (status := (await delivery.standings(subscription, "pending"))[0])["attempts"]:
                await asyncio.sleep(0.02)
        wait = _instant(status["next_attempt_at"]) - int(seen.headers["webhook-timestamp"])
        assert 7199 <= wait <= 7210


async def test_slow_endpoints_hold_up_nobody_else(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with (
        receiving() as slow,
        receiving() as quick,
        delivery_on(database, embedded_bus, deadline_s=30, BATON_DELIVERY_IN_FLIGHT="8") as delivery,
    ):
        never = asyncio.Event()

        async def hang(_seen: Seen) -> int:
            await never.wait()
            return 200

        slow.reply = hang
        await delivery.subscribe(slow.url)
        subscription = await delivery.subscribe(quick.url)
        await delivery.publish(*(assigned(n) for n in range(200)))
        await quick.got(200, timeout_s=25)
        await delivery.standings(subscription, "delivered", 200)
        assert len(slow.seen) <= 4
        never.set()


async def test_a_crash_between_the_request_and_its_record_sends_the_same_id_again_after_the_lease(
    database: Database, embedded_bus: EmbeddedBus, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.workers.dispatcher.LEASE_S", 1.0)
    stuck = asyncio.Event()

    async def hang(_seen: Seen) -> int:
        await stuck.wait()
        return 200

    receiver.reply = hang
    async with delivery_on(database, embedded_bus) as delivery:
        subscription = await delivery.subscribe(receiver.url)
        await delivery.publish(assigned(1))
        await receiver.got(1)
        await delivery.crash()
    receiver.reply = _answering(200)
    stuck.set()
    before = len(receiver.seen)
    monkeypatch.setattr("services.delivery.workers.dispatcher.LEASE_S", 60.0)
    async with delivery_on(database, embedded_bus) as successor:
        seen = await receiver.got(before + 1)
        assert {each.headers["webhook-id"] for each in seen} == {assigned(1).id}
        (status,) = await successor.standings(subscription, "delivered")
        assert status["attempts"] == 1


async def test_draining_finishes_what_is_under_way_and_gives_the_rest_back_at_once(
    database: Database, embedded_bus: EmbeddedBus, receiver: Receiver
) -> None:
    goes_on = asyncio.Event()

    async def wait(_seen: Seen) -> int:
        await goes_on.wait()
        return 200

    receiver.reply = wait
    async with delivery_on(database, embedded_bus) as delivery:
        subscription = await delivery.subscribe(receiver.url)
        await delivery.publish(*(assigned(n) for n in range(20)))
        await receiver.got(4)
        draining = asyncio.create_task(delivery.service.drains[0]())
        await asyncio.sleep(0)
        goes_on.set()
        async with asyncio.timeout(60):
            await draining
        items = await delivery.standings(subscription, "delivered", 4)
        assert len(receiver.seen) == 4
        assert sum(item["state"] == "pending" for item in items) == 16
    async with delivery_on(database, embedded_bus) as successor:
        await receiver.got(20)
        await successor.standings(subscription, "delivered", 20)
    assert len(receiver.seen) == 20


async def test_two_processes_on_one_postgresql_send_each_event_once(
    fresh_database: str, embedded_bus: EmbeddedBus, receiver: Receiver
) -> None:
    databases = [Database(fresh_database, SystemClock()) for _ in range(2)]
    await make_tables(databases[0])
    async with delivery_on(databases[0], embedded_bus) as one, delivery_on(databases[1], embedded_bus):
        subscription = await one.subscribe(receiver.url)
        await one.publish(*(assigned(n) for n in range(300)))
        await receiver.got(300)
        await one.standings(subscription, "delivered", 200)
        ids = [seen.headers["webhook-id"] for seen in receiver.seen]
        assert len(ids) == len(set(ids)) == 300
    for database in databases:
        await database.close()


async def test_unsubscribing_stops_it(delivery: Delivery, receiver: Receiver) -> None:
    async with receiving() as other:
        subscription = await delivery.subscribe(receiver.url)
        await delivery.subscribe(other.url)
        path = f"/v1/subscriptions/{subscription['subscription_id']}"
        assert (await delivery.client.delete(path)).status_code == 204
        assert (await delivery.client.get(path)).status_code == 404
        await delivery.publish(assigned(1))
        await other.got(1)
        assert receiver.seen == []


def _answering(answer: Any) -> Any:
    async def reply(_seen: Seen) -> Any:
        return answer

    return reply


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _stored(delivery: Delivery, count: int) -> None:
    async with asyncio.timeout(60):
        while len((await delivery.client.get("/v1/events", params={"limit": 200})).json()["items"]) < count:
            await asyncio.sleep(0.02)
