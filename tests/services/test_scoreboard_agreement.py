"""The agreement's pages over HTTP: what is in force in sentences, all versions, what changed, trouble."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.agreement import Agreement
from shared.ports import Clock
from tests.journeys.browser import chromium, watched_page
from tests.kit.agreements import agreement_text
from tests.kit.clocks import ManualClock
from tests.kit.tables import make_tables
from tests.services.scoreboard_kit import Board, running
from tests.services.test_scoreboard_browser import FAULTS

DATA = Path(__file__).parents[1] / "data"
STARTS = "effective_from: 2026-01-01T00:00:00+01:00"


def version(number: int, starts: str, *changes: tuple[str, str]) -> Agreement:
    """The test agreement in a version that takes effect on a date."""
    text = agreement_text()
    for old, new in (("version: 1\n", f"version: {number}\n"), (STARTS, f"effective_from: {starts}"), *changes):
        assert old in text, old
        text = text.replace(old, new)
    return agreement_file.parse(text, "test.yaml").agreement


FIRST = version(1, "2026-01-01")
SECOND = version(2, "2026-02-01", ("{ann: 2, bob: 1}", "{ann: 1, bob: 1}"))
COMING = version(3, "2099-01-01", ("asked for a demo", "<b>asked</b>"))


async def store(database: Database, clock: Clock, *versions: Agreement, active: int) -> None:
    """Store versions as the services do; the first `active` were in force."""
    for topic_partition, agreement in enumerate(versions):
        async with database.begin() as tx:
            await agreements.save(tx, agreement, clock.now())
            if topic_partition < active:
                await agreements.activate(tx, agreement.hash, clock.now())


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock) -> AsyncIterator[Board]:
    manual_clock.advance(seconds=(datetime(2026, 3, 1, tzinfo=UTC) - manual_clock.now()).total_seconds())
    async with running(database, embedded_bus, manual_clock) as board:
        yield board


def words(page: str) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_the_version_in_force_is_shown_in_sentences_and_all_versions_are_listed(
    board: Board, database: Database
) -> None:
    await store(database, board.clock, FIRST, SECOND, COMING, active=2)
    page = words(await board.page("/agreement"))
    assert "Version 2, agreed between marketing and sales" in page
    assert "ann 50 %, bob 50 %" in page
    assert "For marketing, Mara approved it on 1 January 2026." in page
    for number, state in ((3, "to come"), (2, "in force"), (1, "earlier")):
        assert f"Version {number} {state}" in page


async def test_any_stored_version_can_be_read(board: Board, database: Database) -> None:
    await store(database, board.clock, FIRST, SECOND, active=2)
    assert "ann 67 %, bob 33 %" in words(await board.page("/agreement?version=1"))
    answer = await board.client.get("/agreement?version=7")
    assert answer.status_code == 404
    assert "Stored versions: 2, 1." in answer.text


async def test_any_two_versions_are_compared_in_words(board: Board, database: Database) -> None:
    await store(database, board.clock, FIRST, SECOND, COMING, active=2)
    page = words(await board.page("/agreement/diff?from=1&to=2"))
    assert "From version 1 to version 2" in page
    assert "pool “benelux”: ann&#39;s weight goes from 2 to 1, the share from 67 % to 50 %" in page
    assert "the share from 50 % to 67 %" in words(await board.page("/agreement/diff?from=2&to=1"))
    assert "Both versions mean the same." in words(await board.page("/agreement/diff?from=1&to=1"))


async def test_what_an_agreement_says_is_never_markup(board: Board, database: Database) -> None:
    await store(database, board.clock, FIRST, COMING, active=1)
    for path in ("/agreement?version=3", "/agreement/diff?from=1&to=3"):
        page = await board.page(path)
        assert "&lt;b&gt;asked&lt;/b&gt;" in page
        assert "<b>asked" not in page


async def test_without_an_agreement_the_page_says_so(board: Board) -> None:
    assert "No agreement is in use yet." in await board.page("/agreement")
    assert (await board.client.get("/agreement/diff?from=1&to=2")).status_code == 404


async def test_a_version_that_does_not_parse_is_reported_and_breaks_no_page(board: Board, database: Database) -> None:
    strange = replace(FIRST, version=9, hash="sha256:other", text="agreement: test\n")
    await store(database, board.clock, FIRST, strange, active=1)
    assert "this one does not read it" in await board.page("/agreement?version=9")
    assert "this one does not read it" in await board.page("/agreement/diff?from=1&to=9")
    assert "Version 9" in words(await board.page("/agreement"))


async def test_the_agreement_is_shown_to_viewers_only(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock
) -> None:
    async with running(database, embedded_bus, manual_clock, BATON_HOST="0.0.0.0") as board:  # noqa: S104
        for path in ("/agreement", "/agreement/diff?from=1&to=2"):
            assert (await board.client.get(path)).status_code == 401


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def seen(browser: Browser, tmp_path: Path, embedded_bus: EmbeddedBus) -> AsyncIterator[Board]:
    """A scoreboard behind a real server with a whole agreement and a version before it."""
    clock = SystemClock()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    text, drafts = (DATA / "agreement_full.yaml").read_text(), {"draft.yaml": (DATA / "draft.yaml").read_text()}
    before = text.replace("version: 3", "version: 2").replace("2026-12-01T", "2025-06-01T")
    now = text.replace("2026-12-01T", "2025-11-01T").replace("within: 15 minutes", "within: 10 minutes")
    versions = [agreement_file.parse(one, "full.yaml", drafts).agreement for one in (before, now)]
    await store(database, clock, *versions, active=2)
    async with running(database, embedded_bus, clock, serve=True) as board:
        yield board
        for context in browser.contexts:
            await context.close()
    await database.close()


async def no_trouble(route: Route) -> None:
    """The response of a router whose file is as it should be."""
    await route.fulfill(json={"trouble": []})


async def no_pilots(route: Route) -> None:
    await route.fulfill(json={"items": []})


@pytest.mark.browser
async def test_trouble_with_a_changed_file_shows_on_the_page(seen: Board, browser: Browser) -> None:
    watched = await watched_page(browser)

    async def trouble(route: Route) -> None:
        await route.fulfill(json={"trouble": ["deal.yaml:3:1: <i>unknown</i> key"]})

    await watched.page.route("**/v1/agreement", trouble)
    await watched.page.route("**/v1/pilots", no_pilots)
    await watched.page.goto(f"{seen.client.base_url}/agreement")
    region = watched.page.get_by_role("region", name="The agreement file has errors")
    await expect(region).to_contain_text("deal.yaml:3:1: <i>unknown</i> key")
    await expect(region).to_be_in_viewport()
    await expect(watched.page.locator("#announcement")).to_have_text("The agreement file has errors.")
    assert watched.wrong == []


@pytest.mark.browser
async def test_without_trouble_or_without_a_router_no_warning_is_shown(seen: Board, browser: Browser) -> None:
    watched = await watched_page(browser)
    await watched.page.goto(f"{seen.client.base_url}/agreement")
    await expect(watched.page.get_by_role("heading", level=1)).to_contain_text("emea-inbound")
    await watched.page.wait_for_load_state("networkidle")
    await expect(watched.page.locator("#trouble")).to_have_class(re.compile("hidden"))
    assert [one for one in watched.wrong if "404" not in one] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
async def test_the_agreements_pages_are_built_so_that_everyone_can_use_them(
    seen: Board, browser: Browser, width: int
) -> None:
    watched = await watched_page(browser, viewport={"width": width, "height": 900})
    page = watched.page
    await page.route("**/v1/agreement", no_trouble)
    await page.route("**/v1/pilots", no_pilots)
    for path in ("/agreement", "/agreement/diff?from=2&to=3"):
        await page.goto(f"{seen.client.base_url}{path}")
        assert await page.evaluate(FAULTS) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert watched.wrong == []


@pytest.mark.browser
async def test_one_finds_the_agreement_and_its_changes_by_their_links(seen: Board, browser: Browser) -> None:
    watched = await watched_page(browser)
    page = watched.page
    await page.route("**/v1/agreement", no_trouble)
    await page.route("**/v1/pilots", no_pilots)
    await page.goto(str(seen.client.base_url))
    await page.get_by_role("link", name="Agreement").click()
    await page.get_by_role("link", name="since version 2").click()
    promises = page.get_by_role("region", name="Promises of sales")
    await expect(promises).to_contain_text("the time is now 10 minutes of working time (was 15 minutes")
    assert watched.wrong == []


@pytest.mark.browser
async def test_the_page_prints_without_what_is_only_for_the_screen(seen: Board, browser: Browser) -> None:
    watched = await watched_page(browser)
    page = watched.page
    await page.goto(f"{seen.client.base_url}/agreement")
    await page.emulate_media(media="print")
    for only_on_screen in (".places", ".contents", ".live"):
        await expect(page.locator(only_on_screen)).to_be_hidden()
    await expect(page.get_by_text("Pools: people who share leads").last).to_be_visible()
