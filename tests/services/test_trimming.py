"""Tables are trimmed by their settings, and nothing that an open lead or a running promise needs goes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.delivery.store import trimming as delivery
from services.delivery.store.tables import TABLES as DELIVERY_TABLES
from services.router.store import trimming as router
from services.router.store.tables import tables as router_tables
from services.scoreboard.store import trimming as scoreboard
from services.scoreboard.store.tables import tables as scoreboard_tables
from services.sla_monitor.store import trimming as monitor
from services.sla_monitor.store.tables import tables as monitor_tables
from shared.bus.topics import read_topics
from shared.db.engine import Database
from shared.db.tables import metadata
from shared.db.text import Key, Text
from shared.domain.errors import Misconfigured
from shared.runtime.trim import Trimmer
from shared.settings import Settings, read

DAY = timedelta(days=1)
SERVICES = {
    "router": (router_tables, router.EXPIRED),
    "sla_monitor": (monitor_tables, monitor.EXPIRED),
    "scoreboard": (scoreboard_tables, scoreboard.EXPIRED),
    "delivery": (DELIVERY_TABLES, delivery.EXPIRED),
}


def _row(table: sa.Table, given: Mapping[str, object]) -> dict[str, Any]:
    """A row with something in each column that must not be empty."""
    samples: dict[type, object] = {int: 0, bytes: b"{}", bool: False, object: datetime.now(UTC)}
    required = [column for column in table.columns if not column.nullable and column.name not in given]
    sampled = {c.name: "x" if isinstance(c.type, Text | Key) else samples[c.type.python_type] for c in required}
    return {**sampled, **given}


async def _fill(database: Database, name: str, *rows: Mapping[str, object]) -> None:
    table = metadata.tables[name]
    async with database.begin() as tx:
        for row in rows:
            await tx.execute(sa.insert(table), _row(table, row))


async def _left(database: Database, name: str, column: str) -> set[Any]:
    async with database.read() as tx:
        return set((await tx.execute(sa.select(metadata.tables[name].c[column]))).scalars())


def ago(days: int) -> datetime:
    return datetime.now(UTC) - days * DAY


async def _trimmed(database: Database, service: str, retention: timedelta | None = 90 * DAY) -> int:
    tables, expired = SERVICES[service]
    return await Trimmer(database, tables, expired, retention=retention, inbox=35 * DAY).trim_all()


@pytest.mark.parametrize("service", SERVICES)
async def test_ids_of_handled_events_go_after_their_time_in_every_service(database: Database, service: str) -> None:
    old: list[dict[str, object]] = [{"event_id": f"old_{n}", "handled_at": ago(36)} for n in range(700)]
    await _fill(database, f"{service}_inbox", *old, {"event_id": "new", "handled_at": ago(34)})
    assert await _trimmed(database, service) == 700
    assert await _left(database, f"{service}_inbox", "event_id") == {"new"}


def test_ids_are_stored_longer_than_any_topic_and_longer_than_ingest_recognises_a_repeat() -> None:
    with pytest.raises(Misconfigured, match="BATON_INBOX_DAYS"):
        read(Settings, {"BATON_INBOX_DAYS": "31"})
    assert all(timedelta(seconds=topic.retention_s) < 31 * DAY for topic in read_topics().values())


async def test_the_router_keeps_every_verdict_of_a_lead_that_is_open(database: Database) -> None:
    states = {"ld_open": "assigned", "ld_waits": "parked", "ld_ended": "closed", "ld_out": "rejected"}
    for lead, state in states.items():
        await _fill(database, "router_leads", {"lead_id": lead, "state": state, "updated_at": ago(91)})
        await _fill(database, "router_verdicts", {"lead_id": lead, "lead_version": 1})
    await _fill(database, "router_leads", {"lead_id": "ld_recent", "state": "closed", "updated_at": ago(89)})
    await _fill(database, "router_verdicts", {"lead_id": "ld_recent", "lead_version": 1})
    await _fill(database, "router_journal", {"seq": 1, "at": ago(91)}, {"seq": 2, "at": ago(89)})
    await _trimmed(database, "router")
    assert await _left(database, "router_verdicts", "lead_id") == {"ld_open", "ld_waits", "ld_recent"}
    assert await _left(database, "router_journal", "seq") == {2}


async def test_a_fact_whose_lead_never_came_goes_after_its_time(database: Database) -> None:
    for name, accepted_at in {"old": ago(91), "new": ago(89)}.items():
        await _fill(database, "router_early_facts", {"activity_id": name, "accepted_at": accepted_at})
    await _trimmed(database, "router")
    assert await _left(database, "router_early_facts", "activity_id") == {"new"}


async def test_the_monitor_keeps_what_a_running_promise_needs(database: Database) -> None:
    await _fill(
        database,
        "sla_monitor_windows",
        {"window_id": "runs", "lead_id": "ld_1", "state": "open", "due_at": ago(100), "look_at": ago(1)},
        {"window_id": "ended", "lead_id": "ld_1", "state": "met", "due_at": ago(100)},
        {"window_id": "over", "lead_id": "ld_2", "state": "met", "due_at": ago(100)},
        {"window_id": "recent", "lead_id": "ld_3", "state": "met", "due_at": ago(80)},
    )
    for number in (1, 2):
        fact = {"lead_id": f"ld_{number}", "activity_id": f"act_{number}", "accepted_at": ago(100)}
        await _fill(database, "sla_monitor_facts", fact)
    for window in ("runs", "over"):
        await _fill(database, "sla_monitor_steps", {"window_id": window, "fired_at": ago(100)})
    for state in ("firing", "closed"):
        escalation = {"escalation_id": state, "state": state, "raised_at": ago(100)}
        await _fill(database, "sla_monitor_escalations", escalation)
    await _trimmed(database, "sla_monitor")
    assert await _left(database, "sla_monitor_windows", "window_id") == {"runs", "ended", "recent"}
    assert await _left(database, "sla_monitor_facts", "activity_id") == {"act_1"}
    assert await _left(database, "sla_monitor_steps", "window_id") == {"runs"}
    assert await _left(database, "sla_monitor_escalations", "escalation_id") == {"firing"}


async def test_the_scoreboard_keeps_the_story_of_a_lead_that_is_open(database: Database) -> None:
    for lead, state in {"ld_open": "assigned", "ld_ended": "closed"}.items():
        await _fill(database, "scoreboard_leads", {"lead_id": lead, "state": state})
        await _fill(database, "scoreboard_timeline", {"event_id": f"ev_{lead}", "lead_id": lead, "at": ago(91)})
    await _fill(database, "scoreboard_timeline", {"event_id": "ev_new", "lead_id": "ld_ended", "at": ago(89)})
    await _trimmed(database, "scoreboard")
    assert await _left(database, "scoreboard_timeline", "event_id") == {"ev_ld_open", "ev_new"}


async def test_without_a_setting_only_ids_of_handled_events_go(database: Database) -> None:
    await _fill(database, "router_journal", {"seq": 1, "at": ago(5000)})
    assert await _trimmed(database, "router", retention=None) == 0


async def test_delivery_stores_who_was_told_of_what_goes_on_and_their_leads(database: Database) -> None:
    given = {"told": {}, "over": {"over": "answered"}, "failed": {"state": "failed"}, "closed": {"kind": "closed"}}
    for name, changes in given.items():
        ordinary = {"notice_id": name, "lead_id": f"ld_{name}", "message_id": f"ms_{name}", "created_at": ago(91)}
        row = {**ordinary, "state": "told", "kind": "breach", **changes}
        await _fill(database, "delivery_notices", row)
        await _fill(database, "delivery_messages", {"message_id": f"ms_{name}", "created_at": ago(91)})
        await _fill(database, "delivery_leads", {"lead_id": f"ld_{name}", "updated_at": ago(91)})
    ancient = {"notice_id": "ancient", "state": "told", "kind": "breach", "created_at": ago(456)}
    await _fill(database, "delivery_notices", ancient)
    await _trimmed(database, "delivery")
    assert await _left(database, "delivery_notices", "notice_id") == {"told"}
    assert await _left(database, "delivery_messages", "message_id") == {"ms_told"}
    assert await _left(database, "delivery_leads", "lead_id") == {"ld_told"}
