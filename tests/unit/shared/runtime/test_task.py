"""A task that fails is started again, and says so."""

import asyncio

import pytest

from shared.db.outages import is_outage
from shared.domain.errors import Unavailable
from shared.runtime import task as module
from shared.runtime.backoff import Pauses, until_back
from shared.runtime.task import Task


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("shared.runtime.backoff.FIRST_PAUSE_S", 0.0)


async def test_a_task_that_fails_is_started_again_and_readiness_names_the_failure() -> None:
    starts = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise RecursionError("made by a stranger")
        done.set()
        await asyncio.Event().wait()

    task = Task("router.consumer", work)
    assert await task.check() is None
    runs = asyncio.create_task(task.run())
    async with asyncio.timeout(10):
        await done.wait()
    assert "RecursionError" in str(await task.check())
    assert not runs.done()
    runs.cancel()


async def test_a_task_is_well_again_after_it_ran_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEADY_S", 0.0)
    starts = iter([ValueError(), None])
    task = Task("router.relay", lambda: _fail(next(starts)))
    await task.run()
    assert await task.check() is None


async def _fail(error: Exception | None) -> None:
    if error is not None:
        raise error


async def test_a_step_is_tried_until_the_outage_is_over_and_other_errors_are_raised() -> None:
    away = iter([OSError(), Unavailable("away"), TimeoutError()])

    async def step() -> str:
        if (error := next(away, None)) is not None:
            raise error
        return "done"

    assert await until_back(step, service="router", task="relay") == "done"
    assert not is_outage(ValueError())
    with pytest.raises(ValueError, match="mine"):
        await until_back(lambda: _fail(ValueError("mine")), service="router", task="relay")


def test_pauses_double_up_to_a_limit_and_begin_again() -> None:
    pauses = Pauses(1, 5)
    assert [pauses.next_s() for _ in range(4)] == [1, 2, 4, 5]
    pauses.reset()
    assert pauses.next_s() == 1
