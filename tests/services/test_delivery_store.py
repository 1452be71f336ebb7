"""What delivery stores, on both databases: order that readers can trust, claims that end, results that count once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.delivery.domain.event_types import types_of
from services.delivery.handlers.events import DeliveryHandlers
from services.delivery.handlers.notices import NoticeHandlers
from services.delivery.store import deliveries, events, subscriptions
from services.delivery.store.deliveries import Claimed, Report
from services.delivery.store.events import PublicEvent
from services.delivery.store.notices import Grouping
from services.delivery.store.subscriptions import Subscription, SubscriptionStatus
from services.delivery.store.tables import TABLES
from services.delivery.store.trimming import EXPIRED
from shared.bus.envelope import Envelope, structured
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.runtime.trim import Trimmer
from tests.kit.events import NINE, received
from tests.kit.subscribers import assigned, move_requested, opened
from tests.kit.tables import make_tables

ALL = types_of(["*"])


def subscription_to(name: str, *patterns: str, state: SubscriptionStatus = "active") -> Subscription:
    return Subscription(
        id=name,
        url=f"https://{name}.example.com/hook",
        events=patterns or ("*",),
        description="",
        secrets=("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
        state=state,
        reason=None,
        created_at=NINE,
        failing_since=None,
    )


async def stored(database: Database, *envelopes: Envelope) -> None:
    handlers = DeliveryHandlers(database, NoticeHandlers(Grouping()))
    async with database.begin() as tx:
        await handlers.on_assignments(tx, [received(envelope) for envelope in envelopes])


async def subscribed(database: Database, *wanted: Subscription) -> None:
    async with database.begin() as tx:
        for each in wanted:
            await subscriptions.add_subscription(tx, each)


async def claim(database: Database, who: str, now: datetime, limit: int = 100) -> list[Claimed]:
    async with database.begin() as tx:
        return await deliveries.claim(tx, who, now, now + timedelta(seconds=60), limit)


def delivered(claimed: Claimed, now: datetime) -> Report:
    return Report(claimed, "delivered", claimed.attempts + 1, None, now, 200, None)


async def save(database: Database, *reports: Report) -> None:
    async with database.begin() as tx:
        await deliveries.save_reports(tx, reports)


async def standing(database: Database, who: str) -> list[str]:
    async with database.read() as tx:
        return [each.state for each in await deliveries.status_page(tx, who, None, None, 200)]


async def soon(database: Database) -> datetime:
    async with database.read() as tx:
        return await database.now(tx) + timedelta(seconds=1)


async def test_an_event_that_arrives_twice_is_stored_and_delivered_once(database: Database) -> None:
    await subscribed(database, subscription_to("a"))
    await stored(database, assigned(1), opened(1))
    await stored(database, assigned(1), opened(1), assigned(2))
    async with database.read() as tx:
        found, upto = await events.events_after(tx, 0, ALL, 10)
    assert [event.body for event in found] == [structured(assigned(1)), structured(opened(1)), structured(assigned(2))]
    assert upto == found[-1].seq
    assert len(await claim(database, "a", await soon(database))) == 3


async def test_only_active_subscriptions_get_deliveries_and_only_of_public_events(database: Database) -> None:
    await subscribed(
        database,
        subscription_to("a", "baton.lead.*"),
        subscription_to("b", "baton.window.opened.v1"),
        subscription_to("c", state="disabled"),
    )
    await stored(database, assigned(1), opened(1), move_requested(1))
    now = await soon(database)
    assert [len(await claim(database, who, now)) for who in "abc"] == [1, 1, 0]
    async with database.read() as tx:
        assert await events.seq_of(tx, opened(1).id) is not None
        assert await events.seq_of(tx, move_requested(1).id) is None


async def test_a_claim_is_exclusive_until_its_lease_ends_and_then_the_former_claimer_has_no_say(
    database: Database,
) -> None:
    await subscribed(database, subscription_to("a"))
    await stored(database, assigned(1))
    now = await soon(database)
    (first,) = await claim(database, "a", now)
    assert await claim(database, "a", now + timedelta(seconds=59)) == []
    (second,) = await claim(database, "a", now + timedelta(seconds=61))
    assert (second.event_seq, second.token) == (first.event_seq, first.token + 1)
    await save(database, Report(first, "failed", 1, None, now, 500, "answered 500"))
    assert await standing(database, "a") == ["pending"]
    await save(database, delivered(second, now))
    assert await standing(database, "a") == ["delivered"]
    await save(database, Report(second, "failed", 1, None, now, 500, "answered 500"))
    assert await standing(database, "a") == ["delivered"]


async def test_what_is_given_back_is_due_at_once(database: Database) -> None:
    await subscribed(database, subscription_to("a"))
    await stored(database, assigned(1))
    now = await soon(database)
    claims = await claim(database, "a", now)
    async with database.begin() as tx:
        await deliveries.give_back(tx, claims, now)
    assert len(await claim(database, "a", now)) == 1


async def test_claims_take_the_longest_due_first_and_no_more_than_asked_for(database: Database) -> None:
    await subscribed(database, subscription_to("a"))
    await stored(database, *(assigned(n) for n in range(10)))
    now = await soon(database)
    first = await claim(database, "a", now, limit=4)
    later = now + timedelta(seconds=5)
    await save(database, *(Report(c, "pending", 1, later, None, 500, "answered 500") for c in first))
    second = await claim(database, "a", later, limit=6)
    assert {c.event_seq for c in first} == set(range(1, 5))
    assert {c.event_seq for c in second} == set(range(5, 11))


async def test_claimers_side_by_side_never_share_a_delivery(fresh_database: str) -> None:
    databases = [Database(fresh_database, SystemClock()) for _ in range(4)]
    await make_tables(databases[0])
    await subscribed(databases[0], subscription_to("a"))
    await stored(databases[0], *(assigned(n) for n in range(400)))
    now = await soon(databases[0])

    async def take(database: Database) -> list[int]:
        mine = []
        while found := await claim(database, "a", now, limit=7):
            mine += [claimed.event_seq for claimed in found]
        return mine

    shares = await asyncio.gather(*(take(database) for database in databases))
    everything = [topic_partition for share in shares for topic_partition in share]
    assert len(everything) == len(set(everything)) == 400
    for database in databases:
        await database.close()


@pytest.fixture
async def two_writers(fresh_database: str) -> AsyncIterator[tuple[Database, Database]]:
    pair = Database(fresh_database, SystemClock()), Database(fresh_database, SystemClock())
    await make_tables(pair[0])
    yield pair
    for database in pair:
        await database.close()


async def test_a_reader_never_passes_an_event_that_commits_late(two_writers: tuple[Database, Database]) -> None:
    one, two = two_writers
    storing, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with one.begin() as tx:
            await events.store_events(tx, _public(assigned(1)), NINE)
            storing.set()
            await go_on.wait()

    async def quick() -> None:
        await storing.wait()
        async with two.begin() as tx:
            await events.store_events(tx, _public(assigned(2)), NINE)

    async def look(after: int) -> tuple[list[str], int]:
        async with two.read() as tx:
            found, upto = await events.events_after(tx, after, ALL, 10)
            return [event.event_id for event in found], upto

    writers = [asyncio.create_task(slow()), asyncio.create_task(quick())]
    await storing.wait()
    done, _ = await asyncio.wait([writers[1]], timeout=0.3)
    assert not done, "the second writer must wait for the first, else its event is read before an earlier one"
    assert await look(0) == ([], 0)
    go_on.set()
    await asyncio.gather(*writers)
    seen, upto = await look(0)
    assert seen == [assigned(1).id, assigned(2).id]
    assert await look(upto) == ([], upto)


async def test_many_writers_and_a_reader_with_a_cursor_lose_nothing(fresh_database: str) -> None:
    database = Database(fresh_database, SystemClock())
    await make_tables(database)
    total = 120
    seen: list[str] = []

    async def write(start: int) -> None:
        for n in range(start, start + 20):
            async with database.begin() as tx:
                await events.store_events(tx, _public(assigned(n)), NINE)
                await asyncio.sleep(0.002 * (n % 3))

    async def follow() -> None:
        topic_partition = 0
        while len(seen) < total:
            async with database.read() as tx:
                found, topic_partition = await events.events_after(tx, topic_partition, ALL, 7)
            seen.extend(event.event_id for event in found)

    async with asyncio.timeout(60):
        await asyncio.gather(follow(), *(write(start) for start in range(0, total, 20)))
    assert sorted(seen) == sorted(assigned(n).id for n in range(total))
    await database.close()


async def test_reading_by_type_moves_past_what_was_not_asked_for(database: Database) -> None:
    await stored(database, assigned(1), *(opened(n) for n in range(5)))
    async with database.read() as tx:
        found, upto = await events.events_after(tx, 0, types_of(["baton.lead.*"]), 10)
        nothing, same = await events.events_after(tx, upto, types_of(["baton.lead.*"]), 10)
    assert ([event.event_id for event in found], upto) == ([assigned(1).id], 6)
    assert (nothing, same) == ([], 6)


async def test_old_events_go_with_their_deliveries_and_numbers_are_not_used_again(database: Database) -> None:
    await subscribed(database, subscription_to("a"))
    await stored(database, *(assigned(n) for n in range(1200)))

    def trimmer(retention: timedelta) -> Trimmer:
        return Trimmer(database, TABLES, EXPIRED, retention=retention, inbox=timedelta(days=35))

    assert await trimmer(timedelta(days=1)).trim_all() == 0
    assert await trimmer(timedelta(seconds=-5)).trim_all() == 3600
    assert await standing(database, "a") == []
    await stored(database, assigned(2000))
    async with database.read() as tx:
        found, _ = await events.events_after(tx, 1200, ALL, 10)
    assert [event.event_id for event in found] == [assigned(2000).id]


async def test_replaying_a_range_sends_what_failed_and_with_all_also_what_was_never_sent(database: Database) -> None:
    await stored(database, assigned(0))
    await subscribed(database, subscription_to("a"))
    await stored(database, assigned(1), assigned(2), opened(1))
    now = await soon(database)
    claims = await claim(database, "a", now)
    await save(database, delivered(claims[0], now), Report(claims[1], "failed", 10, None, now, 500, "answered 500"))
    span = (NINE, NINE + timedelta(seconds=1))

    async def replay(*, failed_only: bool, types: Sequence[str] = sorted(ALL)) -> int:
        async with database.begin() as tx:
            return await deliveries.replay_range(tx, "a", span, types, now, failed_only=failed_only)

    assert await replay(failed_only=True) == 1
    assert await replay(failed_only=True) == 0
    assert await replay(failed_only=False, types=["baton.lead.assigned.v1"]) == 2
    assert await standing(database, "a") == ["pending"] * 4
    async with database.begin() as tx:
        outside = (NINE + timedelta(seconds=1), NINE + timedelta(days=1))
        assert await deliveries.replay_range(tx, "a", outside, sorted(ALL), now, failed_only=False) == 0


async def test_an_endpoint_is_failing_from_its_first_failure_until_it_takes_something(database: Database) -> None:
    await subscribed(database, subscription_to("a"), subscription_to("b"))
    then, now = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)
    async with database.begin() as tx:
        assert await subscriptions.save_health(tx, set(), {"a"}, then) == {"a": then}
        assert await subscriptions.save_health(tx, {"b"}, {"a"}, now) == {"a": then}
        assert await subscriptions.save_health(tx, {"a"}, set(), now) == {}
        assert await subscriptions.save_health(tx, set(), {"a"}, now) == {"a": now}


async def test_secrets_and_urls_stay_out_of_representations() -> None:
    text = repr(subscription_to("a"))
    assert "whsec_" not in text
    assert "example.com" not in text


def _public(envelope: Envelope) -> list[PublicEvent]:
    return [PublicEvent(envelope.id, envelope.type, envelope.subject, envelope.time, structured(envelope))]
