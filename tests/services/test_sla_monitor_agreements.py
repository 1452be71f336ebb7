"""Promises under an agreement that an earlier release stored and this one cannot read."""

from collections.abc import AsyncIterator

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, EscalationRaised, WindowBreached, WindowOpened
from tests.services.sla_monitor_kit import DEAL, QUICK, Stage, StoppedClock, assigned, rewritten, stage_on


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL, QUICK) as stage:
        yield stage


async def test_promises_under_an_agreement_that_cannot_be_read_wait_and_hold_up_no_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    same = {stage.bus.partition_of(ACTIVITIES, f"ld_{n}"): f"ld_{n}" for n in range(2, 99)}
    other = same[stage.bus.partition_of(ACTIVITIES, "ld_1")]
    async with stage.monitor() as client:
        await stage.publish(assigned("ld_1", DEAL, assigned_at=clock.now))
        await stage.publish(assigned(other, QUICK, assigned_at=clock.now))
        await stage.wait_for(WindowOpened, 2)
        async with rewritten(stage.database, DEAL, "an: agreement of another time"):
            await clock.pass_by(seconds=10)
            assert {each.lead_id for each in await stage.wait_for(WindowBreached)} == {other}
            notes = (await client.get("/readyz", headers={"Host": "127.0.0.1"})).json()["notes"]
            assert notes["sla_monitor.promises"].startswith(
                "promises under the agreement test version 1 wait, because this Baton cannot settle them: "
            )
        await clock.pass_by(minutes=11)
        assert {each.lead_id for each in await stage.wait_for(WindowBreached, 2)} == {"ld_1", other}


async def test_an_escalation_under_an_agreement_that_cannot_be_read_can_be_acknowledged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedClock(stage, monkeypatch)
    async with stage.monitor() as client:
        await stage.publish(assigned("ld_1", DEAL, assigned_at=clock.now))
        await clock.pass_by(seconds=2)
        [raised] = await stage.wait_for(EscalationRaised)
        async with rewritten(stage.database, DEAL, "an: agreement of another time"):
            taken = await client.post(f"/v1/escalations/{raised.escalation_id}/acknowledge", json={"by": "mia"})
        assert (taken.status_code, taken.json()["state"]) == (200, "acknowledged")
