"""The auditor next to a real monitor, on both databases: nothing to say about what is right, and everything that
someone changed in the record is named.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from services.cli import app
from services.scoreboard.store import audits
from services.scoreboard.store import tables as scoreboard
from services.scoreboard.workers.auditor import RunningAuditor
from services.sla_monitor.store import tables
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database, Tx
from shared.domain.events import EscalationRaised, WindowBreached, WindowCancelled, WindowMet
from tests.services.audit_kit import audited, read_all
from tests.services.sla_monitor_kit import DEAL, QUICK, Stage, activity, assigned, now, stage_on, store


@pytest.fixture
async def stage(embedded_bus: EmbeddedBus, database: Database) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus) as stage:
        yield stage


async def lived_through(stage: Stage) -> None:
    """A met, a breached, a cancelled and a moved promise, and a scoreboard that has read about all of them."""
    async with stage.monitor():
        stage.mark_from_now_on()
        at = now()
        await stage.publish(assigned("ld_met", QUICK), assigned("ld_missed", QUICK, assigned_at=at))
        await stage.publish(assigned("ld_ended", DEAL, assigned_at=at), assigned("ld_moved", QUICK, assigned_at=at))
        await stage.publish(activity("ld_met"), activity("ld_ended", "rejected", at=at))
        moved_at = at + timedelta(seconds=1)
        await stage.publish(assigned("ld_moved", QUICK, rep="bob", generation=2, assigned_at=moved_at))
        await stage.wait_for(WindowMet)
        await stage.wait_for(WindowCancelled, 2)
        await stage.wait_for(WindowBreached, 2)
        assert {event.level for event in await stage.wait_for(EscalationRaised, 6)} == {2, 3, 4}
    await read_all(stage.bus, stage.database)


@dataclass(frozen=True)
class Change:
    """What someone does to the record, which promise the audit names, and what it says."""

    named: str
    expected: str
    found: str
    apply: Callable[[Tx], Awaitable[Any]]


def _stored(lead_id: str, **changes: object) -> Callable[[Tx], Awaitable[Any]]:
    async def apply(tx: Tx) -> None:
        mine = tables.windows.c.lead_id == lead_id
        body = msgspec.json.decode((await tx.execute(sa.select(tables.windows.c.body).where(mine))).scalars().one())
        values = {"body": msgspec.json.encode(body | changes), "state": changes.get("state", body.get("state"))}
        await tx.execute(sa.update(tables.windows).where(mine).values(values))

    return apply


def _gone(table: sa.Table, *where: Any) -> Callable[[Tx], Awaitable[Any]]:
    return lambda tx: tx.execute(sa.delete(table).where(*where))


CHANGES = {
    "a breach removed": Change(
        "ld_missed", "breached", "open; announced as breached", _stored("ld_missed", state="open")
    ),
    "a breach never stored": Change(
        "ld_missed", "a window", "announced, not stored", _gone(tables.windows, tables.windows.c.lead_id == "ld_missed")
    ),
    "a met flipped": Change("ld_met", "met", "breached; announced as met", _stored("ld_met", state="breached")),
    "a breach called met": Change(
        "ld_missed", "breached", "met; announced as breached", _stored("ld_missed", state="met")
    ),
    "a state that lists do not know": Change(
        "ld_met",
        "met",
        "met; breached in lists",
        lambda tx: tx.execute(
            sa.update(tables.windows).where(tables.windows.c.lead_id == "ld_met").values(state="breached")
        ),
    ),
    "a level that did not fire": Change(
        "ld_missed", "breached", "breached; level 4 was due at", _gone(tables.steps, tables.steps.c.level == 4)
    ),
    "a warning that did not go out": Change(
        "ld_missed", "breached", "breached; level 1 was due at", _gone(tables.steps, tables.steps.c.level == 1)
    ),
    "a breach never announced": Change(
        "ld_missed",
        "breached",
        "breached; announced as open",
        _gone(
            scoreboard.timeline,
            scoreboard.timeline.c.lead_id == "ld_missed",
            scoreboard.timeline.c.type == WindowBreached.TYPE,
        ),
    ),
    "a later deadline": Change(
        "ld_met", "met", "met; due 2100-01-01 00:00:00 UTC instead of", _stored("ld_met", due_at="2100-01-01T00:00:00Z")
    ),
    "another owner": Change("ld_met", "met", "met; owed by cleo instead of ann", _stored("ld_met", owner="cleo")),
}


async def test_what_is_right_has_no_differences_and_each_change_of_the_record_is_named(stage: Stage) -> None:
    await lived_through(stage)
    report = await audited(stage.database)
    assert (report.right, report.different, report.not_checked) == (5, 0, {}), report.differences
    for name, change in CHANGES.items():
        before = await _record(stage.database)
        async with stage.database.begin() as tx:
            await change.apply(tx)
        differences = (await audited(stage.database)).differences
        assert {each.lead_id for each in differences} >= {change.named}, name
        [mine] = [each for each in differences if each.lead_id == change.named]
        assert mine.expected == change.expected, name
        assert mine.found.startswith(change.found), name
        await _restore(stage.database, before)
    assert (await audited(stage.database)).different == 0


async def test_what_came_due_in_an_outage_before_an_answer_that_is_read_with_it_is_not_missing(stage: Stage) -> None:
    at = now() - timedelta(hours=1)
    await stage.publish(assigned("ld_late", QUICK, assigned_at=at), assigned("ld_met", QUICK, assigned_at=at))
    await stage.publish(activity("ld_late", at=at + timedelta(minutes=30)))
    await stage.publish(activity("ld_met", at=at + timedelta(seconds=1.5)))
    began_at = now()
    async with stage.monitor():
        stage.mark_from_now_on()
        [met], [breached] = await stage.wait_for(WindowMet), await stage.wait_for(WindowBreached)
        assert (met.lead_id, breached.lead_id) == ("ld_met", "ld_late")
        assert met.at < began_at <= (met.noted_at or met.at)
        await read_all(stage.bus, stage.database)
    report = await audited(stage.database)
    assert (report.right, report.different, report.not_checked) == (2, 0, {}), report.differences


async def test_a_promise_that_the_monitor_never_opened_is_named(stage: Stage) -> None:
    await stage.publish(assigned("ld_1", assigned_at=now() - timedelta(hours=1)))
    await read_all(stage.bus, stage.database)
    [finding] = (await audited(stage.database)).differences
    assert (finding.lead_id, finding.promise, finding.found) == ("ld_1", "first_response", "never opened")


async def test_the_running_auditor_saves_what_it_found_and_is_clean_only_while_facts_are_complete(stage: Stage) -> None:
    auditor = RunningAuditor(stage.database, every_s=1, hours=24)
    await lived_through(stage)
    await auditor.audit()
    async with stage.database.begin() as tx:
        last, clean_at = await audits.last_audits(tx)
        assert last is not None
        assert (last.checked, last.differences, last.clean, clean_at) == (5, 0, True, last.finished_at)
        long_ago = now() - timedelta(hours=1)
        await tx.execute(sa.update(tables.watermarks).values(upto_at=long_ago))
    await auditor.audit()
    async with stage.database.read() as tx:
        last, still = await audits.last_audits(tx)
    assert last is not None
    assert (last.differences, last.clean, still) == (0, False, clean_at)


async def test_the_command_answers_with_its_exit_code(
    tmp_path: Any, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", SystemClock())
    await schema.migrate(database)
    monkeypatch.setenv("BATON_DATA", str(tmp_path))
    assert await _run("audit") == 0
    assert "0  different" in capsys.readouterr().out
    async with stage_on(database, embedded_bus) as stage:
        await store(database, DEAL)
        await stage.publish(assigned("ld_1", assigned_at=now() - timedelta(hours=1)))
        await read_all(stage.bus, database)
    assert await _run("audit") == 1
    assert "first_response of ann on lead ld_1" in capsys.readouterr().out
    assert await _run("audit", "--json") == 1
    found = msgspec.json.decode(capsys.readouterr().out)
    assert (found["different"], found["clean"], found["differences"][0]["found"]) == (1, False, "never opened")
    assert await _run("audit", "--from", "2026-01-01", "--to", "2026-01-02") == 0
    assert await _run("audit", "--from", "yesterday") == 2
    await database.close()


async def _run(*arguments: str) -> int:
    return await asyncio.to_thread(app.run, arguments)


_TABLES = (tables.windows, tables.steps, scoreboard.timeline)


async def _record(database: Database) -> list[list[dict[str, Any]]]:
    async with database.read() as tx:
        return [[dict(row._mapping) for row in await tx.execute(sa.select(table))] for table in _TABLES]


async def _restore(database: Database, record: list[list[dict[str, Any]]]) -> None:
    async with database.begin() as tx:
        for table, rows in zip(_TABLES, record, strict=True):
            await tx.execute(sa.delete(table))
            await tx.execute(sa.insert(table), rows)
