"""What an operator ends at the moment at which a monitor is about to base something on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from services.sla_monitor.domain.escalation import escalation_id, silenced
from services.sla_monitor.domain.window_state import WindowState
from services.sla_monitor.store import holds as hold_store
from services.sla_monitor.store import windows as window_store
from services.sla_monitor.store.arrangements import arrangements_at
from services.sla_monitor.store.holds import LeadHold
from services.sla_monitor.store.persons import lock_persons
from services.sla_monitor.store.states import save, states_of
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ACTIVITIES, EscalationRaised, WindowOpened
from tests.kit.waiting import until
from tests.services.sla_monitor_kit import DEAL, Stage, StoppedClock, assigned, now, stage_on

# SQLite has one writer, so nothing happens at the same time.
pytestmark = [pytest.mark.parametrize("database", ["postgres"], indirect=True), pytest.mark.postgres]


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


async def begun(request: Awaitable[Any], database: Database) -> asyncio.Task[Any]:
    """The request, once it waits for another transaction, or is answered."""
    task = asyncio.ensure_future(request)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        async with database.read() as tx:
            return task.done() or (await tx.execute(sa.text(waiting))).first() is not None

    await until(waits)
    return task


async def test_a_silence_also_ends_for_what_a_timer_keeps_silent_at_that_moment(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, clock = stage.database, StoppedClock(stage, monkeypatch)
    async with stage.monitor() as client:
        ends_at = (clock.now + timedelta(hours=2)).isoformat()
        body = {"by": "mia", "reason": "the CRM moves", "until": ends_at}
        made = (await client.post("/v1/silences", json=body)).json()
        await stage.publish(assigned(deal=DEAL, assigned_at=clock.now))
        await clock.pass_by(seconds=2)
        [raised] = await stage.wait_for(EscalationRaised)
        async with database.begin() as tx:
            [silence] = (await arrangements_at(tx, clock.now)).silences
            url = f"/v1/silences/{made['silence_id']}/end"
            ending = await begun(client.post(url, json={"by": "ann"}), database)
            [window] = await window_store.windows_by_id(tx, [raised.window_id])
            [state] = (await states_of(tx, [window])).values()
            assert state.escalation is not None
            other = replace(window, window_id="other")
            quiet = silenced(state.escalation, [1], silence)
            quiet = replace(quiet, window_id="other", escalation_id=escalation_id(other))
            await save(tx, {}, {"other": WindowState(other, quiet)}, clock.now)
        assert (await ending).status_code == 200
        async with database.read() as tx:
            [after] = (await states_of(tx, [other])).values()
        assert after.escalation is not None
        assert after.escalation.silenced_until_at == clock.now


async def test_promises_that_a_consumer_puts_on_hold_at_that_moment_do_not_run_on_while_the_hold_stands(
    stage: Stage,
) -> None:
    database = stage.database
    async with stage.monitor() as client:
        await stage.publish(assigned(deal=DEAL))
        [opened] = await stage.wait_for(WindowOpened)
        async with database.begin() as tx:
            await hold_store.save_holds(tx, [LeadHold("q_1", "ld_1", "1", "unreadable")], now())
        async with database.begin() as tx:
            await lock_persons(tx, ["ld_1"], lambda lead_id: stage.bus.partition_of(ACTIVITIES, lead_id))
            await hold_store.save_holds(tx, [LeadHold("q_2", "ld_1", "2", "unreadable too")], now())
            [window] = await window_store.windows_by_id(tx, [opened.window_id])
            await window_store.save_windows(tx, [replace(window, hold="unreadable too")])
            releasing = await begun(client.post("/v1/leads/ld_1/release"), database)
        assert (await releasing).json() == {"lead_id": "ld_1", "released": 1}
        async with database.begin() as tx:
            [window] = await window_store.windows_by_id(tx, [opened.window_id])
            assert (window.hold, await hold_store.holds_of(tx, ["ld_1"])) == (None, [])
