"""Leads are judged again from the agreement's page: a real router, a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from services.router.service import build as router
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.journeys.browser import chromium, watched_page
from tests.kit.agreements import agreement_text
from tests.kit.tables import make_tables
from tests.services.router_kit import inquiry
from tests.services.scoreboard_kit import Board, running

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def test_a_button_judges_leads_again_once_someone_has_looked_at_what_would_change(
    browser: Browser, embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    file, clock = tmp_path / "agreement.yaml", SystemClock()
    file.write_text(agreement_text(score=60))
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    async with running(database, embedded_bus, clock, serve=True, others=(router,), BATON_AGREEMENT=str(file)) as board:
        await rejudged(board, browser, file)
        for context in browser.contexts:
            await context.close()
    await database.close()


async def rejudged(board: Board, browser: Browser, file: Path) -> None:
    await board.publish(inquiry(1), inquiry(2))
    for lead_id in ("ld_1", "ld_2"):
        await board.timeline(lead_id, 2)
    watched = await watched_page(browser)
    file.write_text(agreement_text(score=30).replace("version: 1", "version: 2"))  # noqa: ASYNC240
    page = watched.page
    part = page.get_by_role("region", name="Judge leads again")
    text = part.get_by_text("can be judged again under version 2")
    for _ in range(100):
        await page.goto(f"{board.client.base_url}/agreement")
        if await text.count():
            break
        await page.wait_for_timeout(50)
    apply = part.get_by_role("button", name="Judge these leads again")
    await expect(apply).to_be_disabled()
    await part.get_by_role("button", name="Show what would change").click()
    await expect(part.get_by_role("status")).to_contain_text("rejected -> assigned: 2")
    await apply.click()
    await expect(part.get_by_role("status")).to_contain_text("Give a reason first")
    await part.get_by_label("parked").uncheck()
    await expect(apply).to_be_disabled()
    await part.get_by_role("button", name="Show what would change").click()
    await part.get_by_label("Reason").fill("<b>too strict</b>")
    await part.get_by_label("Decided by").fill("ann")
    await apply.click()
    await expect(part.get_by_role("status")).to_contain_text("Applied.")
    await expect(part.get_by_role("status")).to_contain_text("rejected -> assigned: 2")
    await board.timeline("ld_1", 3)
    await page.goto(f"{board.client.base_url}/leads/ld_1")
    await expect(page.get_by_text("Judged again: assigned to").first).to_be_visible()
    await page.goto(f"{board.client.base_url}/leads/ld_1/why")
    await expect(page.get_by_text("because of “<b>too strict</b>”").first).to_be_visible()
    assert watched.wrong == []
