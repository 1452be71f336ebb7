"""Notices on a real log and both databases, through real receivers: who is told what, once, whatever breaks."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.delivery.store.leads import contexts_of
from services.delivery.store.notices import Grouping
from services.delivery.workers.notice_watch import NoticeWatch
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.event import Recipient
from shared.domain.events import Event, NoticeDelivered, NoticeFailed
from tests.kit import events
from tests.kit.agreements import agreement_text
from tests.kit.events import NINE, after
from tests.kit.subscribers import receiving
from tests.services.notices_kit import (
    AGREEMENT,
    OPS,
    PAGERDUTY,
    answers_late,
    body,
    notices_on,
    published,
    raised,
    warned,
)


async def test_a_person_is_told_once_and_the_record_the_event_and_the_message_agree(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(events.assigned(), raised())
        [told] = await notices.ended(1)
        [seen] = chat.seen
        await notices.publish(events.opened("ld_2"))
        [event] = await published(embedded_bus, NoticeDelivered, 1)
    assert body(seen)["id"] == told["notice_id"] == event.notice_id
    assert body(seen)["headline"].startswith("Overdue: first response, ")
    assert body(seen)["to"] == "mia"
    assert (told["state"], told["role"], told["person"], told["channel"]) == ("told", "manager", "mia", "webhook")
    assert (told["attempts"], told["reason"], told["lead_id"]) == (1, None, "ld_1")
    assert (event.channel, event.kind, event.escalation_id) == ("webhook", "breach", "es_ld_1")


async def test_a_message_about_a_period_says_how_it_goes(database: Database, embedded_bus: EmbeddedBus) -> None:
    of_volume: Any = events.OF_MARKETING
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        event = events.warned(
            "period:volume:2026-11", **of_volume | {"agreement": AGREEMENT.ref}, to=(Recipient("manager", "mia"),)
        )
        await notices.publish(event)
        [told] = await notices.ended(1)
    assert told["pace"] == "at this pace 310 of 400 by the month's end (155 of 400 accepted, 200 handed over)"
    assert body(chat.seen[0])["headline"].endswith(f"; {told['pace']}")


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
            [failed] = await published(embedded_bus, NoticeFailed, 1)
    assert (told["state"], told["channel"]) == ("told", "slack")
    assert len(pager.seen) == 3
    assert (failed.channel, failed.next_channel, failed.reason) == ("pagerduty", "slack", "answered 500")


async def test_what_no_channel_takes_has_failed_visibly(database: Database, embedded_bus: EmbeddedBus) -> None:
    async with receiving(404) as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(raised("ld_1", Recipient("manager", "mia"), Recipient("sales_lead", "sue")))
        found = {each["role"]: each for each in await notices.ended(2)}
        failures = {each.role: each for each in await published(embedded_bus, NoticeFailed, 2)}
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
    assert body(chat.seen[2])["headline"] == "Closed, nothing left to do (answered): first response"


@pytest.mark.parametrize(
    ("happens", "action"),
    [(events.acknowledged(by="tom", until=None), "acknowledge"), (events.closed(), "resolve")],
)
async def test_what_happens_while_a_pager_is_being_called_is_said_there_afterwards(
    database: Database, embedded_bus: EmbeddedBus, happens: Event, action: str
) -> None:
    async with receiving() as pager, receiving() as chat:
        goes_on = answers_late(pager)
        environ = {"PAGER": pager.url, "SLACK": chat.url, "CHAT": chat.url}
        async with notices_on(database, embedded_bus, environ) as notices:
            await notices.publish(raised("ld_1", OPS, page=True))
            await pager.got(1)
            await notices.publish(happens, raised("ld_2"))
            await chat.got(1)
            goes_on.set()
            await notices.ended(3)
    assert [body(seen)["event_action"] for seen in pager.seen] == ["trigger", action]


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


async def test_a_crash_between_the_request_and_its_record_tells_again_under_the_same_id(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.workers.dispatcher.LEASE_S", 0.5)
    async with receiving() as chat:
        quick = chat.reply
        never = answers_late(chat, 200)
        async with notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
            await notices.publish(raised())
            await chat.got(1)
        chat.reply = quick
        never.set()
        monkeypatch.setattr("services.delivery.workers.dispatcher.LEASE_S", 60.0)
        async with notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
            [told] = await notices.ended(1)
    assert told["state"] == "told"
    assert len(chat.seen) >= 2  # more if stopping took longer than the lease
    assert {body(seen)["id"] for seen in chat.seen} == {told["notice_id"]}


async def test_what_is_known_of_a_lead_is_erased_when_the_person_withdraws_consent(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(events.assigned("ld_1"), events.assigned("ld_2"), events.lead_closed("ld_2"))
        async with asyncio.timeout(60):
            while await _known(database) != {"ld_1"}:
                await asyncio.sleep(0.02)
        await notices.publish(raised("ld_1"))
        await notices.ended(1)
        await notices.publish(raised("ld_2"))
        await notices.ended(2)
    first, second = (body(seen)["text"] for seen in chat.seen)
    assert events.PERSON.email is not None
    assert events.PERSON.email in first
    assert events.PERSON.email not in second


async def test_readiness_says_that_a_mail_server_is_missing(database: Database, embedded_bus: EmbeddedBus) -> None:
    mailed = agreement_file.parse(agreement_text() + "channels: {rep: {email: {}}}\n", "test.yaml").agreement
    async with database.begin() as tx:
        await agreements.save(tx, mailed, NINE)
        await agreements.activate(tx, mailed.hash, NINE)
    watch = NoticeWatch(database, mails=False)
    looking = asyncio.create_task(watch.run())
    async with asyncio.timeout(60):
        while watch.note() is None:
            await asyncio.sleep(0.02)
    looking.cancel()
    assert "notifies rep by e-mail, but no mail server is configured" in (watch.note() or "")


async def _known(database: Database) -> set[str]:
    async with database.read() as tx:
        return set(await contexts_of(tx, ["ld_1", "ld_2"]))


async def test_an_endpoint_that_hangs_delays_no_other_and_what_waits_for_it_takes_the_next_channel(
    database: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.delivery.store.notices.CHANNEL_TIME", timedelta(seconds=0.5))
    async with receiving() as pager, receiving((200, {}, b"ok")) as slack, receiving() as chat:
        never = answers_late(pager, 200)
        environ = {"PAGER": pager.url, "SLACK": slack.url, "CHAT": chat.url}
        async with notices_on(database, embedded_bus, environ, deadline_s=1.0) as notices:
            people = [Recipient("ops", f"p{number}") for number in range(30)]
            await notices.publish(raised("ld_1", *people, page=True), raised("ld_2"))
            await chat.got(1)
            found = await notices.ended(31)
        never.set()
    assert {each["state"] for each in found} == {"told"}
    assert sorted(str(each["channel"]) for each in found) == ["slack"] * 30 + ["webhook"]
    # A deadline this short can strike while an answer is on its way; the notice is then sent once more.
    assert len(slack.seen) >= 30
