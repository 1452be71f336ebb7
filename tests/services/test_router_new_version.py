"""What a new version of the agreement does with leads that wait."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadParked
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
