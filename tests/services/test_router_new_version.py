"""What a new version of the agreement does with leads that wait."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.router.domain import routing
from services.router.simulation.runner import Plan, simulate
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadParked
from shared.domain.lead import Contact
from tests.services.router_kit import TEAM, Router, ones, running, stranger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agreement.yaml"
    path.write_text(TEAM)
    return path


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, file: Path) -> AsyncIterator[Router]:
    async with running(file, database, embedded_bus) as router:
        yield router


async def test_a_new_version_routes_the_leads_that_wait_at_once(router: Router, file: Path) -> None:
    await router.publish(*(stranger(n) for n in range(1, 7)))
    waiting = ones(await router.wait_for(6), LeadParked)
    later = TEAM.replace("version: 1", "version: 2").replace(
        "  - {name: everyone else, to: {pool: field}}", "  - {name: everyone else, to: {pool: inside}}"
    )
    file.write_text(later)  # noqa: ASYNC240
    moved = await router.wait_for(2)
    assert [(event.lead_id, event.rep.id, event.agreement.version) for event in ones(moved, LeadAssigned)] == [
        (event.lead_id, "cleo", 2) for event in waiting
    ]


async def test_every_lead_that_waits_is_tried_under_a_new_version_however_many_and_a_simulation_does_the_same(
    router: Router, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "PAGE", 1)
    monkeypatch.setattr(routing, "MAX_LEADS", 1)
    await router.publish(*(stranger(n) for n in range(1, 9)))
    assert len(ones(await router.wait_for(8), LeadParked)) == 4
    await router.publish(stranger(9, contact=Contact(email="p9@gmail.com", language="en")))
    [last] = ones(await router.wait_for(1), LeadParked)
    later = TEAM.replace("version: 1", "version: 2").replace(
        "to: {pool: field, only: {languages: {field: contact.language}}}", "to: {pool: inside}"
    )
    file.write_text(later)  # noqa: ASYNC240
    [moved] = ones(await router.wait_for(1), LeadAssigned)
    assert (moved.lead_id, moved.rep.id, moved.agreement.version) == (last.lead_id, "cleo", 2)
    plan = Plan(draft=None, against=None, since=None, until=datetime.now(UTC))
    assert (await simulate(router.database, plan)).differ == 0
