"""The clock of a promise stands still and runs again, on a real log and either database."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ESCALATIONS, WindowBreached, WindowOpened, WindowPaused, WindowResumed
from tests.kit.agreements import agreement_text
from tests.kit.services import from_start
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import Stage, activity, assigned, now, store

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
    await store(database, DEAL)
    announcements = await embedded_bus.subscribe(group="test", topics=[ESCALATIONS], positions=from_start)
    yield Stage(embedded_bus, database, announcements)
    await announcements.close()


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
    assert (report.undecided, report.different, list(report.not_checked.values())) == (1, 0, [1])
