"""Notices over HTTP: what arrives is what the vendor's own client sends, a real Alertmanager fires and resolves, and an
endpoint that refuses, answers nonsense or hangs has a stated outcome.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pagerduty
import pytest
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient
from standardwebhooks import Webhook

from services.delivery.channels import HTTP_CHANNELS, Notifier
from services.delivery.channels.connecting import resolve
from services.delivery.channels.http_client import HttpClient
from services.delivery.channels.pagerduty import URL
from services.delivery.domain.notice import Notice
from services.delivery.domain.outcome import Outcome
from shared.clock import SystemClock
from tests.kit.alertmanager import alertmanager
from tests.kit.notices import notice
from tests.kit.subscribers import Receiver, Reply, Seen, receiving

KEY = "R0123456789abcdef0123456789abcde"
TOKEN = "xoxb-1-2-secret"


@asynccontextmanager
async def notifier(environ: Mapping[str, str], *, deadline_s: float = 15) -> AsyncIterator[Notifier]:
    client = HttpClient(clock=SystemClock(), resolve=resolve, allow_loopback=True, deadline_s=deadline_s)
    yield Notifier(client, None, environ, SystemClock())
    await client.close()


async def sent(receiver: Receiver, made: Notice, kind: str, **settings: str) -> tuple[Outcome, Seen]:
    """How sending it to the receiver ended, and what the receiver got."""
    environ = {"URL": receiver.url, "KEY": KEY, "TOKEN": TOKEN}
    before = len(receiver.seen)
    async with notifier(environ) as sender:
        outcome = await sender.send(made, kind, settings)
    [seen] = receiver.seen[before:]
    return outcome, seen


def body(seen: Seen) -> Any:
    return json.loads(seen.body)


PAGERDUTY: tuple[int, dict[str, str], bytes] = (
    202,
    {},
    b'{"status":"success","message":"Event processed","dedup_key":"win_7"}',
)


@pytest.mark.parametrize("kind", ["breach", "acknowledged", "closed"])
async def test_pagerduty_gets_what_its_own_client_sends(kind: str) -> None:
    async with receiving(PAGERDUTY) as receiver:
        made = notice(kind=kind, by="Mia")
        outcome, ours = await sent(receiver, made, "pagerduty", routing_key_from="env:KEY", url_from="env:URL")
        event = body(ours)

        def send_as_the_vendor() -> None:
            client = pagerduty.EventsApiV2Client(KEY, transport=httpx2.MockTransport(answer))
            if kind == "breach":
                given = {name: event[name] for name in ("client", "links", "payload")}
                client.send_event("trigger", dedup_key="win_7", **given)
            elif kind == "acknowledged":
                client.acknowledge("win_7")
            else:
                client.resolve("win_7")

        theirs: list[httpx2.Request] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            theirs.append(request)
            return httpx2.Response(PAGERDUTY[0], content=PAGERDUTY[2])

        send_as_the_vendor()
    assert outcome == Outcome("taken", "answered 202")
    assert [str(each.url) for each in theirs] == [URL]
    assert event == json.loads(theirs[0].content)
    assert ours.headers["content-type"] == theirs[0].headers["content-type"]


async def test_a_slack_webhook_gets_what_slacks_own_client_sends() -> None:
    async with receiving((200, {}, b"ok")) as receiver:
        outcome, ours = await sent(receiver, notice(), "slack", url_from="env:URL")
        said = body(ours)
        await asyncio.to_thread(WebhookClient(receiver.url).send, **said)
        assert outcome == Outcome("taken", "answered 200")
        assert said == body(receiver.seen[-1])


async def test_slacks_api_gets_what_slacks_own_client_sends() -> None:
    async with receiving((200, {}, b'{"ok":true,"ts":"1.2"}')) as receiver:
        settings = {"token_from": "env:TOKEN", "api_from": "env:URL", "channel": "C123"}
        outcome, ours = await sent(receiver, notice(), "slack", **settings)
        said = body(ours)
        client = WebClient(TOKEN, base_url=receiver.url.removesuffix("hook"))
        await asyncio.to_thread(client.chat_postMessage, **said)
        theirs = receiver.seen[-1]
    assert outcome == Outcome("taken", "answered 200")
    assert said == body(theirs)
    assert ours.headers["authorization"] == theirs.headers["authorization"] == f"Bearer {TOKEN}"


async def test_what_a_webhook_gets_is_signed_as_events_for_subscribers_are() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with receiving() as receiver, notifier({"URL": receiver.url, "SECRET": secret, "BAD": "whsec_!"}) as sender:
        settings = {"url_from": "env:URL", "secret_from": "env:SECRET"}
        assert (await sender.send(notice(), "webhook", settings)).state == "taken"
        bad = await sender.send(notice(), "webhook", {**settings, "secret_from": "env:BAD"})
        [seen] = receiver.seen
    assert Webhook(secret).verify(seen.body, dict(seen.headers))["headline"].startswith("Overdue: first response")
    assert seen.headers["webhook-id"] == "nt_1"
    assert bad == Outcome("failed", "A webhook secret must be 'whsec_' followed by base64.")


@pytest.mark.parametrize("kind", HTTP_CHANNELS)
async def test_a_secret_of_which_an_endpoint_speaks_is_not_shown(kind: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    echo = json.dumps({"status": "invalid", "errors": [f"the key {KEY} is wrong"]}).encode()
    async with receiving((400, {}, echo)) as receiver, notifier({"URL": receiver.url}) as sender:
        settings = {"url_from": "env:URL", **dict.fromkeys(("routing_key_from", "key_from"), f"file:{tmp_path}/key")}
        outcome = await sender.send(notice(), kind, settings)
    assert outcome.state == "failed"
    assert KEY not in outcome.why
    assert "the key [secret] is wrong" in outcome.why or kind != "pagerduty"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "the channel's setting `url` is missing"),
        ({"url_from": "env:NOT_SET"}, "env:NOT_SET is not set or empty"),
        ({"url_from": "file:/nowhere/secret"}, "file:/nowhere/secret can't be read"),
        ({"url_from": "env:TWO_LINES"}, "env:TWO_LINES contains a line break or another character that no secret has"),
        ({"url_from": "http://in.the.open/"}, "a secret is not referred to by `env:NAME` or `file:PATH`"),
        (
            {"url_from": "env:INTERNAL"},
            "The URL's address can't be used: it is not a public address. Use a host that the internet can reach. "
            "A host of your own network must be in BATON_DELIVERY_INTERNAL_HOSTS.",
        ),
        ({"url_from": "env:PLAIN"}, "Messages are sent over TLS only: start the URL with https://."),
    ],
)
async def test_a_channel_without_a_usable_secret_fails_and_says_what_to_change(
    settings: dict[str, str], why: str
) -> None:
    environ = {"TWO_LINES": "https://x\r\nx: y", "INTERNAL": "https://169.254.169.254/", "PLAIN": "http://example.com/"}
    async with notifier(environ) as sender:
        outcome = await sender.send(notice(), "teams", settings)
    assert (outcome.state, outcome.why) == ("failed", why)


async def test_an_unknown_kind_and_mail_without_a_server_fail_and_say_so() -> None:
    async with notifier({}) as sender:
        assert (await sender.send(notice(), "fax", {})).why == "there is no channel of the kind `fax`"
        assert await sender.send(notice(), "email", {}) == Outcome("failed", "no mail server is configured")


async def test_an_endpoint_that_hangs_or_is_down_is_tried_again_and_a_busy_one_when_it_asks() -> None:
    async def hang(_seen: Seen) -> Reply:
        await asyncio.Event().wait()
        return 200

    async with receiving((429, {"retry-after": "7"})) as receiver:
        async with notifier({"URL": receiver.url}) as sender:
            busy = await sender.send(notice(), "teams", {"url_from": "env:URL"})
        receiver.reply = hang
        async with notifier({"URL": receiver.url}, deadline_s=1) as sender:
            hung = await sender.send(notice(), "teams", {"url_from": "env:URL"})
    async with notifier({"URL": receiver.url}) as sender:
        down = await sender.send(notice(), "teams", {"url_from": "env:URL"})
    assert busy == Outcome("retry", "answered 429", 7.0)
    assert hung == Outcome("retry", "no answer within 1 s", unsure=True, about="address")
    assert down == Outcome("retry", "the connection was refused or not answered", about="address")


async def test_alertmanager_fires_is_silenced_and_resolves(tmp_path: Path) -> None:
    at = datetime.now(UTC)
    async with receiving(200) as receiver:
        with alertmanager(tmp_path, receiver.url) as url:
            async with notifier({"URL": url}) as sender, httpx.AsyncClient(base_url=url) as api:

                async def send(**changes: Any) -> None:
                    made = notice(**{"at": at, "recipient": notice().recipient, **changes})
                    outcome = await sender.send(made, "alertmanager", {"url_from": "env:URL"})
                    assert outcome == Outcome("taken", "answered 200")

                async def alerts() -> list[Any]:
                    return list((await api.get("/api/v2/alerts")).json())

                async def posted(count: int) -> list[tuple[str, str, str]]:
                    """What Alertmanager sent on, as status, name and severity, once there are `count` posts."""
                    return [
                        (alert["status"], alert["labels"]["alertname"], alert["labels"]["severity"])
                        for seen in (await receiver.got(count))[:count]
                        for alert in body(seen)["alerts"]
                    ]

                await send(kind="warning")
                assert await posted(1) == [("firing", "BatonPromiseDueSoon", "warning")]

                await send(kind="breach")
                assert set(await posted(3)) == {
                    ("firing", "BatonPromiseDueSoon", "warning"),
                    ("resolved", "BatonPromiseDueSoon", "warning"),
                    ("firing", "BatonPromiseOverdue", "critical"),
                }
                [alert] = await alerts()
                assert alert["annotations"]["summary"].startswith("Overdue: first response, Jo Doe of Initech")
                assert alert["generatorURL"] == "https://baton.example/a/ack?t=abc&x=1"
                assert datetime.fromisoformat(alert["endsAt"]) == _to_ms(at + timedelta(days=7))

                await send(kind="acknowledged", by="Mia", until=at + timedelta(hours=1))
                [silence] = (await api.get("/api/v2/silences")).json()
                assert (silence["createdBy"], silence["status"]["state"]) == ("Mia", "active")
                assert datetime.fromisoformat(silence["endsAt"]) == _to_ms(at + timedelta(hours=1))
                assert [each["status"]["state"] for each in await alerts()] == ["suppressed"]

                await send(kind="closed", by="met", at=datetime.now(UTC))
                assert await alerts() == []


def _to_ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
