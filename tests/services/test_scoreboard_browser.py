"""The scoreboard as people see it: real Chromium, real server, nothing refused by the page's own policy."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from tests.journeys.browser import chromium, watched_page
from tests.kit.events import activity, assigned, inquiry, met, opened, raised
from tests.kit.tables import make_tables
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", SystemClock())
    await make_tables(database)
    yield database
    await database.close()


@pytest.fixture
async def board(browser: Browser, database: Database, embedded_bus: EmbeddedBus) -> AsyncIterator[Board]:
    async with running(database, embedded_bus, SystemClock(), serve=True) as board:
        yield board
        for context in browser.contexts:
            await context.close()


@pytest.fixture
def now() -> datetime:
    return SystemClock().now()


async def hand_off(board: Board, now: datetime, *, within_s: float = 900) -> None:
    """One lead comes in and is assigned, with its promise running."""
    due_at = now + timedelta(seconds=within_s)
    await board.publish(inquiry(accepted_at=now), assigned(assigned_at=now, received_at=now, respond_by=due_at))
    await board.publish(opened(at=now, due_at=due_at))


async def no_proof(route: Route) -> None:
    """What a router answers about an unjudged lead; tests/services/test_scoreboard_proof.py has a real one."""
    await route.fulfill(json={"lead_id": "ld_1", "verdicts": []})


@pytest.mark.alone
async def test_a_lead_shows_within_two_seconds_without_a_reload(board: Board, browser: Browser, now: datetime) -> None:
    watched = await watched_page(browser)
    page = watched.page
    await page.goto(str(board.client.base_url))
    await expect(page.locator("#live-text")).to_have_text("Live")
    await expect(page.get_by_text("No leads yet")).to_be_visible()
    await page.evaluate("window.untouched = true")
    await hand_off(board, now)
    await expect(page.get_by_role("link", name="Jo Peeters").first).to_be_visible(timeout=2000)
    await expect(page.locator(".step.assigned .big")).to_have_text("1", timeout=2000)
    await board.publish(met(at=now + timedelta(seconds=1), due_at=now + timedelta(seconds=900)))
    await expect(page.locator(".step.responded .big")).to_have_text("1", timeout=2000)
    assert await page.evaluate("window.untouched")
    await expect(page.locator("#announcement")).to_contain_text("1 received today, 1 assigned")
    assert watched.wrong == []


async def test_what_another_process_committed_shows_as_well(
    board: Board, browser: Browser, database: Database, embedded_bus: EmbeddedBus, now: datetime
) -> None:
    watched = await watched_page(browser)
    async with running(database, embedded_bus, SystemClock(), serve=True) as other:
        for scoreboard in (board, other):
            await watched.page.goto(str(scoreboard.client.base_url))
            await expect(watched.page.locator("#live-text")).to_have_text("Live")
            before = await watched.page.locator(".step.received .big").inner_text()
            for lead in range(12):
                await board.publish(inquiry(f"ld_{before}_{lead}", accepted_at=now))
            received = str(int(before) + 12)
            await expect(watched.page.locator(".step.received .big")).to_have_text(received)
        await watched.page.goto("about:blank")
    assert watched.wrong == []


async def test_the_countdown_runs_and_turns_overdue(board: Board, browser: Browser, now: datetime) -> None:
    watched = await watched_page(browser)
    await watched.page.clock.install()
    await hand_off(board, now, within_s=600)
    await board.timeline("ld_1", 3)
    await watched.page.goto(str(board.client.base_url))
    left = watched.page.locator("[data-due] .figure")
    await expect(left).to_have_text(re.compile(r"9:\d\d left"))
    await expect(left).not_to_have_text(await left.inner_text())
    await watched.page.clock.fast_forward("10:00")
    await expect(left).to_contain_text("overdue")
    await expect(watched.page.get_by_text("waiting for late facts")).to_be_visible()
    assert watched.wrong == []


async def test_the_lead_page_says_why_this_rep_and_follows_the_story(
    board: Board, browser: Browser, now: datetime
) -> None:
    watched = await watched_page(browser)
    page = watched.page
    await page.route("**/proof", no_proof)
    await hand_off(board, now)
    await board.timeline("ld_1", 3)
    await page.goto(str(board.client.base_url))
    await page.get_by_role("link", name="Jo Peeters").first.click()
    why = page.get_by_role("region", name="Why this rep")
    await expect(why).to_contain_text("It scored 65: asked for a demo; decision maker.")
    await expect(why).to_contain_text("The rule “everyone else” decided, and ann in the pool benelux got it.")
    await expect(page.locator("#live-text")).to_have_text("Live")
    await board.publish(activity(accepted_at=now + timedelta(seconds=30)))
    await expect(page.get_by_role("region", name="Timeline")).to_contain_text("ann called: connected.")
    assert watched.wrong == []


async def test_a_listener_that_goes_away_is_forgotten(board: Board, browser: Browser) -> None:
    watched = await watched_page(browser)
    await watched.page.goto(str(board.client.base_url))
    await expect(watched.page.locator("#live-text")).to_have_text("Live")
    assert board.live.listeners == 1
    await watched.page.goto("about:blank")

    async def gone() -> str | None:
        return None if board.live.listeners == 0 else f"{board.live.listeners} listeners"

    await until_right(gone)


async def test_the_focus_stays_when_the_panels_are_fetched_again(board: Board, browser: Browser, now: datetime) -> None:
    watched = await watched_page(browser)
    page = watched.page
    await hand_off(board, now)
    await board.timeline("ld_1", 3)
    await page.goto(str(board.client.base_url))
    await expect(page.locator("#live-text")).to_have_text("Live")
    await page.get_by_role("link", name="Jo Peeters").first.focus()
    await board.publish(raised(at=now))
    await expect(page.get_by_role("region", name="Escalations")).to_contain_text("firing")
    assert await page.evaluate("document.activeElement.getAttribute('href')") == "/leads/ld_1"


@pytest.mark.parametrize("width", [1280, 390])
async def test_pages_are_built_so_that_everyone_can_use_them(
    board: Board, browser: Browser, now: datetime, width: int
) -> None:
    watched = await watched_page(browser, viewport={"width": width, "height": 800})
    page = watched.page
    await page.route("**/proof", no_proof)
    await hand_off(board, now)
    await board.publish(raised(at=now))
    await board.timeline("ld_1", 4)
    for path in ("/", "/leads/ld_1"):
        await page.goto(f"{board.client.base_url}{path}")
        assert await page.evaluate(FAULTS) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert watched.wrong == []


async def test_pages_are_whole_without_javascript(board: Board, browser: Browser, now: datetime) -> None:
    watched = await watched_page(browser, java_script_enabled=False)
    await hand_off(board, now)
    await board.timeline("ld_1", 3)
    await watched.page.goto(str(board.client.base_url))
    await expect(watched.page.get_by_role("link", name="Jo Peeters").first).to_be_visible()
    await expect(watched.page.locator("[data-due]")).to_contain_text("left")
    assert await watched.page.locator('noscript meta[http-equiv="refresh"]').count() == 1


FAULTS = """() => {
  const faults = [];
  const levels = [...document.querySelectorAll("h1,h2,h3")].map((h) => Number(h.tagName[1]));
  if (levels.filter((n) => n === 1).length !== 1 || levels[0] !== 1) faults.push(`headings: ${levels}`);
  if (!document.documentElement.lang || !document.title) faults.push("no language or title");
  for (const part of document.querySelectorAll("section"))
    if (!document.getElementById(part.getAttribute("aria-labelledby") ?? "")) faults.push("a section without a name");
  for (const table of document.querySelectorAll("table"))
    if (!table.caption || table.querySelector("th:not([scope])")) faults.push("a table without caption or scopes");
  for (const link of document.querySelectorAll("a"))
    if (!link.textContent.trim()) faults.push(`a link without text: ${link.href}`);
  for (const drawing of document.querySelectorAll("svg"))
    if (drawing.getAttribute("aria-hidden") !== "true") faults.push("a drawing that is read aloud");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) faults.push("an id twice");
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main part");
  if (!document.querySelector('[aria-live="polite"]')) faults.push("nothing says what changed");
  return faults;
}"""
