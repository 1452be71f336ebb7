"""Many notices at once, on both databases: a bounded number of messages, and what a group says and ends."""

import asyncio
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from services.delivery.domain.due_notices import Draft, notices_of
from services.delivery.domain.sending_channel import SendingChannel
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.store import messages, tables
from services.delivery.store.messages import FIRST
from services.delivery.store.notices import Grouping, add_notices
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import NoticeDelivered
from tests.kit import events
from tests.kit.events import NINE, after, envelope, received
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
)


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
        told = await published(embedded_bus, NoticeDelivered, count)
    assert len(chat.seen) <= 4
    assert len({each.notice_id for each in told}) == count
    counts = [int(body(seen)["headline"].split(" leads")[0].rsplit(" ", 1)[1]) for seen in chat.seen]
    assert sum(counts) == count
    assert f"and {counts[0] - 6} more" in body(chat.seen[0])["text"]


async def test_ten_thousand_breaches_are_a_message_a_minute_to_their_recipient(database: Database) -> None:
    def drafts(first: int) -> list[Draft]:
        made = (raised(f"ld_{number}") for number in range(first, first + 1_000))
        return [
            Draft(due, (SendingChannel("webhook"),), due.window_id)
            for event in made
            for due in notices_of(event, f"ev_{event.lead_id}")
        ]

    sent = []
    for number in range(10):
        now = after(number / 4)
        async with database.begin() as tx:
            assert await add_notices(tx, drafts(number * 1_000), now, Grouping(interval_s=60, gather_s=1)) == 1_000
        async with database.begin() as tx:
            for lane, due_at in await messages.waiting_lanes(tx):
                if due_at <= now + timedelta(seconds=1):
                    sent += await messages.claim(tx, lane, now + timedelta(seconds=1), after(60), 32)
    async with database.begin() as tx:
        about, _ = await messages.contents(tx, [message.message_id for message in sent], after(5))
    assert [about[message.message_id].count for message in sent] == [1_000, 4_000, 4_000]
    assert not any(content.several for content in about.values())


async def test_a_message_is_about_several_promises_though_all_that_it_names_are_about_one(database: Database) -> None:
    channel = (SendingChannel("webhook"),)
    events_ = [events.raised(f"ld_{number}", to=(OPS,), due_at=after(number)) for number in range(FIRST)]
    late = events.raised("ld_9", to=(OPS,), promise="disposition", due_at=after(3_600))
    drafts = [Draft(due, channel, due.window_id) for each in (*events_, late) for due in notices_of(each, each.lead_id)]
    async with database.begin() as tx:
        await add_notices(tx, drafts, after(0), Grouping(interval_s=60, gather_s=1))
    async with database.begin() as tx:
        [(lane, _)] = await messages.waiting_lanes(tx)
        [message] = await messages.claim(tx, lane, after(2), after(60), 32)
        about, _ = await messages.contents(tx, [message.message_id], after(5))
    found = about[message.message_id]
    assert (found.count, len(found.first), found.several) == (FIRST + 1, FIRST, True)


