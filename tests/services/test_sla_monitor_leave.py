"""Windows wait while the owner of a lead is on leave, on a real log and either database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.event import LeaveInterval
from shared.domain.events import ESCALATIONS, WindowBreached, WindowOpened, WindowRescheduled
from tests.kit.events import lead_rescheduled
from tests.kit.services import from_start
from tests.services.sla_monitor_kit import DEAL, Stage, assigned, now, store


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    await store(database, DEAL)
    announcements = await embedded_bus.subscribe(group="test", topics=[ESCALATIONS], positions=from_start)
    yield Stage(embedded_bus, database, announcements)
    await announcements.close()


async def test_a_window_of_an_owner_on_leave_waits_until_they_are_back_and_then_breaches(stage: Stage) -> None:
    weeks = LeaveInterval(now() - timedelta(days=1), now() + timedelta(days=21))
    async with stage.monitor() as client:
        stage.mark_from_now_on()
        await stage.publish(assigned(owner_leave=(weeks,)))
        [opened] = await stage.wait_for(WindowOpened)
        assert opened.due_at == weeks.ends_at + timedelta(seconds=1)
        await stage.silent(WindowBreached, 2.0)
        at = now()
        known = LeaveInterval(weeks.starts_at, at)
        await stage.publish(lead_rescheduled(owner_leave=(known,), changed_at=at))
        [there] = await stage.wait_for(WindowRescheduled)
        assert there.due_at == at + timedelta(seconds=1)
        [window] = (await client.get("/v1/windows", params={"lead_id": "ld_1"})).json()["items"]
        assert window["window_id"] == opened.window_id
        [breached] = await stage.wait_for(WindowBreached)
        assert (breached.due_at, breached.fault) == (there.due_at, "rep")


async def test_a_window_waits_for_an_owner_who_goes_on_leave_before_it_is_due(stage: Stage) -> None:
    async with stage.monitor():
        stage.mark_from_now_on()
        event = assigned()
        at = event.assigned_at + timedelta(seconds=0.5)
        weeks = LeaveInterval(at, at + timedelta(days=21))
        await stage.publish(event, lead_rescheduled(owner_leave=(weeks,), changed_at=at))
        [moved] = await stage.wait_for(WindowRescheduled)
        assert moved.due_at == weeks.ends_at + timedelta(seconds=0.5)
        await stage.silent(WindowBreached, 2.0)
