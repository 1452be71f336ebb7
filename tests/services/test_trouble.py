"""Verdicts under trouble: facts may be late and verdicts may be late, and neither is wrong. The auditor agrees."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.events import EscalationRaised, Event, LeadAssigned, WindowBreached, WindowMet
from tests.kit.agreements import agreement
from tests.kit.clocks import SteppedClock
from tests.kit.tables import make_tables
from tests.kit.waiting import until
from tests.services import router_kit
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import Stage, activity, assigned, now, stage_on

DEAL = agreement(within="5 minutes", warn="1 minute", move="5 minutes", page="10 minutes")
ANSWERED_AFTER = {"in time": timedelta(minutes=3), "late": timedelta(minutes=12), "never": None}


@pytest.fixture
async def stage(embedded_bus: EmbeddedBus, database: Database) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL) as stage:
        yield stage


def an_hour_of_leads() -> list[Event]:
    """A lead each minute of the hour before the last quarter, each answered in time, late or never."""
    began, found = now() - timedelta(minutes=75), list[Event]()
    for minute in range(60):
        at = began + timedelta(minutes=minute)
        for how, after in ANSWERED_AFTER.items():
            lead = f"{how} {minute}"
            found.append(assigned(lead, DEAL, assigned_at=at))
            if after is not None:
                found.append(activity(lead, at=at + after, activity_id=f"call {lead}"))
    return found


async def test_a_monitor_that_was_down_for_an_hour_misses_no_breach_and_pages_for_none_that_was_answered(
    stage: Stage,
) -> None:
    backlog = an_hour_of_leads()
    random.Random(7).shuffle(backlog)  # the same order each time
    await stage.publish(*backlog)
    stage.mark_from_now_on()
    async with stage.monitor():
        breached = await stage.wait_for(WindowBreached, 120)
        met = await stage.wait_for(WindowMet, 60)
        # Of what was never answered, all three levels from the deadline on: the last one was due a moment ago.
        raised = await stage.wait_for(EscalationRaised, 180)
    assert {each.lead_id.split()[0] for each in met} == {"in"}
    assert sorted({each.lead_id.split()[0] for each in breached}) == ["late", "never"]
    assert {each.lead_id.split()[0] for each in raised} == {"never"}
    assert len({(each.lead_id, each.level) for each in raised}) == len(raised)
    await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.right, report.different) == (180, 0), report.differences[:3]


@pytest.mark.postgres
@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_router_whose_clock_is_wrong_dates_by_the_database(
    fresh_database: str, embedded_bus: EmbeddedBus, tmp_path: Path, hours: int
) -> None:
    clock, file = SteppedClock(), tmp_path / "team.yaml"
    clock.step = timedelta(hours=hours)
    file.write_text(router_kit.TEAM)
    database = Database(fresh_database, SystemClock())
    await make_tables(database)
    async with router_kit.running(file, database, embedded_bus, clock) as router:
        await router.publish(router_kit.inquiry(1))
        [assigned_by] = router_kit.ones(await router.wait_for(1), LeadAssigned)
    assert abs(assigned_by.assigned_at - now()) < timedelta(minutes=1)
    await database.close()


async def test_verdicts_that_wait_for_a_silent_ingest_are_a_metric_and_a_note_until_it_speaks(stage: Stage) -> None:
    def stalled() -> float | None:
        return REGISTRY.get_sample_value("baton_sla_monitor_watermark_stalled")

    async with stage.monitor() as client:

        async def note() -> str:
            notes = (await client.get("/readyz", headers={"host": "localhost"})).json()["notes"]
            return str(notes.get("sla_monitor.clocks", ""))

        await stage.mark(now() - timedelta(minutes=1))
        await stage.publish(assigned(deal=DEAL))
        # The note is this monitor's own; the metric is the process's, so an earlier monitor may have left it set.
        await until(note)
        assert "activities are complete only until " in await note()
        assert stalled() == 1
        stage.mark_from_now_on()
        await until(lambda: stalled() == 0)
        assert not await note()
