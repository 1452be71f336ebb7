"""Notices on a real log and both databases, through real receivers: who is told what, once, whatever breaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.delivery.domain.notice_retry import Schedules
from services.delivery.service import build
from services.delivery.store.notices import Grouping
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import decode, encode
from shared.db.engine import Database
from shared.domain.event import Recipient
from shared.domain.events import ESCALATIONS, Event, NoticeDelivered, NoticeFailed
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.events import NINE, after, envelope
from tests.kit.services import client_of, from_start, platform_on, running
from tests.kit.subscribers import Seen, receiving

QUICK = Schedules(each_s=(0.02, 0.02), last_s=(0.02,) * 4)
AT_ONCE = Grouping(interval_s=0.0, gather_s=0.0)
PAGERDUTY: tuple[int, dict[str, str], bytes] = (202, {}, b'{"status":"success"}')
CHANNELS = """
channels:
  rep: {webhook: {url_from: env:CHAT}}
  manager: {webhook: {url_from: env:CHAT}}
  ops: {pagerduty: {routing_key_from: env:KEY, url_from: env:PAGER}, slack: {url_from: env:SLACK}}
"""
AGREEMENT = agreement_file.parse(agreement_text() + CHANNELS, "test.yaml").agreement


class Notices:
    """A delivery service whose notices a test looks at."""

    def __init__(self, client: httpx.AsyncClient, bus: EmbeddedBus) -> None:
        self._client = client
        self._bus = bus

    async def publish(self, *made: Event) -> None:
        envelopes = [envelope(event) for event in made]
        await self._bus.publish([encode(each) for each in envelopes])

    async def listed(self, **wanted: str) -> list[dict[str, Any]]:
        answer = await self._client.get("/v1/notices", params={"limit": 200, **wanted})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def ended(self, count: int) -> list[dict[str, Any]]:
        """All notices, once there are so many and none is due."""
        async with asyncio.timeout(30):
            while True:
                found = await self.listed()
                if len(found) >= count and not any(each["state"] == "due" for each in found):
                    return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def notices_on(
    database: Database,
    bus: EmbeddedBus,
    environ: Mapping[str, str],
    *,
    grouping: Grouping = AT_ONCE,
    schedules: Schedules = QUICK,
    deadline_s: float = 15,
) -> AsyncIterator[Notices]:
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
    given = {"BATON_ALLOW_LOOPBACK_ENDPOINTS": "true", "KEY": "R0123456789", **environ}
    platform = platform_on(database, bus, **given)
    service = build(platform, schedules=schedules, grouping=grouping, deadline_s=deadline_s)
    async with running(platform, service) as web, client_of(web) as client:
        yield Notices(client, bus)
    for drain in service.drains[1::2]:
        await drain()


def raised(lead: str = "ld_1", *to: Recipient, **changes: Any) -> Event:
    return events.raised(
        lead, to=to or (Recipient("manager", "mia"),), agreement=AGREEMENT.ref, promise_due_at=after(15), **changes
    )


def warned(lead: str = "ld_1", **changes: Any) -> Event:
    return events.warned(lead, to=(Recipient("rep", "ann"),), agreement=AGREEMENT.ref, **changes)


OPS = Recipient("ops", "lea")


def body(seen: Seen) -> Mapping[str, Any]:
    return dict(json.loads(seen.body))


async def test_a_person_is_told_once_and_the_record_the_event_and_the_message_agree(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(events.assigned(), raised())
        [told] = await notices.ended(1)
        [seen] = chat.seen
        await notices.publish(events.opened("ld_2"))
        published = await _published(embedded_bus, NoticeDelivered, 1)
    assert body(seen)["id"] == told["notice_id"] == published[0].notice_id
    assert body(seen)["headline"].startswith("Overdue: first response, ")
    assert body(seen)["to"] == "mia"
    assert (told["state"], told["role"], told["person"], told["channel"]) == ("told", "manager", "mia", "webhook")
    assert (told["attempts"], told["reason"], told["lead_id"]) == (1, None, "ld_1")
    assert (published[0].channel, published[0].kind, published[0].escalation_id) == ("webhook", "breach", "es_ld_1")


async def test_the_same_event_again_tells_no_one_again(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(raised())
        await notices.ended(1)
        await notices.publish(raised(), raised("ld_2"))
        await notices.ended(2)
    assert len(chat.seen) == 2


async def test_a_channel_that_fails_is_followed_by_the_next_one_which_the_events_say(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving(500) as pager, receiving((200, {}, b"ok")) as slack:
        environ = {"PAGER": pager.url, "SLACK": slack.url}
        async with notices_on(database, embedded_bus, environ) as notices:
            await notices.publish(raised("ld_1", OPS, page=True))
            [told] = await notices.ended(1)
            [failed] = await _published(embedded_bus, NoticeFailed, 1)
    assert (told["state"], told["channel"]) == ("told", "slack")
    assert len(pager.seen) == 3
    assert (failed.channel, failed.next_channel, failed.reason) == ("pagerduty", "slack", "answered 500")


async def test_what_no_channel_takes_has_failed_visibly(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with receiving(404) as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(raised("ld_1", Recipient("manager", "mia"), Recipient("sales_lead", "sue")))
        found = {each["role"]: each for each in await notices.ended(2)}
        failures = {each.role: each for each in await _published(embedded_bus, NoticeFailed, 2)}
        assert {each["role"] for each in await notices.listed(state="failed", role="manager")} == {"manager"}
    assert found["manager"]["state"] == found["sales_lead"]["state"] == "failed"
    assert (found["manager"]["channel"], found["manager"]["reason"]) == ("webhook", "answered 404")
    assert found["sales_lead"]["reason"] == "the agreement has no channel for sales_lead"
    assert (failures["sales_lead"].channel, failures["manager"].next_channel) == (None, None)


async def test_a_warning_whose_promise_was_kept_before_it_was_sent_is_dropped(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    held = Grouping(interval_s=3600, gather_s=0)
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}, grouping=held) as notices:
        await notices.publish(warned("ld_1"))
        await notices.ended(1)
        await notices.publish(warned("ld_2"), events.met("ld_2"))
        [first, second] = await notices.ended(2)
    assert (first["state"], second["state"], second["reason"]) == ("told", "dropped", "met")
    assert len(chat.seen) == 1


async def test_those_who_were_told_learn_that_it_was_acknowledged_and_that_it_is_over(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving(PAGERDUTY) as pager, receiving() as chat:
        environ = {"PAGER": pager.url, "SLACK": chat.url, "CHAT": chat.url}
        async with notices_on(database, embedded_bus, environ) as notices:
            await notices.publish(raised("ld_1", OPS, Recipient("manager", "mia"), page=True))
            await notices.ended(2)
            await notices.publish(events.acknowledged(by="tom"))
            await notices.ended(4)
            await notices.publish(events.closed())
            await notices.ended(6)
            await notices.publish(events.closed(at=after(31)), raised("ld_2"))
            await notices.ended(7)
    assert [body(seen)["event_action"] for seen in pager.seen] == ["trigger", "acknowledge", "resolve"]
    assert {body(seen)["dedup_key"] for seen in pager.seen} == {"wi_ld_1"}
    assert [body(seen)["kind"] for seen in chat.seen] == ["breach", "acknowledged", "closed", "breach"]
    assert body(chat.seen[2])["headline"] == "Closed (answered): first response"


async def test_what_was_closed_before_it_was_sent_is_neither_sent_nor_resolved(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    slow = Grouping(interval_s=0, gather_s=3600)
    async with (
        receiving(PAGERDUTY) as pager,
        notices_on(database, embedded_bus, {"PAGER": pager.url, "SLACK": pager.url}, grouping=slow) as notices,
    ):
        await notices.publish(raised("ld_1", OPS, page=True), events.closed())
        [dropped] = await notices.ended(1)
    assert (dropped["state"], dropped["reason"]) == ("dropped", "answered")
    assert pager.seen == []


async def test_what_is_closed_while_a_pager_is_being_called_is_resolved_afterwards(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    goes_on = asyncio.Event()

    async def wait(_seen: Seen) -> Any:
        await goes_on.wait()
        return PAGERDUTY

    async with receiving(PAGERDUTY) as pager, receiving() as subscriber:
        pager.reply = wait
        async with notices_on(database, embedded_bus, {"PAGER": pager.url, "SLACK": pager.url}) as notices:
            await notices.publish(raised("ld_1", OPS, page=True))
            await pager.got(1)
            await notices.publish(events.closed(), raised("ld_2", Recipient("sales_lead", "sue")))
            async with asyncio.timeout(30):
                while not await notices.listed(role="sales_lead"):
                    await asyncio.sleep(0.02)
            goes_on.set()
            await notices.ended(3)
    assert subscriber.seen == []
    assert [body(seen)["event_action"] for seen in pager.seen] == ["trigger", "resolve"]


async def test_a_crash_between_the_request_and_its_record_tells_again_under_the_same_id(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.workers.dispatcher.LEASE_S", 0.5)
    never = asyncio.Event()

    async def hang(_seen: Seen) -> int:
        await never.wait()
        return 200

    async with receiving() as chat:
        quick, chat.reply = chat.reply, hang
        async with notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
            await notices.publish(raised())
            await chat.got(1)
        chat.reply = quick
        never.set()
        async with notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
            [told] = await notices.ended(1)
            first, second = chat.seen
    assert told["state"] == "told"
    assert body(first)["id"] == body(second)["id"] == told["notice_id"]


async def test_a_storm_of_breaches_is_a_bounded_number_of_messages(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    minute = Grouping(interval_s=2.0, gather_s=0.5)
    count = 1_000
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}, grouping=minute) as notices:
        await notices.publish(*(raised(f"ld_{number}") for number in range(count)))
        async with asyncio.timeout(60):
            while await notices.listed(state="due") or not await notices.listed():
                await asyncio.sleep(0.05)
        told = await _published(embedded_bus, NoticeDelivered, count)
    assert len(chat.seen) <= 4
    assert len({each.notice_id for each in told}) == count
    counts = [int(body(seen)["headline"].split(" leads")[0].rsplit(" ", 1)[1]) for seen in chat.seen]
    assert sum(counts) == count
    assert f"and {counts[0] - 6} more" in body(chat.seen[0])["text"]


async def test_an_endpoint_that_hangs_delays_no_other_and_what_waits_for_it_takes_the_next_channel(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.store.notices.CHANNEL_TIME", timedelta(seconds=0.5))
    never = asyncio.Event()

    async def hang(_seen: Seen) -> int:
        await never.wait()
        return 200

    async with receiving() as pager, receiving((200, {}, b"ok")) as slack, receiving() as chat:
        pager.reply = hang
        environ = {"PAGER": pager.url, "SLACK": slack.url, "CHAT": chat.url}
        async with notices_on(database, embedded_bus, environ, deadline_s=1.0) as notices:
            people = [Recipient("ops", f"p{number}") for number in range(30)]
            await notices.publish(raised("ld_1", *people, page=True), raised("ld_2"))
            await chat.got(1)
            found = await notices.ended(31)
        never.set()
    assert {each["state"] for each in found} == {"told"}
    assert len(slack.seen) == 30


async def _published(bus: EmbeddedBus, kind: type[Any], count: int) -> list[Any]:
    """The first events of this type on the topic."""
    reader = await bus.subscribe(group=f"tests-{kind.TYPE}", topics=[ESCALATIONS], positions=from_start)
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            polled = [decode(record).event for record in await reader.poll(max_records=1000, wait_s=1)]
            found += [event for event in polled if isinstance(event, kind)]
    await reader.close()
    return found
