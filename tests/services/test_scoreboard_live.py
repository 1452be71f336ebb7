"""The stream that notifies open pages of changes: at once, for every process, and never too often."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from services.scoreboard.domain.counters import ALL, EVENTS
from services.scoreboard.pages import live as module
from services.scoreboard.pages.live import Live
from services.scoreboard.store import rows
from shared.db.engine import Database
from shared.domain.errors import Unavailable
from shared.runtime.wakeup import WakeUp

CHANGED = b"event: changed\ndata: {}\n\n"


@pytest.fixture
def committed() -> WakeUp:
    return WakeUp()


@pytest.fixture
async def live(database: Database, committed: WakeUp) -> AsyncIterator[Live]:
    live = Live(database, committed)
    running = asyncio.create_task(live.run())
    yield live
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def something_happens(database: Database) -> None:
    async with database.begin() as tx:
        await rows.add_counts(tx, {(ALL, 0, EVENTS): 1})


async def next_change(stream: AsyncGenerator[bytes, None], *, within_s: float) -> bytes | None:
    try:
        async with asyncio.timeout(within_s):
            return await anext(stream)
    except TimeoutError:
        return None


async def test_a_page_is_notified_at_once_and_after_each_commit(
    live: Live, committed: WakeUp, database: Database
) -> None:
    async with aclosing(live.stream()) as stream:
        assert (await anext(stream)).endswith(CHANGED)
        await something_happens(database)
        committed.set()
        assert await next_change(stream, within_s=30) == CHANGED


async def test_a_page_is_notified_of_what_another_process_committed(live: Live, database: Database) -> None:
    async with aclosing(live.stream()) as stream:
        await anext(stream)
        await something_happens(database)
        assert await next_change(stream, within_s=30) == CHANGED


async def test_many_commits_notify_a_page_at_most_twice_a_second(
    live: Live, committed: WakeUp, database: Database
) -> None:
    changes = 0

    async def count() -> None:
        nonlocal changes
        async for _ in live.stream():
            changes += 1

    counting = asyncio.create_task(count())
    began = asyncio.get_running_loop().time()
    for _ in range(100):
        await something_happens(database)
        committed.set()
    took_s = asyncio.get_running_loop().time() - began
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    assert changes <= 2 + took_s / module.QUIET_S


async def test_a_commit_that_changed_nothing_notifies_nobody(live: Live, committed: WakeUp, database: Database) -> None:
    await something_happens(database)
    async with aclosing(live.stream()) as stream:
        await anext(stream)
        committed.set()
        assert await next_change(stream, within_s=30) == CHANGED
        committed.set()
        assert await next_change(stream, within_s=0.8) is None


async def test_a_quiet_stream_says_that_it_is_still_there(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_ALIVE_S", 0.02)
    async with aclosing(live.stream()) as stream:
        await anext(stream)
        found = [await anext(stream) for _ in range(3)]
        assert b": still here\n\n" in found


async def test_listeners_are_bounded_and_one_that_leaves_makes_room(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LISTENERS", 1)
    async with aclosing(live.stream()) as stream:
        live.make_room()
        await anext(stream)
        with pytest.raises(Unavailable):
            live.make_room()
    assert live.listeners == 0
    live.make_room()


async def test_a_stopping_server_ends_all_streams(live: Live) -> None:
    async with aclosing(live.stream()) as stream:
        await anext(stream)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        live.close()
        async with asyncio.timeout(60):
            assert await waiting == CHANGED
            assert [message async for message in stream] == []
