"""What is reported under any id of a person counts for the person."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from msgspec.structs import replace

from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Envelope, encode
from shared.db.engine import Database
from shared.domain.events import (
    ACTIVITIES,
    BreachRetracted,
    Event,
    WatermarkAdvanced,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
)
from shared.domain.ids import event_id
from tests.kit.agreements import agreement
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import Stage, activity, assigned, merged, now, parted, stage_on, store

SLOW = agreement(within="1 hour")
ORDERS = list(permutations(("assigned", "merged", "reported")))
PARTED = [
    order
    for order in permutations(("merged", "split", "announced", "reported"))
    if order.index("merged") < order.index("split")
]
"""Each in the order of its partition: a lead is split after it was merged."""


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize(("kind", "ends"), [("call", WindowMet), ("rejected", WindowCancelled)])
async def test_an_activity_under_a_second_id_counts_in_any_order(
    stage: Stage, order: tuple[str, ...], kind: str, ends: type[Event]
) -> None:
    events: dict[str, Event] = {
        "assigned": assigned(),
        "merged": merged("ld_2", into="ld_1"),
        "reported": activity("ld_2", kind, at=now()),
    }
    async with stage.monitor():
        for name in order:
            await stage.publish(events[name], events[name])
            await stage.settled()
        assert "ld_1" in {event.lead_id for event in await stage.wait_for(ends, 37 if ends is WindowMet else 1)}


async def test_a_breach_that_a_merge_disproves_is_retracted(stage: Stage) -> None:
    async with stage.monitor():
        call = activity("ld_2", at=now())
        await stage.publish(assigned(), call)
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        await stage.publish(merged("ld_2", into="ld_1"))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.breach_id, retracted.met_by) == (breached.breach_id, call.activity_id)


async def test_the_breach_of_a_lead_that_ended_is_retracted_by_a_call_to_the_lead_that_goes_on(stage: Stage) -> None:
    async with stage.monitor():
        await stage.publish(assigned("ld_2"), activity("ld_1", at=now()))
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        await stage.publish(merged("ld_2", into="ld_1", was="assigned"))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.lead_id, retracted.breach_id) == ("ld_2", breached.breach_id)


async def test_how_a_lead_had_ended_before_it_was_merged_cancels_no_promise_on_the_other(stage: Stage) -> None:
    async with stage.monitor():
        await store(stage.database, SLOW)
        await stage.publish(assigned("ld_2", SLOW), assigned(deal=SLOW))
        await stage.wait_for(WindowOpened, 2)
        await stage.publish(activity("ld_2", "rejected", at=now()))
        await stage.wait_for(WindowCancelled)
        await stage.publish(merged("ld_2", into="ld_1", was="closed"))
        await stage.settled()
        assert [event.lead_id for event in await stage.wait_for(WindowCancelled)] == ["ld_2"]
        await stage.publish(activity("ld_2", "rejected", at=now() + timedelta(milliseconds=1)))
        assert [event.lead_id for event in await stage.wait_for(WindowCancelled, 2)] == ["ld_2", "ld_1"]


async def test_a_verdict_waits_for_the_partitions_of_all_ids(stage: Stage) -> None:
    other = next(f"ld_{n}" for n in range(2, 99) if _partition(stage, f"ld_{n}") != _partition(stage, "ld_1"))
    async with stage.monitor():
        await stage.mark()
        await stage.publish(merged(other, into="ld_1"), assigned())
        [opened] = await stage.wait_for(WindowOpened)
        upto = opened.due_at + timedelta(seconds=0.3)
        await _mark(stage, upto, without=_partition(stage, other))
        await stage.silent(WindowBreached, 2.0)
        await stage.mark(upto)
        [breached] = await stage.wait_for(WindowBreached)
        assert breached.lead_id == "ld_1"


def _partition(stage: Stage, lead_id: str) -> int:
    return stage.bus.partition_of(ACTIVITIES, lead_id)


async def _mark(stage: Stage, upto: datetime, *, without: int) -> None:
    event = WatermarkAdvanced(lead_id="", instance="ingest-1", upto=upto, state="running", said_at=None)
    message = encode(Envelope(event_id("ingest-1", upto), "baton/ingest", now(), event))
    partitions = [number for number in range(stage.bus.partitions(ACTIVITIES)) if number != without]
    await stage.bus.publish([replace(message, partition=number) for number in partitions])


@pytest.mark.parametrize("order", PARTED, ids=" ".join)
@pytest.mark.parametrize("kind", ["call", "rejected"])
async def test_what_is_reported_under_an_id_that_was_split_counts_for_it_alone(
    stage: Stage, order: tuple[str, ...], kind: str
) -> None:
    alone, goes_on = parted("ld_2", "ld_1")
    events: dict[str, tuple[Event, ...]] = {
        "merged": (merged("ld_2", into="ld_1", decided_at=alone.decided_at - timedelta(seconds=1)),),
        "split": (alone,),
        "announced": (goes_on,),
        "reported": (activity("ld_2", kind, at=now()),),
    }
    async with stage.monitor() as client:
        await stage.publish(assigned())
        for name in order:
            await stage.publish(*events[name], *events[name])
            await stage.settled()
        await stage.publish(assigned(generation=2, because="split", assigned_at=goes_on.decided_at))
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        assert (breached.lead_id, breached.generation) == ("ld_1", 2)
        windows = (await client.get("/v1/windows", params={"lead_id": "ld_1"})).json()["items"]
        [before] = [window["state"] for window in windows if window["generation"] == 1]
        assert before in ("met", "cancelled")
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.differences, report.not_checked) == ([], {})


async def test_what_a_split_lead_became_part_of_later_stays_when_the_other_lead_announces_the_split_late(
    stage: Stage,
) -> None:
    alone, goes_on = parted("ld_2", "ld_1")
    asked_before = alone.decided_at - timedelta(seconds=1)
    call = activity("ld_2", at=now())
    async with stage.monitor():
        await stage.publish(assigned("ld_3"), merged("ld_2", into="ld_1", decided_at=asked_before))
        await stage.publish(alone, merged("ld_2", into="ld_3", was="assigned", one_person_since=asked_before))
        await stage.settled()
        await stage.publish(goes_on)
        await stage.settled()
        await stage.publish(call)
        await stage.settled()
        met = {(event.lead_id, event.met_by) for event in await stage.wait_for(WindowMet)}
        assert ("ld_3", call.activity_id) in met
