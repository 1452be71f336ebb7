"""What a pager may have taken is ended there, and what fires again alerts again: on both databases."""

from typing import Any

from services.delivery.domain.notice_retry import Schedules
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.event import Recipient
from tests.kit import events
from tests.kit.events import after
from tests.kit.subscribers import Receiver, Seen, receiving
from tests.kit.waiting import until
from tests.services.notices_kit import AGREEMENT, OPS, PAGERDUTY, Notices, body, notices_on, raised

SLOW = Schedules(each_s=(3600.0,), last_s=(3600.0,))
Sent = list[tuple[str, str]]


class Incidents:
    """A pager as PagerDuty documents it: a trigger for an incident that is acknowledged wakes nobody, and what ends an
    incident that is not open changes nothing.
    """

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        self.woken: list[str] = []

    def take(self, seen: Seen) -> None:
        action, key = body(seen)["event_action"], body(seen)["dedup_key"]
        if action == "trigger":
            if key not in self.open:
                self.woken.append(key)
            self.open.setdefault(key, "triggered")
        elif action == "acknowledge" and key in self.open:
            self.open[key] = "acknowledged"
        elif action == "resolve":
            self.open.pop(key, None)


def sent(pager: Receiver) -> Sent:
    return [(body(seen)["event_action"], body(seen)["dedup_key"]) for seen in pager.seen]


async def test_what_fires_again_after_an_acknowledgement_wakes_someone_again_and_ends_with_all_of_it(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    incidents = Incidents()
    async with (
        receiving(PAGERDUTY) as pager,
        receiving() as chat,
        notices_on(database, embedded_bus, {"PAGER": pager.url, "SLACK": chat.url}) as notices,
    ):
        await notices.publish(raised("ld_1", OPS, page=True))
        await notices.ended(1)
        await notices.publish(events.acknowledged(by="tom"))
        await notices.ended(2)
        again = {"because": "acknowledgement_ended", "at": after(50), "due_at": after(50)}
        await notices.publish(raised("ld_1", OPS, page=True, **again), raised("ld_1", OPS, page=True, level=3))
        await notices.ended(4)
        for seen in pager.seen:
            incidents.take(seen)
        first, second = incidents.woken
        assert incidents.open == {first: "acknowledged", second: "triggered"}
        assert (first, second.partition("~")[0]) == ("wi_ld_1", "wi_ld_1")
        await notices.publish(events.closed())
        await notices.ended(6)
    for seen in pager.seen:
        incidents.take(seen)
    assert incidents.open == {}


async def test_what_fires_again_after_a_silence_is_a_new_incident_and_ends_with_all_of_it(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with (
        receiving(PAGERDUTY) as pager,
        receiving() as chat,
        notices_on(database, embedded_bus, {"PAGER": pager.url, "SLACK": chat.url}) as notices,
    ):
        await notices.publish(raised("ld_1", OPS, page=True))
        await notices.ended(1)
        await notices.publish(events.raised("ld_1", level=3, to=(), skipped="silenced: the CRM moves"))
        again = {"because": "silence_ended", "at": after(50), "due_at": after(50)}
        await notices.publish(raised("ld_1", OPS, page=True, level=3, **again))
        await notices.ended(2)
        await notices.publish(raised("ld_1", OPS, page=True, level=4, at=after(60)))
        await notices.ended(3)
        await notices.publish(events.closed(at=after(70)))
        await notices.ended(5)
    keys = [key for _, key in sent(pager)]
    first, second = dict.fromkeys(keys)
    assert [(action, key) for action, key in sent(pager)][:3] == [
        ("trigger", first),
        ("trigger", second),
        ("trigger", second),
    ]
    assert sorted(sent(pager)[3:]) == sorted([("resolve", first), ("resolve", second)])


async def test_a_page_that_a_pager_took_without_saying_so_is_ended_there_when_its_retry_is_not_sent(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving(503) as pager, receiving() as chat:
        environ = {"PAGER": pager.url, "SLACK": chat.url, "CHAT": chat.url}
        async with notices_on(database, embedded_bus, environ, schedules=SLOW) as notices:
            await notices.publish(raised("ld_1", OPS, page=True))
            await _tried(notices, 1)
            pager.reply = _taken
            await notices.publish(events.closed())
            await pager.got(2)
            found = await notices.listed()
    assert sent(pager) == [("trigger", "wi_ld_1"), ("resolve", "wi_ld_1")]
    assert chat.seen == []
    assert {each["kind"] for each in found} == {"breach", "closed"}


async def test_a_notice_that_is_over_while_it_waits_for_its_retry_is_dropped_and_a_refusal_is_not_ended(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    soon = Schedules(each_s=(0.5, 0.5), last_s=(0.5, 0.5))
    async with receiving(429) as pager, receiving() as chat:
        environ = {"PAGER": pager.url, "SLACK": chat.url}
        async with notices_on(database, embedded_bus, environ, schedules=soon) as notices:
            await notices.publish(raised("ld_1", OPS, page=True))
            await _tried(notices, 1)
            await notices.publish(events.closed())
            [dropped] = await notices.ended(1)
    assert (dropped["state"], dropped["reason"]) == ("dropped", "answered")
    assert (len(pager.seen) <= 2, chat.seen) == (True, [])


async def test_a_page_that_went_on_by_chat_is_ended_at_the_pager_as_well(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with (
        receiving(502) as pager,
        receiving((200, {}, b"ok")) as chat,
        notices_on(database, embedded_bus, {"PAGER": pager.url, "SLACK": chat.url}) as notices,
    ):
        await notices.publish(raised("ld_1", OPS, page=True))
        [told] = await notices.ended(1)
        pager.reply = _taken
        await notices.publish(events.closed())
        await notices.ended(3)
    assert told["channel"] == "slack"
    assert sent(pager)[-1] == ("resolve", "wi_ld_1")
    assert [json["text"].split(":")[0] for json in map(body, chat.seen)] == [
        "Overdue",
        "Closed, nothing left to do (answered)",
    ]


async def test_a_breach_that_comes_back_in_the_same_batch_is_sent(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(raised(), events.closed(reason="breach retracted"), raised(at=after(40)))
        found = await notices.ended(2)
    assert sorted(each["state"] for each in found) == ["dropped", "told"]
    assert len(chat.seen) == 1


async def test_those_of_the_last_level_learn_that_nobody_has_answered_and_that_nothing_follows(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    to = (Recipient("manager", "mia"),)
    async with receiving() as chat, notices_on(database, embedded_bus, {"CHAT": chat.url}) as notices:
        await notices.publish(raised())
        await notices.ended(1)
        await notices.publish(events.exhausted(to=to, agreement=AGREEMENT.ref, promise_due_at=after(15)))
        await notices.ended(2)
        await notices.publish(events.closed())
        found = await notices.ended(3)
    heads = [body(seen)["headline"].split(": ")[0] for seen in chat.seen]
    assert heads == ["Overdue", "Still overdue", "Closed, nothing left to do (answered)"]
    assert [each["kind"] for each in found] == ["breach", "exhausted", "closed"]


async def _taken(_seen: Seen) -> Any:
    return PAGERDUTY


async def _tried(notices: Notices, attempts: int) -> None:
    async def is_tried() -> bool:
        return [each["attempts"] for each in await notices.listed()] == [attempts]

    await until(is_tried)
