"""Why this rep, as a rep reads it: the real router's proofs on real pages, in a real browser."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from services.router.domain.proof_text import proof_text
from services.router.service import build as router
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.lead import Company, Consent, Contact, Signal
from tests.journeys.browser import chromium, watched_page
from tests.kit.events import inquiry
from tests.kit.services import ADMIN
from tests.kit.tables import make_tables
from tests.services.router_kit import activity
from tests.services.scoreboard_kit import Board, running
from tests.services.test_scoreboard_browser import FAULTS

pytestmark = pytest.mark.browser

TEAM = """\
agreement: team
version: 4
effective_from: 2026-01-01T00:00:00+01:00
approved_by: {marketing: {name: Mara, on: 2026-01-01}, sales: {name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
calendars:
  always: {hours: {mon-sun: [00:00-24:00]}}
fields:
  contact.seniority: {one_of: [student, staff, director]}
definitions:
  mql:
    minimum_data: [contact.email]
    consent: {basis: [opt_in]}
    exclude:
      - {reason: student, when: {field: contact.seniority, op: is, value: student}}
    score: {at_least: 20}
scoring:
  - {add: 40, reason: asked for a demo, when: {field: inquiry.kind, op: is, value: demo_request}}
  - {add: 20, reason: looked at prices, when: {signal: page_view, matches: {path: /pricing}, within: 60 days}}
decay: {half_life: 14 days}
people:
  - {id: ann, email: ann@acme.example, calendar: always, reports_to: mia, max_open: 2}
  - {id: bob, email: bob@acme.example, calendar: always, reports_to: mia, max_open: 2}
  - {id: cleo, email: cleo@acme.example, calendar: always, reports_to: mia}
  - {id: mia, email: mia@acme.example, calendar: always, role: manager}
pools:
  field: {members: {ann: 2, bob: 1}, when_nobody_available: {park_in: triage}}
  inside: {members: {cleo: 1}, strategy: least_open}
queues:
  triage: {owner: mia}
routing:
  - {name: known account, when: {account: owned}, to: {owner: account}}
  - {name: large, when: {field: company.employees, op: ">=", value: 1000}, to: {pool: inside}}
  - {name: everyone else, to: {pool: field}}
promises:
  sales: {first_response: {within: 15 minutes, met_by: [call], ladder: one}}
ladders:
  one: [{at: 0 minutes, tell: [rep]}]
"""
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def board(browser: Browser, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Board]:
    """A scoreboard and a router in one process, behind a real server."""
    file, clock = tmp_path / "agreement.yaml", SystemClock()
    file.write_text(TEAM)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", clock)
    await make_tables(database)
    async with running(database, embedded_bus, clock, serve=True, others=(router,), BATON_AGREEMENT=str(file)) as board:
        yield board
        for context in browser.contexts:
            await context.close()
    await database.close()


async def wrote(board: Board, person: int, **changes: Any) -> str:
    """Someone asked for a demo; returns the lead's id once there is a verdict."""
    lead_id, now = f"ld_{person}", datetime.now(UTC)
    asked = {
        "accepted_at": now,
        "contact": Contact(email=f"p{person}@gmail.com", first_name="Jo", last_name=f"Peeters {person}"),
        "company": Company(),
        "consent": Consent(basis="opt_in"),
        "signals": (Signal(kind="page_view", at=now - timedelta(days=14), path="/pricing"),),
        "campaign": None,
    }
    await board.publish(inquiry(lead_id, **{**asked, **changes}))
    await board.timeline(lead_id, 2)
    return lead_id


async def proof(board: Board, browser: Browser, lead_id: str, **options: Any) -> Any:
    """The page with a lead's proof, once it is filled."""
    watched = await watched_page(browser, **options)
    await watched.page.goto(f"{board.client.base_url}/leads/{lead_id}/why")
    await expect(watched.page.locator(".proof").first).to_be_visible()
    return watched


async def test_the_page_says_in_words_what_was_checked_scored_and_decided(board: Board, browser: Browser) -> None:
    watched = await proof(board, browser, await wrote(board, 1))
    page = watched.page
    verdict = page.get_by_role("region", name="Assigned to ann")
    await expect(verdict).to_contain_text("Rule 'everyone else' sends it to field; ann is")
    await expect(verdict).to_contain_text("re-derived from the record: same result")
    await expect(verdict.get_by_role("link", name="team, version 4")).to_have_attribute("href", "/agreement?version=4")
    checks = page.get_by_role("region", name="Is it a lead?")
    for sentence in (
        "The person's e-mail address is given",
        "Not excluded as student",
        "The person's seniority is “student”: it is not known.",
        "Score: 50 points, at least 20 required",
    ):
        await expect(checks).to_contain_text(sentence)
    score = page.get_by_role("region", name="Score: 50 points")
    await expect(score.get_by_role("row", name="looked at prices")).to_contain_text("+10+20decaying since")
    rules = page.get_by_role("region", name="Rules, in order")
    await expect(rules.get_by_role("listitem").nth(0)).to_contain_text("known accountdid not match")
    await expect(rules.get_by_role("listitem").nth(2)).to_contain_text("everyone elsedecided")
    assert watched.wrong == []


async def test_whose_turn_it_was_shows_how_far_each_was_from_their_share(board: Board, browser: Browser) -> None:
    await wrote(board, 1)
    watched = await proof(board, browser, await wrote(board, 2))
    turn = watched.page.get_by_role("region", name="Whose turn: number 2 in field")
    rows = turn.get_by_role("row")
    await expect(rows.nth(1)).to_contain_text("bob33 %00.33 behind")
    await expect(rows.nth(1)).to_contain_text("got it")
    await expect(rows.nth(2)).to_contain_text("ann67 %10.33 aheadNot their turn")
    assert watched.wrong == []


async def test_a_parked_lead_shows_why_each_was_passed_over_and_how_it_got_someone(
    board: Board, browser: Browser
) -> None:
    for person in range(1, 6):
        await wrote(board, person)
    watched = await proof(board, browser, "ld_5")
    page = watched.page
    over = page.get_by_role("region", name="No rep could take it")
    await expect(over.get_by_role("row", name="ann")).to_contain_text("At capacity: holds 2 of at most 2 leads")
    await page.goto(f"{board.client.base_url}/parked")
    await expect(page.get_by_role("region", name="triage")).to_contain_text("pool field")
    await board.publish(activity(0, "lost", lead_id="ld_1"))
    await expect(page.get_by_text("Every qualified lead has a rep")).to_be_visible()
    await page.goto(f"{board.client.base_url}/leads/ld_5/why")
    await expect(page.locator(".proof")).to_have_count(2)
    await expect(page.locator(".proof").first).to_contain_text("It waited for field; ann is the only one available.")
    await board.balanced(received=5, assigned=5, parked=0)
    assert watched.wrong == []


async def test_an_owner_found_by_a_similar_name_is_flagged(board: Board, browser: Browser) -> None:
    first = await wrote(board, 1, company=Company(name="Northwind Logistics"))
    lead = await wrote(board, 2, company=Company(name="Northwind Logistic"))
    watched = await proof(board, browser, lead)
    owner = watched.page.get_by_role("region", name="Who already owns the company")
    await expect(owner).to_contain_text("by a similar name")
    await expect(owner.get_by_role("link", name=first)).to_have_attribute("href", f"/leads/{first}")
    rules = watched.page.get_by_role("region", name="Rules, in order")
    await expect(rules).to_contain_text("known accountdecided")
    assert watched.wrong == []


async def test_one_person_under_two_ids_is_shown_on_both_pages(board: Board, browser: Browser) -> None:
    both = Contact(email="jo@gmail.com", phone="+32470000000")
    first = await wrote(board, 1, contact=both)
    second = await wrote(board, 2, contact=Contact(phone="+32470000000", email="other@gmail.com"))
    watched = await watched_page(browser)
    page = watched.page
    await page.goto(f"{board.client.base_url}/leads/{first}")
    await expect(page.get_by_role("link", name=second)).to_be_visible()
    await page.get_by_role("link", name=second).click()
    story = page.get_by_role("region", name="Timeline")
    await expect(story).to_contain_text(f"This id ends here: the same person is lead {first} already; ann keeps it.")
    await story.get_by_role("link", name=f"Go to lead {first}").click()
    await expect(page).to_have_url(f"{board.client.base_url}/leads/{first}")
    await page.goto(f"{board.client.base_url}/leads/{first}/why")
    joined = page.get_by_role("region", name="Joined to this lead")
    await expect(joined.get_by_role("link", name=second)).to_be_visible()
    await board.balanced(received=2, assigned=1, merged=1)
    assert watched.wrong == []


async def test_a_person_merges_two_leads_on_a_page_and_splits_them_again(board: Board, browser: Browser) -> None:
    number = "+32470000000"
    first = await wrote(board, 1, contact=Contact(email="jo@one.example", phone=number, first_name="Jo"))
    second = await wrote(board, 2, contact=Contact(email="al@two.example", phone=number, first_name="Al"))
    watched = await watched_page(browser)
    page = watched.page
    dialog = page.get_by_role("dialog")
    await page.goto(f"{board.client.base_url}/leads/{second}")
    await page.get_by_role("button", name="Same person…").click()
    await expect(dialog.get_by_label("The lead that goes on")).to_have_value(first)
    await dialog.get_by_label("Why?").fill("Al is Jo’s other name")
    await dialog.get_by_label("A key").fill("not the key that is wanted")
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(dialog.get_by_role("status")).to_contain_text("This key is not known here")
    await dialog.get_by_label("A key").fill(ADMIN["Authorization"].removeprefix("Bearer "))
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(page).to_have_url(f"{board.client.base_url}/leads/{first}")
    await expect(page.get_by_role("button", name="Same person…")).to_have_count(0)
    await expect(page.get_by_role("region", name="Why this rep")).to_contain_text("ann in the pool field got it")
    await page.get_by_role("button", name="Split off…").click()
    await dialog.get_by_label("Why?").fill("no, it is a colleague")
    await dialog.get_by_label("A key").fill(ADMIN["Authorization"].removeprefix("Bearer "))
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(page).to_have_url(f"{board.client.base_url}/leads/{second}")
    story = page.get_by_role("region", name="Timeline")
    await expect(story).to_contain_text(f"it is another person than lead {first}: no, it is a colleague.")
    await expect(page.get_by_role("region", name="Now")).to_contain_text("al@two.example")
    await page.goto(f"{board.client.base_url}/leads/{second}/why")
    await expect(page.get_by_role("region", name="A lead of its own again")).to_contain_text("same result")
    assert [each for each in watched.wrong if "401" not in each] == []


async def test_what_strangers_wrote_is_text_in_the_proof_too(board: Board, browser: Browser) -> None:
    await wrote(board, 1, company=Company(name=MARKUP), source=MARKUP)
    watched = await proof(board, browser, await wrote(board, 2, company=Company(name=MARKUP), source=MARKUP))
    await expect(watched.page.locator(".proof").first).to_contain_text(MARKUP)
    assert await watched.page.locator("main img").count() == 0
    assert watched.wrong == []


async def test_a_verdict_that_does_not_follow_says_so(board: Board, browser: Browser) -> None:
    lead = await wrote(board, 1)
    answer = (await board.client.get(f"/v1/leads/{lead}/proof", headers=ADMIN)).json()
    differing = ["rep: the record says ann, what follows is bob"]
    shown = answer["verdicts"][0]
    shown |= {"follows": False, "differences": differing, "text": proof_text(shown, lead, differing)}
    watched = await watched_page(browser)

    async def changed(route: Route) -> None:
        await route.fulfill(json=answer)

    await watched.page.route("**/proof", changed)
    await watched.page.goto(f"{board.client.base_url}/leads/{lead}/why")
    verdict = watched.page.get_by_role("region", name="Assigned to ann")
    await expect(verdict).to_contain_text("does not follow from the record")
    await expect(verdict).to_contain_text("the record says ann, what follows is bob")


async def test_the_record_can_be_downloaded_with_the_command_that_checks_it(board: Board, browser: Browser) -> None:
    lead = await wrote(board, 1)
    watched = await proof(board, browser, lead)
    async with watched.page.expect_download() as started:
        await watched.page.get_by_role("link", name="Download the record").click()
    download = await started.value
    assert download.suggested_filename == f"{lead}.record"
    assert b"\nsha256:" in (await download.path()).read_bytes()
    await expect(watched.page.get_by_text(f"./baton lead explain {lead} --offline {lead}.record")).to_be_visible()


async def test_the_lead_page_shows_the_gist_and_keeps_it_while_it_lives(board: Board, browser: Browser) -> None:
    lead = await wrote(board, 1)
    watched = await watched_page(browser)
    page = watched.page
    await page.goto(f"{board.client.base_url}/leads/{lead}")
    why = page.get_by_role("region", name="Why this rep")
    await expect(why).to_contain_text("Not bob: not their turn.")
    await expect(why).to_contain_text("same result")
    await expect(page.locator("#live-text")).to_have_text("Live")
    move = {"to": {"rep": "cleo"}, "reason": "knows them", "by": "mia"}
    assert (await board.client.post(f"/v1/leads/{lead}/move", json=move, headers=ADMIN)).status_code == 200
    await expect(why).to_contain_text("Moved by mia: knows them; mia gave it to cleo.", timeout=5000)
    await expect(page.get_by_role("region", name="Timeline")).to_contain_text("Moved by mia from ann to cleo")
    await why.get_by_role("link", name="The complete proof").click()
    await expect(page.get_by_role("region", name="Moved to cleo")).to_be_visible()
    assert watched.wrong == []


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_proof_and_the_lists_are_built_so_that_everyone_can_use_them(
    board: Board, browser: Browser, width: int
) -> None:
    for person in range(1, 6):
        await wrote(board, person)
    await wrote(board, 6, consent=None)
    watched = await proof(board, browser, "ld_5", viewport={"width": width, "height": 900})
    for path in ("/leads/ld_5/why", "/leads/ld_1/why", "/leads/ld_6/why", "/parked", "/rejected"):
        await watched.page.goto(f"{board.client.base_url}{path}")
        await watched.page.wait_for_load_state("load")
        if path.endswith("why"):
            await expect(watched.page.locator(".proof").first).to_be_visible()
        assert await watched.page.evaluate(FAULTS) == [], path
        assert await watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert watched.wrong == []


async def test_the_proof_prints_whole_and_without_what_is_only_for_the_screen(board: Board, browser: Browser) -> None:
    watched = await proof(board, browser, await wrote(board, 1))
    await watched.page.emulate_media(media="print")
    for only_on_screen in (".places", ".live"):
        await expect(watched.page.locator(only_on_screen)).to_be_hidden()
    for title in ("Is it a lead?", "Rules, in order", "Score: 50 points", "Check it yourself"):
        await expect(watched.page.get_by_role("heading", name=title)).to_be_visible()
