"""The auditor and promises of marketing: it counts the leads of a period once more, from the timeline."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.scoreboard.store import audits
from services.scoreboard.store.tables import timeline
from services.scoreboard.workers.auditor import Auditor, AuditReport
from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.period import Figures
from services.sla_monitor.domain.period_windows import due_windows, period_verdict
from services.sla_monitor.domain.watermark import Watermark
from services.sla_monitor.store.watermarks import save_watermarks
from services.sla_monitor.store.windows import save_windows
from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import encode
from shared.db.engine import Database, Tx
from shared.domain.agreement_versions import Schedule
from shared.domain.events import ActivityRecorded, Event
from tests.kit.agreements import agreement_text
from tests.kit.events import envelope
from tests.services.audit_kit import read_all
from tests.services.sla_monitor_kit import activity, assigned, store

PROMISES = """\
  marketing:
    volume: {mql_accepted: 2, per: month, ladder: commitments}

duty:
  marketing_lead: {always: cleo}

ladders:
  commitments:
    - {at: 1 day, tell: [marketing_lead]}
"""
DEAL = agreement_file.parse(agreement_text().replace("\nladders:\n", PROMISES, 1), "marketing.yaml").agreement
TOLERANCE = timedelta(seconds=2)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+01:00")


BEGAN, OVER = at("2026-11-01T00:00:10"), at("2026-12-01T08:00")


async def publish(bus: EmbeddedBus, *events: tuple[str, Event]) -> None:
    """Put events on the log as of an instant each."""
    await bus.publish([encode(envelope(event, at(when))) for when, event in events])


async def judged(bus: EmbeddedBus, database: Database, figures: Figures) -> None:
    """A monitor that has counted this has judged November."""
    [window] = due_windows(Schedule([(at("2026-10-01T00:00"), DEAL)]), {}, BEGAN, TOLERANCE)
    levels = ladder.levels(DEAL, window)
    opened = transitions.open_window(window, (), levels)
    verdict = period_verdict(window, DEAL.commitments["volume"], figures, now=OVER, watermark=OVER)
    over = transitions.settle(opened, (), levels, DEAL, now=OVER, watermark=OVER, judged=verdict)
    async with database.begin() as tx:
        await save_windows(tx, [over.window])
        await save_watermarks(tx, [Watermark(0, "ingest-1", OVER)])
    await publish(bus, *[("2026-12-01T00:01", each.event) for each in over.announced])


async def audited(database: Database) -> AuditReport:
    """The promises that were due around the end of November."""
    return await Auditor(database, look_again_s=0).audit(at("2026-11-30T12:00"), at("2026-12-02T00:00"))


@pytest.mark.parametrize(("counted", "state", "differs"), [(2, "met", False), (1, "breached", True)])
async def test_a_month_that_was_judged_on_other_leads_than_count_is_named(
    database: Database,
    embedded_bus: EmbeddedBus,
    monkeypatch: pytest.MonkeyPatch,
    counted: int,
    state: str,
    differs: bool,
) -> None:
    async def now(tx: Tx) -> datetime:
        return OVER

    monkeypatch.setattr(database, "now", now)
    await store(database, DEAL)
    handed = {lead: at(f"2026-11-{day:02}T09:00") for lead, day in {"ld_1": 3, "ld_2": 4, "ld_3": 5}.items()}
    for lead, when in handed.items():
        await publish(embedded_bus, (when.isoformat()[:19], assigned(lead, DEAL, assigned_at=when, received_at=when)))
    for lead, text in {"ld_1": "2026-11-06T10:00", "ld_2": "2026-11-30T23:59", "ld_3": "2026-12-01T00:01"}.items():
        await publish(embedded_bus, (text, activity(lead, "accepted", at(text))))
    await judged(embedded_bus, database, Figures(handed=3, accepted=counted))
    await read_all(embedded_bus, database)
    report = await audited(database)
    named = [(each.lead_id, each.expected, each.found) for each in report.differences]
    assert named == ([("period:volume:2026-11", "met", state)] if differs else [])
    assert (report.right, report.not_checked) == (0 if differs else 1, {})


async def test_the_leads_of_a_period_are_found_in_an_index_up_to_a_bound(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts_at, ends_at = at("2026-11-01T00:00"), at("2026-12-01T00:00")
    monkeypatch.setattr(audits, "_COUNTED_AT_ONCE", 4)
    ordinary = {"rank": 1, "data": b"{}", "type": ActivityRecorded.TYPE}
    async with database.begin() as tx:
        inside = [ordinary | {"event_id": f"e{n}", "lead_id": f"ld_{n % 6}", "at": starts_at} for n in range(18)]
        months = [starts_at - timedelta(days=n % 300 + 2) for n in range(3_000)]
        outside = [ordinary | {"event_id": f"o{n}", "lead_id": f"ld_o{n}", "at": when} for n, when in enumerate(months)]
        await tx.execute(sa.insert(timeline), [*inside, *outside])
        asked: list[tuple[str, Any]] = []
        sa.event.listen(tx.sync_connection, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        assert await audits.leads_between(tx, starts_at, ends_at, limit=6) == [f"ld_{n}" for n in range(6)]
        for limit in (5, 0):
            with pytest.raises(audits.TooMuch):
                await audits.leads_between(tx, starts_at, ends_at, limit=limit)
        monkeypatch.setattr(audits, "_EVENTS_OF_A_LEAD", 1)
        with pytest.raises(audits.TooMuch):
            await audits.leads_between(tx, starts_at, ends_at, limit=7)
        explain = "EXPLAIN QUERY PLAN "
        if tx.dialect.name == "postgresql":
            explain = "EXPLAIN "
            await tx.exec_driver_sql("ANALYZE scoreboard_timeline")
        for statement, parameters in asked[:2]:
            plan = str([*await tx.exec_driver_sql(explain + statement, parameters)])
            assert "ix_scoreboard_timeline_counted" in plan, plan
