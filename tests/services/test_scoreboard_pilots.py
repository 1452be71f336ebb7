"""Pilots on the agreement's page: both arms in the same figures, from a real router, in a real browser."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from services.router.service import build as router
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.journeys.browser import chromium, watched_page
from tests.kit.agreements import agreement_text
from tests.kit.events import met, opened
from tests.kit.tables import make_tables
from tests.services.router_kit import inquiry
from tests.services.scoreboard_kit import Board, running

pytestmark = pytest.mark.browser
PILOTS = """
pilots:
  - {name: trial, scope: {field: inquiry.campaign, op: is, value: q4-demo}, agreement: draft.yaml, mode: live}
  - {name: stricter, scope: {field: inquiry.campaign, op: missing}, agreement: strict.yaml, mode: shadow}
"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def board(browser: Browser, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Board]:
    """A scoreboard and a router in one process, behind a real server, with two pilots."""
    file, clock = tmp_path / "agreement.yaml", SystemClock()
    file.write_text(agreement_text() + PILOTS)
    (tmp_path / "draft.yaml").write_text(agreement_text(within="5 minutes"))
    (tmp_path / "strict.yaml").write_text(agreement_text(score=60))
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    async with running(database, embedded_bus, clock, serve=True, others=(router,), BATON_AGREEMENT=str(file)) as board:
        yield board
        for context in browser.contexts:
            await context.close()
    await database.close()


async def test_both_arms_of_a_pilot_stand_side_by_side(board: Board, browser: Browser) -> None:
    watched = await watched_page(browser)
    pilots = watched.page.get_by_role("region", name="Pilots")
    await watched.page.goto(f"{board.client.base_url}/agreement")
    await expect(pilots).to_contain_text("trial (live)There are no leads in its scope yet.")
    await board.publish(inquiry(1, campaign="q4-demo"), inquiry(2), inquiry(3, accepted_at=datetime.now(UTC)))
    for lead_id in ("ld_1", "ld_2", "ld_3"):
        await board.timeline(lead_id, 2)
    now = datetime.now(UTC)
    await board.publish(opened("ld_1", at=now), met("ld_1", at=now + timedelta(minutes=2)))
    await board.timeline("ld_1", 4)
    await watched.page.reload()
    await expect(pilots).to_contain_text("It only records what it would decide. It differs on 2 of 2 inquiries.")
    live, shadow = pilots.get_by_role("table").nth(0), pilots.get_by_role("table").nth(1)
    await expect(live.get_by_role("row", name="share of leads qualified")).to_contain_text("100.0 % (1 of 1)no data")
    await expect(live.get_by_role("row", name="win rate")).to_contain_text("no datano data")
    await expect(live.get_by_role("row", name="attainment")).to_contain_text("100.0 % (1 of 1)no data")
    await expect(live.get_by_role("row", name="half answered within")).to_contain_text("2 minno data")
    await expect(shadow.get_by_role("row", name="rejected")).to_contain_text("20")
    await expect(pilots).to_contain_text("Nobody was given a lead by it, so nobody answered under its promises")
    decided = pilots.get_by_role("table").nth(2)
    await expect(decided.get_by_role("row", name="leads 0 2", exact=True)).to_be_visible()
    assert watched.wrong == []
