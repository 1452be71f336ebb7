"""Inquiries that ingest numbered and that were lost on their way show, and nothing else does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from services.scoreboard.store.tables import spools
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import ACCEPTANCE, encode
from shared.bus.topics import read_topics
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, InquiryReceived, WatermarkAdvanced
from shared.ports import Message
from tests.kit.clocks import ManualClock
from tests.kit.events import NINE, assigned, envelope, inquiry
from tests.kit.services import ADMIN
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps are looked for several times a second."""
    monkeypatch.setattr("services.scoreboard.workers.completeness.EVERY_S", 0.1)


@pytest.fixture
def clock(manual_clock: ManualClock) -> ManualClock:
    manual_clock.advance(seconds=60)
    return manual_clock


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus, clock: ManualClock) -> AsyncIterator[Board]:
    async with running(database, embedded_bus, clock) as board:
        yield board


async def test_an_inquiry_that_ingest_counted_and_nobody_has_is_red_until_it_comes_or_is_accepted(board: Board) -> None:
    await board.bus.publish([accepted_as(inquiry("ld_1"), "spool_a/1"), *markers("spool_a", 3)])
    await until_right(lambda: board.counts(received=3, in_flight=1, missing=2, balanced=False))
    assert "2 inquiries are missing" in await board.page()
    await board.bus.publish([accepted_as(inquiry("ld_2"), "spool_a/2")] * 2)
    await until_right(lambda: board.counts(received=3, in_flight=2, missing=1, balanced=False))
    answer = await board.client.post("/v1/gaps/accept", headers=ADMIN)
    assert answer.json() == {"items": [], "inquiries": 1}
    await board.balanced(received=2, missing=0)


async def test_what_two_ingest_processes_accepted_is_one_inquiry_and_hides_no_other_one(board: Board) -> None:
    both = [accepted_as(inquiry("ld_1"), name) for name in ("spool_a/1", "spool_b/1", "spool_a/1")]
    await board.bus.publish([*both, *markers("spool_a", 1), *markers("spool_b", 2)])
    await until_right(lambda: board.counts(received=2, in_flight=1, missing=1))


async def test_a_lost_inquiry_shows_although_others_go_on_coming(board: Board) -> None:
    await board.bus.publish([accepted_as(inquiry("ld_1"), "spool_a/1"), *markers("spool_a", 1)])
    await board.balanced(received=1)
    number = 3

    async def shown() -> str | None:
        nonlocal number
        number += 1
        newer = accepted_as(inquiry(f"ld_{number}"), f"spool_a/{number}")
        await board.bus.publish([newer, *markers("spool_a", number - 1)])
        return await board.counts(missing=2, balanced=False)

    await until_right(shown)


async def test_what_came_before_this_scoreboard_began_is_not_missing(board: Board) -> None:
    late = [accepted_as(inquiry("ld_1"), "spool_a/5001"), *markers("spool_a", 5002)]
    await board.bus.publish([*markers("spool_a", 5000), *late])
    await until_right(lambda: board.counts(received=2, missing=1))
    await board.bus.publish([accepted_as(inquiry("ld_2"), "spool_a/5002")])
    await board.balanced(received=2, missing=0)


async def test_a_scoreboard_made_again_from_a_trimmed_log_misses_only_what_is_lost_from_then_on(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    bus = EmbeddedBus(tmp_path / "trimmed.db", read_topics(), clock)
    await bus.start()
    try:
        await bus.publish([accepted_as(inquiry(f"ld_{n}"), f"spool_a/{n}") for n in range(1, 60)])
        await bus.publish(markers("spool_a", 40))
        clock.advance(seconds=40 * 86400)
        assert await bus.forget_old() > 0
        await bus.publish(markers("spool_a", 59))
        async with running(database, bus, clock) as board:
            await until_right(lambda: board.counts(balanced=False))
            clock.advance(seconds=10)

            async def checked() -> str | None:
                # The gaps of the partitions are found one after the other.
                await board.client.post("/v1/gaps/accept", headers=ADMIN)
                return await checked_upto(database, 59)

            await until_right(checked)
            assert (await board.get("/v1/conservation"))["balanced"]
            await bus.publish([accepted_as(inquiry("ld_61"), "spool_a/61"), *markers("spool_a", 61)])
            await until_right(lambda: board.counts(missing=1, balanced=False))
    finally:
        await bus.close()


async def checked_upto(database: Database, number: int) -> str | None:
    async with database.read() as tx:
        found = (await tx.execute(sa.select(spools.c.checked))).scalars().all()
    return None if found == [number] else f"checked up to {found}"


async def test_an_inquiry_that_was_decided_and_not_read_is_not_missing(board: Board) -> None:
    await board.publish(assigned("ld_1"))
    await board.bus.publish([accepted_as(inquiry("ld_2"), "spool_a/1"), *markers("spool_a", 3)])
    await until_right(lambda: board.counts(received=3, assigned=1, in_flight=1, missing=1))


async def test_an_inquiry_that_cannot_be_read_is_not_missing(board: Board) -> None:
    good = accepted_as(inquiry("ld_9"), "spool_a/1")
    await board.bus.publish([replace(good, value=b"{"), *markers("spool_a", 2)])
    await until_right(lambda: board.counts(received=2, in_flight=1, missing=1))


def accepted_as(event: InquiryReceived, number: str) -> Message:
    message = encode(envelope(event))
    return replace(message, headers=(*message.headers, (ACCEPTANCE, number.encode())))


def markers(spool: str, last: int) -> list[Message]:
    event = WatermarkAdvanced(lead_id="", instance="in_1", upto=NINE, inquiries=last, spool=spool)
    message = encode(envelope(event))
    return [replace(message, partition=number) for number in range(read_topics()[ACTIVITIES].partitions)]
