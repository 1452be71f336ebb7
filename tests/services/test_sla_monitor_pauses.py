"""The clock of a promise stands still and runs again, on a real log and either database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import permutations

import pytest

from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import BreachRetracted, Event, WindowBreached, WindowOpened, WindowPaused, WindowResumed
from tests.kit.agreements import agreement_text
from tests.kit.events import backdated
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import DEAL as PROBES
from tests.services.sla_monitor_kit import Stage, activity, assigned, merged, now, stage_on

PROMISES = """\
    feedback: {within: 2 seconds, clock: wall, met_by: [accepted, rejected], ladder: response}
    pause: {at_most: 1 hour}

ladders:
"""
DEAL = agreement_file.parse(
    agreement_text(within="1 hour").replace("\nladders:\n", PROMISES, 1), "paused.yaml"
).agreement


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL, PROBES) as stage:
        yield stage


async def test_a_paused_promise_waits_and_breaches_after_it_was_resumed(stage: Stage) -> None:
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        at = now()
        event = assigned(deal=DEAL, assigned_at=at - timedelta(seconds=1))
        await stage.publish(event, activity(kind="paused", at=at))
        [paused] = await stage.wait_for(WindowPaused)
        assert (paused.promise, paused.at, paused.until) == ("feedback", at, at + timedelta(hours=1))
        for state, count in (("paused", 1), ("open", 1), ("breached", 0)):
            assert len((await client.get("/v1/windows", params={"state": state})).json()["items"]) == count
        [window] = (await client.get("/v1/windows", params={"state": "paused"})).json()["items"]
        assert (window["promise"], window["state"]) == ("feedback", "paused")
        await stage.silent(WindowBreached, 2.0)
        resumed_at = now()
        await stage.publish(activity(kind="resumed", at=resumed_at))
        [resumed] = await stage.wait_for(WindowResumed)
        assert resumed.due_at == resumed_at + timedelta(seconds=1)
        [breached] = await stage.wait_for(WindowBreached)
        assert breached.at == resumed.due_at
        assert {opened.promise for opened in await stage.wait_for(WindowOpened, 2)} == {"first_response", "feedback"}
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.undecided, report.different, dict(report.not_checked)) == (1, 0, {})


async def test_a_pause_under_a_second_id_counts_in_any_order(stage: Stage) -> None:
    orders = list(permutations(("assigned", "merged", "paused")))
    at = now()
    async with stage.monitor() as client:
        for step in range(3):
            for number, order in enumerate(orders):
                lead, other = f"ld_{number}", f"ld_{number}_too"
                events: dict[str, Event] = {
                    "assigned": assigned(lead, DEAL, assigned_at=at - timedelta(seconds=1)),
                    "merged": merged(other, DEAL, into=lead),
                    "paused": activity(other, "paused", at=at),
                }
                await stage.publish(events[order[step]], events[order[step]])
            await stage.settled()
        paused = await stage.wait_for(WindowPaused, len(orders))
        due_at = at + timedelta(hours=1, seconds=1)
        assert {(each.lead_id, each.due_at) for each in paused} == {(f"ld_{n}", due_at) for n in range(len(orders))}
        listed = (await client.get("/v1/windows", params={"state": "paused"})).json()["items"]
        assert (len(paused), len(listed)) == (len(orders), len(orders))


async def test_a_breach_that_a_merge_shows_to_have_been_paused_is_taken_back(stage: Stage) -> None:
    async with stage.monitor() as client:
        at = now()
        await stage.publish(activity("ld_2", "paused", at=at + timedelta(seconds=0.5)))
        await stage.publish(assigned(deal=DEAL, assigned_at=at))
        stage.mark_from_now_on()
        [breached] = await stage.wait_for(WindowBreached)
        await stage.publish(merged("ld_2", DEAL, into="ld_1"))
        [retracted] = await stage.wait_for(BreachRetracted)
        assert (retracted.breach_id, retracted.reason) == (breached.breach_id, "paused")
        [window] = (await client.get("/v1/windows", params={"state": "paused"})).json()["items"]
        assert (window["lead_id"], window["promise"]) == ("ld_1", "feedback")
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.differences, report.not_checked) == ([], {})


async def test_a_pause_from_before_what_was_taken_for_the_first_inquiry_counts_once_that_is_known(stage: Stage) -> None:
    async with stage.monitor():
        at = now()
        paused_at, first_at = at - timedelta(seconds=8), at - timedelta(seconds=9)
        await stage.publish(activity(kind="paused", at=paused_at))
        await stage.publish(assigned(deal=DEAL, assigned_at=at))
        assert await stage.wait_for(WindowOpened, 2)
        await stage.publish(backdated(received_at=first_at))
        [paused] = await stage.wait_for(WindowPaused)
        assert (paused.at, paused.due_at) == (paused_at, paused_at + timedelta(hours=1, seconds=2))
