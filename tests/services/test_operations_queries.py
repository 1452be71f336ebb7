"""What the operations board reads, and what the monitor says about its watermarks, on both databases."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.scoreboard.domain.promises import EscalationRow
from services.scoreboard.pages.operations import operations_page
from services.scoreboard.store import operations, rows
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.kit.events import NINE, after
from tests.kit.waiting import until_right
from tests.services.sla_monitor_kit import DEAL, Stage, now, stage_on


@pytest.fixture
async def stage(database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Stage]:
    async with stage_on(database, embedded_bus, DEAL) as stage:
        yield stage


def row(name: str, **changes: object) -> EscalationRow:
    ordinary = {"escalation_id": name, "lead_id": "ld_1", "level": 2, "state": "firing", "raised_at": NINE}
    return EscalationRow(**{**ordinary, **changes})  # type: ignore[arg-type]


ROWS = (
    row("old"),
    row("new", raised_at=after(5)),
    row("high", level=4, raised_at=after(-5)),
    row("ran out", state="acknowledged", acknowledged_by="mia", quiet_until=after(9), level=3),
    row("taken", state="acknowledged", acknowledged_by="mia", quiet_until=after(11)),
    row("for good", state="acknowledged", acknowledged_by="bob", raised_at=after(1)),
    row("closed", state="closed", level=9),
)


async def test_the_highest_level_is_first_and_an_acknowledgement_that_ran_out_fires_again(database: Database) -> None:
    async with database.begin() as tx:
        await rows.locked(tx, EscalationRow, (each.escalation_id for each in ROWS))
        await rows.save(tx, ROWS)
    async with database.read() as tx:
        firing = await operations.firing(tx, after(10), limit=10)
        taken = await operations.acknowledged(tx, after(10), limit=10)
        counts = [await operations.firing_count(tx, after(10), limit=n) for n in (10, 3)]
        assert await operations.acknowledged_count(tx, after(10), limit=10) == 2
    assert [(each.escalation_id, each.state) for each, _ in firing] == [
        ("high", "firing"),
        ("ran out", "firing"),
        ("new", "firing"),
        ("old", "firing"),
    ]
    assert [each.escalation_id for each, _ in taken] == ["for good", "taken"]
    assert counts == [4, 3]


async def test_a_page_that_has_not_read_everything_says_so(database: Database) -> None:
    async with database.read() as tx:
        pages = [await operations_page(tx, NINE, NINE.tzinfo, unread=n, done=None) for n in (0, 5, 2_000, None)]  # type: ignore[arg-type]
    assert [page.doubts for page in pages] == [
        (),
        (),
        ("This page has still to read 2,000 records, so it may show an earlier state.",),
        ("The event log does not answer, so there may be news that is not on this page.",),
    ]


async def held(client: httpx.AsyncClient, reason: str) -> str | None:
    """None once this is why verdicts wait on all partitions; without a reason, once they wait on none."""
    found = (await client.get("/v1/watermarks")).json()
    right = all(each.startswith(reason) for each in found["held"]) if reason else not found["held"]
    waits = found["summary"].startswith("Verdicts wait on 12 of 12" if reason else "Verdicts are given")
    return None if right and waits else str(found["held"])


async def test_the_monitor_says_how_far_it_is_and_what_it_waits_for(stage: Stage) -> None:
    async with stage.monitor() as client:
        first = (await client.get("/v1/watermarks")).json()
        assert first["summary"] == "Verdicts wait on 12 of 12 partitions."
        assert first["held"][0] == "no running ingest instance has reported on partition 0"
        stage.mark_from_now_on()
        await until_right(lambda: held(client, ""))
        found = (await client.get("/v1/watermarks")).json()
        assert (found["leads_on_hold"], len(found["partitions"])) == (0, 12)
        assert {each["slowest"] for each in found["partitions"]} == {"ingest-1"}
        await stage.mark(now() - timedelta(seconds=40), instance="ingest-2")
        await stage.mark(now() - timedelta(seconds=39), instance="ingest-2")
        await until_right(lambda: held(client, "facts of ingest ingest-2 are complete only up to "))
        assert (await client.get("/v1/watermarks", headers={"Authorization": "Bearer nobody"})).status_code == 401
        await stage.bus.close()
        await until_right(lambda: held(client, "the event log does not answer, so no facts arrive"))
        assert {each["unread"] for each in (await client.get("/v1/watermarks")).json()["partitions"]} == {None}
