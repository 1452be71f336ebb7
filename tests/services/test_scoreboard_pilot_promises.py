"""First responses that were promised in the scope of a pilot, by the arm that promised them, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.events import Event, PilotArm
from tests.kit.events import assigned, breached, cancelled, merged, met, opened, reassigned
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running

DRAFT: dict[str, Any] = {"pilot_arms": (PilotArm("trial", "draft"),)}
IN_FORCE: dict[str, Any] = {"pilot_arms": (PilotArm("trial", "in_force"), PilotArm("other", "in_force"))}
NOW = datetime.now(UTC)
NOTHING: dict[str, Any] = {
    "met": 0,
    "breached": 0,
    "running": 0,
    "cancelled": 0,
    "attainment": None,
    "median_first_response_s": None,
}
ANSWERED = NOTHING | {"met": 1, "attainment": "1.0000", "median_first_response_s": 120.0}


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Board]:
    async with running(database, embedded_bus, SystemClock()) as board:
        yield board


def promised(lead: str, *, at: datetime = NOW, **arm: Any) -> list[Event]:
    return [assigned(lead, assigned_at=at, **arm), opened(lead, at=at)]


def answered(lead: str, minutes: float, *, at: datetime = NOW, **arm: Any) -> list[Event]:
    return [*promised(lead, at=at, **arm), met(lead, at=at + timedelta(minutes=minutes))]


def missed(lead: str, **arm: Any) -> list[Event]:
    return [*promised(lead, **arm), breached(lead, at=NOW + timedelta(minutes=15))]


async def shown(board: Board, **expected: Any) -> None:
    async def there() -> str | None:
        found = {item["pilot"]: item["arms"] for item in (await board.get("/v1/pilots/promises"))["items"]}
        return None if found == expected else f"{found} instead of {expected}"

    await until_right(there)


async def test_each_arm_has_the_promises_to_its_leads(board: Board) -> None:
    await shown(board)
    await board.publish(*answered("ld_1", 2, **DRAFT), *answered("ld_2", 5, **DRAFT), *answered("ld_3", 6, **DRAFT))
    await board.publish(*missed("ld_4", **DRAFT), *promised("ld_5", **DRAFT), *promised("ld_6", **DRAFT))
    await board.publish(cancelled("ld_6"))
    await board.publish(*answered("ld_7", 9, **IN_FORCE), *missed("ld_8", **IN_FORCE), *answered("ld_9", 1))
    counted = {"met": 3, "breached": 1, "running": 1, "cancelled": 1}
    draft = counted | {"attainment": "0.7500", "median_first_response_s": 330.0}
    in_force = NOTHING | {"met": 1, "breached": 1, "attainment": "0.5000"}
    other = {"draft": NOTHING, "in_force": in_force}
    await shown(board, trial={"draft": draft, "in_force": in_force}, other=other)


async def test_a_lead_that_moved_counts_once_for_what_was_promised_first(board: Board) -> None:
    later = NOW + timedelta(minutes=20)
    second = {"window_id": "wi_2", "generation": 2}
    await board.publish(*missed("ld_1", **DRAFT), reassigned("ld_1", assigned_at=later))
    await board.publish(opened("ld_1", at=later, **second), met("ld_1", at=later, **second))
    await shown(board, trial={"draft": NOTHING | {"breached": 1, "attainment": "0.0000"}, "in_force": NOTHING})


async def test_a_person_whose_leads_were_merged_counts_once(board: Board) -> None:
    await board.publish(*answered("ld_1", 2, **DRAFT), *answered("ld_2", 5, **IN_FORCE))
    await board.publish(merged("ld_2", into="ld_1"))
    await shown(board, trial={"draft": ANSWERED, "in_force": NOTHING})


async def test_a_person_who_came_back_counts_for_each_time(board: Board) -> None:
    later = NOW + timedelta(minutes=20)
    again = {"lead_version": 5, "cycle": 2, "generation": 2}
    await board.publish(*answered("ld_1", 2, **DRAFT), assigned("ld_1", 2, assigned_at=later, **again, **DRAFT))
    await board.publish(opened("ld_1", at=later, window_id="wi_2", generation=2))
    await shown(board, trial={"draft": ANSWERED | {"running": 1}, "in_force": NOTHING})


async def test_promises_of_more_than_90_days_ago_are_not_compared(board: Board) -> None:
    await board.publish(*answered("ld_1", 2, at=NOW - timedelta(days=91), **DRAFT))
    await board.publish(*answered("ld_2", 2, at=NOW - timedelta(days=89), **DRAFT))
    await shown(board, trial={"draft": ANSWERED, "in_force": NOTHING})