async def test_a_pagers_incident_for_a_group_is_acknowledged_and_ends_with_the_last_of_its_promises(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving(PAGERDUTY) as pager, receiving() as chat:
        environ = {"PAGER": pager.url, "SLACK": chat.url, "CHAT": chat.url}
        gathered = Grouping(interval_s=0, gather_s=0.5)
        async with notices_on(database, embedded_bus, environ, grouping=gathered) as notices:
            await notices.publish(*(raised(lead, OPS, page=True) for lead in ("ld_1", "ld_2")))
            await notices.ended(2)
            await notices.publish(events.acknowledged("ld_1", by="tom", until=None), raised("ld_3"))
            await notices.ended(3)
            assert [body(seen)["event_action"] for seen in pager.seen] == ["trigger"]
            await notices.publish(events.acknowledged("ld_2", by="tom", until=None))
            await notices.ended(4)
            await notices.publish(events.closed("ld_1"), raised("ld_4"))
            await notices.ended(5)
            assert [body(seen)["event_action"] for seen in pager.seen] == ["trigger", "acknowledge"]
            await notices.publish(events.closed("ld_2"))
            await notices.ended(6)
    first, taken, last = map(body, pager.seen)
    assert "2 leads" in first["payload"]["summary"]
    assert (taken["event_action"], taken["dedup_key"]) == ("acknowledge", first["dedup_key"])
    assert (last["event_action"], last["dedup_key"]) == ("resolve", first["dedup_key"])


async def test_a_groups_incident_is_not_resolved_while_it_is_sent_and_one_of_its_promises_goes_on(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as pager, receiving() as chat:
        goes_on = answers_late(pager)
        environ = {"PAGER": pager.url, "SLACK": pager.url, "CHAT": chat.url}
        gathered = Grouping(interval_s=0, gather_s=0.5)
        async with notices_on(database, embedded_bus, environ, grouping=gathered) as notices:
            await notices.publish(*(raised(lead, OPS, page=True) for lead in ("ld_1", "ld_2")))
            await pager.got(1)
            await notices.publish(events.closed("ld_1"), raised("ld_3"))
            await chat.got(1)
            goes_on.set()
            assert {each["kind"] for each in await notices.ended(3)} == {"breach"}
            await notices.publish(events.closed("ld_2"))
            await notices.ended(4)
    trigger, resolve = map(body, pager.seen)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert resolve["dedup_key"] == trigger["dedup_key"]


async def test_a_group_of_which_one_is_left_is_sent_again_under_the_same_id(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    async with receiving() as chat, receiving(PAGERDUTY) as other:
        goes_on = answers_late(chat, 500)
        environ = {"PAGER": other.url, "SLACK": other.url, "CHAT": chat.url}
        gathered = Grouping(interval_s=0, gather_s=0.5)
        async with notices_on(database, embedded_bus, environ, grouping=gathered) as notices:
            await notices.publish(raised("ld_1"), raised("ld_2"))
            await chat.got(1)
            await notices.publish(events.closed("ld_1"), raised("ld_3", OPS, page=True))
            await other.got(1)
            goes_on.set()
            before, again = map(body, (await chat.got(2))[:2])
    assert "2 leads" in before["headline"]
    assert "leads" not in again["headline"]
    assert again["id"] == before["id"]


async def test_a_batch_of_ends_takes_a_bounded_number_of_statements(database: Database) -> None:
    """All of it is under the lock that messages are claimed under."""
    handlers = NoticeHandlers(Grouping())
    raised_, closed = (
        [received(envelope(made(f"ld_{number}"))) for number in range(200)] for made in (raised, events.closed)
    )
    statements: list[str] = []
    async with database.begin() as tx:
        await agreements.save(tx, AGREEMENT, NINE)
        await handlers.on_escalations(tx, raised_, NINE)
        await tx.execute(sa.update(tables.notices).values(state="told", ended_at=NINE))

        @sa.event.listens_for(tx.sync_engine, "before_cursor_execute")
        def note(*args: Any) -> None:
            statements.append(args[2])

        await handlers.on_escalations(tx, closed, NINE)
        sa.event.remove(tx.sync_engine, "before_cursor_execute", note)
        kinds = sa.select(tables.notices.c.kind, sa.func.count()).group_by(tables.notices.c.kind)
        assert {tuple(row) for row in await tx.execute(kinds)} == {("breach", 200), ("closed", 200)}
    assert len(statements) < 20, statements


async def test_several_steps_about_one_lead_are_one_lead_in_the_message(
    database: Database, embedded_bus: EmbeddedBus
) -> None:
    gathered = Grouping(interval_s=0, gather_s=0.5)
    async with (
        receiving() as chat,
        notices_on(database, embedded_bus, {"CHAT": chat.url}, grouping=gathered) as notices,
    ):
        await notices.publish(events.assigned(), raised(level=2), raised(level=3, at=after(20)))
        assert [each["state"] for each in await notices.ended(2)] == ["told", "told"]
    [seen] = chat.seen
    assert body(seen)["headline"].startswith("Overdue: first response, ")
    assert "leads" not in body(seen)["headline"]
