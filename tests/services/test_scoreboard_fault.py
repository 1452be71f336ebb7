"""Whose fault a breach is, and how long buyers waited, on every page and in every figure where they belong."""

import random
from collections.abc import AsyncIterator

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import Event
from tests.kit.clocks import ManualClock
from tests.kit.events import (
    activity,
    after,
    assigned,
    breached,
    inquiry,
    merged,
    opened,
    raised,
    split,
)
from tests.kit.services import ADMIN
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running

CHARGED = "handed over too late to <bdi>ann</bdi> (charged to the pipeline)"


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock) -> AsyncIterator[Board]:
    manual_clock.advance(seconds=1800)
    async with running(database, embedded_bus, manual_clock) as board:
        yield board


async def test_a_breach_after_a_late_hand_off_is_charged_to_the_pipeline_wherever_it_shows(board: Board) -> None:
    for lead, fault in (("ld_1", "pipeline"), ("ld_2", "rep")):
        await board.publish(inquiry(lead), assigned(lead), opened(lead))
        await board.publish(breached(lead, fault=fault), raised(lead, fault=fault))
        await board.timeline(lead, 5)
    late, own = await board.page("/leads/ld_1"), await board.page("/leads/ld_2")
    assert CHARGED in late
    assert "the hand-off reached ann too late" in late
    assert CHARGED not in own
    assert "missed by <bdi>ann</bdi>" in own
    operations = await board.page("/operations")
    assert operations.count(CHARGED) == 1
    assert operations.count("missed by <bdi>ann</bdi>") == 1
    front = await board.page()
    assert front.count("handed over too late: charged to the pipeline") == 1
    assert "too late; 1 of them charged to the pipeline" in front
    figures = await board.get("/v1/kpis")
    assert (figures["breached"], figures["charged_to_pipeline"]) == (2, 1)
    [escalated] = [item["data"]["fault"] for item in await board.timeline("ld_1", 5) if "raised" in item["type"]]
    assert escalated == "pipeline"


async def test_the_wait_of_buyers_is_shown_next_to_the_reps_and_in_the_days_figures(board: Board) -> None:
    story: list[Event] = []
    for number, minutes in enumerate((5, 10, 60)):
        lead = f"ld_{number}"
        story += [inquiry(lead), assigned(lead, assigned_at=after(1)), activity(lead, accepted_at=after(minutes))]
        story += [activity(lead, accepted_at=after(minutes + 1), activity_id=f"again_{lead}")]
    story += [inquiry("ld_9"), assigned("ld_9", assigned_at=after(2))]
    random.Random(3).shuffle(story)
    for event in (*story, *story):
        await board.publish(event)
    for number in range(3):
        await board.timeline(f"ld_{number}", 4)
    await board.timeline("ld_9", 2)
    times = (await board.get("/v1/kpis"))["response_times"]
    assert (times["answered"], times["unanswered"]) == (3, 1)
    assert times["buyer"] == {"median": 600.0, "p95": 3600.0}
    assert times["rep"] == {"median": 540.0, "p95": 3540.0}
    assert (await board.get("/v1/kpis?day=2026-11-22"))["response_times"]["answered"] == 0
    assert (await board.client.get("/v1/kpis?day=0001-01-01", headers=ADMIN)).status_code == 422
    front = await board.page()
    assert "10:00" in front
    assert "3 answered, 1 without an answer" in front
    page = await board.page("/leads/ld_0")
    assert "waited 5:00" in page
    assert "took 4:00" in page
    assert "waits since" in await board.page("/leads/ld_9")
    [wait] = (await board.get("/v1/leads/ld_0/waits"))["waits"]
    assert (wait["buyer_s"], wait["rep_s"], wait["rep"], wait["buyer_work_s"]) == (300.0, 240.0, "ann", None)
    assert (await board.client.get("/v1/leads/nobody/waits", headers=ADMIN)).status_code == 404


async def test_an_answer_under_another_id_of_the_person_ends_the_wait_until_the_ids_are_split(board: Board) -> None:
    await board.publish(inquiry("ld_1"), assigned("ld_1"), inquiry("ld_2"), assigned("ld_2"))
    await board.publish(activity("ld_2", accepted_at=after(4)))
    await board.publish(merged("ld_2", into="ld_1", was="assigned", lead_version=2, decided_at=after(5)))
    await board.timeline("ld_1", 6)
    [wait] = (await board.get("/v1/leads/ld_1/waits"))["waits"]
    assert wait["buyer_s"] == 240.0
    assert (await board.get("/v1/kpis"))["response_times"]["answered"] == 1
    await board.publish(
        split("ld_2", was_part_of="ld_1", lead_version=4, decided_at=after(6)),
        split("ld_1", was_part_of=None, split_off="ld_2", lead_version=4, decided_at=after(6)),
    )

    async def each_alone() -> str | None:
        times = (await board.get("/v1/kpis"))["response_times"]
        found = times["answered"], times["unanswered"]
        return None if found == (1, 1) else f"{found} answered and not"

    await until_right(each_alone)
    [wait] = (await board.get("/v1/leads/ld_2/waits"))["waits"]
    assert wait["buyer_s"] == 240.0
