"""The routes of delivery: subscriptions, deliveries and the pull of events, by page, long poll and stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from services.delivery.handlers.events import DeliveryHandlers
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.service import build
from services.delivery.store.notices import Grouping
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode, structured
from shared.db.engine import Database
from shared.runtime.service import Platform
from shared.runtime.web import Web
from tests.kit.events import received
from tests.kit.services import ADMIN, client_of, platform_on
from tests.kit.subscribers import assigned, opened, serving

STREAM = {"Accept": "text/event-stream"}


async def public(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


@asynccontextmanager
async def endpoints(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    web = Web(platform, [build(platform, resolving=public)])
    async with client_of(web) as client:
        yield client


@pytest.fixture
async def client(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[httpx.AsyncClient]:
    async with endpoints(platform_on(database, embedded_bus)) as running:
        yield running


async def stored(database: Database, *envelopes: Envelope) -> None:
    async with database.begin() as tx:
        await DeliveryHandlers(database, NoticeHandlers(Grouping())).on_assignments(
            tx, [received(envelope) for envelope in envelopes]
        )


async def test_the_secret_is_shown_once_and_never_again(client: httpx.AsyncClient) -> None:
    subscription = {"url": "https://crm.example.com/hook", "events": ["baton.lead.*"], "description": "CRM"}
    answer = await client.post("/v1/subscriptions", json=subscription)
    assert answer.status_code == 201
    new = answer.json()
    assert new["secret"].startswith("whsec_")
    path = f"/v1/subscriptions/{new['subscription_id']}"
    shown = (await client.get(path)).json()
    listed = (await client.get("/v1/subscriptions")).json()
    assert listed == {"items": [shown], "next_cursor": None}
    assert {**shown, "secret": new["secret"]} == new
    assert "secret" not in shown
    assert shown["state"] == "active"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://crm.example.com/hook"}, "/url"),
        ({"url": "https://10.0.0.1/hook"}, "/url"),
        ({"url": "https://localhost/hook"}, "/url"),
        ({"url": "https://crm.example.com:22/"}, "/url"),
        ({"url": "https://crm.example.com/", "events": ["*", "lead.assigned"]}, "/events/1"),
        ({"url": "https://crm.example.com/", "events": []}, "/events"),
        ({"url": "https://crm.example.com/", "secret": "mine"}, "/secret"),
        ({}, "/url"),
    ],
)
async def test_a_subscription_that_can_not_be_granted_is_refused_where_it_is_wrong(
    client: httpx.AsyncClient, body: dict[str, object], pointer: str
) -> None:
    answer = await client.post("/v1/subscriptions", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get("/v1/subscriptions")).json()["items"] == []


async def test_a_name_that_leads_into_our_network_is_refused_when_it_is_subscribed(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async def internal(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.1"]

    platform = platform_on(database, embedded_bus)
    async with client_of(Web(platform, [build(platform, resolving=internal)])) as client:
        answer = await client.post("/v1/subscriptions", json={"url": "https://crm.example.com/hook"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/url"
        assert "10.0.0.1" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/subscriptions"),
        ("GET", "/v1/subscriptions"),
        ("GET", "/v1/subscriptions/x"),
        ("DELETE", "/v1/subscriptions/x"),
        ("POST", "/v1/subscriptions/x/enable"),
        ("GET", "/v1/deliveries"),
        ("POST", "/v1/deliveries/replay"),
        ("GET", "/v1/events"),
    ],
)
async def test_every_endpoint_needs_a_key(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, path, json={}, headers={"Authorization": ""})).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/subscriptions/none", None),
        ("DELETE", "/v1/subscriptions/none", None),
        ("POST", "/v1/subscriptions/none/enable", None),
        ("POST", "/v1/deliveries/replay", {"subscription_id": "none", "event_id": "ev_1"}),
    ],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, method: str, path: str, body: object) -> None:
    assert (await client.request(method, path, json=body)).status_code == 404


@pytest.mark.parametrize("query", ["cursor=x", "cursor=a.b", "limit=0", "limit=201", "state=lost", "cursor=.1"])
async def test_a_wrong_question_about_deliveries_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/deliveries?{query}")).status_code == 422


async def test_lists_page_through_everything_once(database: Database, client: httpx.AsyncClient) -> None:
    made = []
    for name in "abc":
        answer = await client.post("/v1/subscriptions", json={"url": f"https://{name}.example.com/"})
        made.append(answer.json()["subscription_id"])
    await stored(database, *(assigned(n) for n in range(5)))
    assert await _paged(client, "/v1/subscriptions?limit=2", "subscription_id") == made
    keys = await _paged(client, "/v1/deliveries?limit=4", "subscription_id", "event_id")
    assert len(keys) == len(set(keys)) == 15
    own = await _paged(client, f"/v1/deliveries?limit=2&subscription_id={made[1]}", "event_id")
    assert own == [assigned(n).id for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"from": "2026-11-01T00:00:00Z"},
        {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        {"from": "2026-11-01T00:00:00", "to": "2026-11-02T00:00:00Z"},
        {"event_id": "ev_1", "which": "some"},
    ],
)
async def test_a_replay_must_say_what(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    made = (await client.post("/v1/subscriptions", json={"url": "https://a.example.com/"})).json()
    answer = await client.post("/v1/deliveries/replay", json={"subscription_id": made["subscription_id"], **body})
    assert answer.status_code == 422


async def test_pulling_with_the_cursor_gives_every_event_once_as_webhooks_carry_it(
    database: Database, client: httpx.AsyncClient
) -> None:
    everything = [assigned(n) for n in range(7)]
    await stored(database, *everything)
    found, cursor = [], ""
    while True:
        page = (await client.get("/v1/events", params={"after": cursor, "limit": 3})).json()
        if not page["items"]:
            break
        found += page["items"]
        cursor = page["next"]
    assert found == [json.loads(structured(envelope)) for envelope in everything]
    assert page["next"] == cursor


async def test_pulling_by_type(database: Database, client: httpx.AsyncClient) -> None:
    await stored(database, assigned(1), opened(1), assigned(2))
    page = (await client.get("/v1/events?types=baton.window.*,baton.lead.parked.v1")).json()
    assert [item["id"] for item in page["items"]] == [opened(1).id]
    assert (await client.get("/v1/events?types=nonsense")).status_code == 422
    assert (await client.get("/v1/events?after=nonsense")).json()["errors"][0]["pointer"] == "/after"


async def test_a_long_poll_answers_when_something_comes_and_not_before(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.api.events.LOOK_S", 30.0)
    platform = platform_on(database, embedded_bus)
    service = build(platform)
    async with client_of(Web(platform, [service])) as client:
        assert (await client.get("/v1/events?wait=0.05")).json() == {"items": [], "next": "0"}
        polls = [asyncio.create_task(client.get("/v1/events?wait=20")) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(poll.done() for poll in polls)
        consuming = asyncio.create_task(service.tasks["consume"]())
        await embedded_bus.publish([encode(assigned(1))])
        async with asyncio.timeout(60):
            pages = [(await poll).json() for poll in polls]
        assert [[item["id"] for item in page["items"]] for page in pages] == [[assigned(1).id]] * 3
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)


async def test_a_stream_resumes_after_the_last_event_id(database: Database, embedded_bus: EmbeddedBus) -> None:
    platform = platform_on(database, embedded_bus)
    await stored(database, *(assigned(n) for n in range(3)))
    async with (
        serving(Web(platform, [build(platform)])) as url,
        httpx.AsyncClient(base_url=url, headers={**ADMIN, **STREAM}, timeout=20) as client,
    ):
        first = await _streamed(client, {}, 2)
        assert [event["id"] for _, event in first] == [assigned(0).id, assigned(1).id]

        async def later() -> None:
            await asyncio.sleep(0.3)
            await stored(database, opened(9))

        telling = asyncio.create_task(later())
        rest = await _streamed(client, {"Last-Event-ID": first[-1][0]}, 2)
        await telling
        assert [event["id"] for _, event in rest] == [assigned(2).id, opened(9).id]


async def test_readiness_names_what_is_away(database: Database, embedded_bus: EmbeddedBus) -> None:
    service = build(platform_on(database, embedded_bus))
    assert {name: await check() for name, check in service.checks.items()} == {
        "database": None,
        "log": None,
        "records": None,
    }


async def _paged(client: httpx.AsyncClient, path: str, *names: str) -> list[object]:
    found: list[object] = []
    cursor: str | None = None
    while True:
        page = (await client.get(path + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [tuple(item[name] for name in names) if len(names) > 1 else item[names[0]] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def _streamed(
    client: httpx.AsyncClient, headers: dict[str, str], count: int
) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    data = ""
    async with client.stream("GET", "/v1/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
            elif line.startswith("id: "):
                found.append((line.removeprefix("id: "), json.loads(data)))
                if len(found) == count:
                    break
    return found
