"""The operations board as whoever is on call uses it: real Chromium, the real monitor behind the same address."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from services.delivery.service import build as delivery
from services.sla_monitor.service import build as monitor
from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.domain.event import Recipient
from tests.journeys.browser import Watched, chromium, watched_page
from tests.kit.agreements import agreement_text
from tests.kit.events import acknowledged, closed, inquiry, opened, raised
from tests.kit.services import ADMIN
from tests.kit.tables import make_tables
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running
from tests.services.sla_monitor_kit import Stage, assigned, now, stage_on
from tests.services.test_scoreboard_browser import FAULTS

pytestmark = pytest.mark.browser

DUTY = """\
duty:
  ops: {always: bob}
  sales_lead: {rota: [cleo, mia], turn: week, starts: 2026-01-05T09:00}
"""
DEAL = agreement_file.parse(agreement_text(within="1 second", warn="30 seconds", move="1 hour") + DUTY, "on-call.yaml")
CHANNELS = "channels: {manager: {email: {}}}\n"
LOUD = agreement_file.parse(
    agreement_text().replace("from: 2026-01", "from: 2025-01") + CHANNELS, "loud.yaml"
).agreement
"""An earlier agreement without a channel for ops."""
LOGIN = {"username": "bob", "password": "admin-key"}


@dataclass
class OnCall:
    """The board next to a monitor, and an ingest that says how far its facts are complete."""

    board: Board
    stage: Stage
    browser: Browser

    async def breach(self, lead: str = "ld_1", name: str = "Peeters") -> str:
        """A promise is missed, and its escalation fires; returns its id."""
        at = now()
        await self.board.publish(inquiry(lead, accepted_at=at), assigned(lead, DEAL.agreement))
        return await self.firing(lead)

    async def firing(self, lead: str) -> str:
        found: list[dict[str, Any]] = []

        async def there() -> str | None:
            found[:] = (await self.board.get(f"/v1/escalations?lead_id={lead}"))["items"]
            return None if found else "no escalation"

        await until_right(there)
        return str(found[0]["escalation_id"])

    async def open(self, **options: object) -> Watched:
        """The board in a browser of its own, with the login of someone who may act."""
        watched = await watched_page(self.browser, **{"http_credentials": LOGIN, **options})
        await watched.page.goto(f"{self.board.client.base_url}/operations")
        return watched


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def on_call(browser: Browser, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[OnCall]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/baton.db", SystemClock())
    await make_tables(database)
    environ = {"BATON_SLA_MONITOR_TOLERANCE_S": "0.2"}
    async with (
        stage_on(database, embedded_bus, DEAL.agreement, LOUD) as stage,
        running(database, embedded_bus, SystemClock(), serve=True, others=(monitor, delivery), **environ) as board,
    ):
        marking = stage.mark_from_now_on()
        yield OnCall(board, stage, browser)
        for context in browser.contexts:
            await context.close()
        marking.cancel()
        with suppress(asyncio.CancelledError):
            await marking
    await database.close()


def section(page: Page, name: str | re.Pattern[str]) -> Any:
    return page.get_by_role("region", name=name)


async def test_an_acknowledgement_on_the_page_needs_no_javascript_and_shows_to_everyone(on_call: OnCall) -> None:
    colleague = await on_call.open()
    escalation = await on_call.breach()
    waiting = section(colleague.page, "Escalations that need someone")
    await expect(waiting.get_by_role("link", name="Jo Peeters").first).to_be_visible()
    await expect(section(colleague.page, "1 escalation needs someone")).to_be_visible()

    mine = await on_call.open(java_script_enabled=False, viewport={"width": 390, "height": 800})
    await mine.page.get_by_role("link", name="Acknowledge Jo Peeters").click()
    await expect(mine.page.get_by_role("definition").filter(has_text="ann")).to_be_visible()
    await expect(mine.page.get_by_label("Who takes it on")).to_have_value("bob")
    await mine.page.get_by_label("Who takes it on").select_option("mia")
    await section(mine.page, "Acknowledge").get_by_role("button", name="1 hour").click()
    await expect(mine.page).to_have_url(f"{on_call.board.client.base_url}/operations?done={escalation}")

    await expect(section(colleague.page, "Acknowledged")).to_contain_text("acknowledged by mia until")
    await expect(waiting).to_have_count(0)
    await expect(section(colleague.page, "All is well")).to_contain_text("1 acknowledged.")
    [found] = (await on_call.board.get("/v1/escalations?state=acknowledged"))["items"]
    until = datetime.fromisoformat(found["quiet_until_at"])
    assert (found["escalation_id"], found["acknowledged_by"]) == (escalation, "mia")
    assert timedelta(minutes=59) < until - now() < timedelta(hours=1)
    assert colleague.wrong == []


async def test_acknowledging_needs_what_the_api_needs_and_refuses_other_sites(on_call: OnCall) -> None:
    escalation = await on_call.breach()
    client, path = on_call.board.client, f"/operations/escalations/{escalation}/acknowledge"
    form = {"by": "bob", "for": "1 hour"}
    assert (await client.post(path, data=form)).status_code == 401
    evil = {**ADMIN, "Authorization": "Basic bWU6YWRtaW4ta2V5", "Origin": "https://evil.example"}
    assert (await client.post(path, data=form, headers=evil)).status_code == 403
    assert (await client.post(path, data={**form, "key": "of nobody"}, headers=ADMIN)).status_code == 401
    for wrong in ({**form, "by": "<b>nobody</b>"}, {**form, "by": ""}, {**form, "for": "2 moons"}):
        answer = await client.post(path, data=wrong, headers=ADMIN)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (422, "text/html")
        assert "Not acknowledged" in answer.text
        assert "<b>" not in answer.text
    assert (await on_call.board.get("/v1/escalations?state=firing"))["items"] != []
    gone = await client.post("/operations/escalations/nope/acknowledge", data=form, headers=ADMIN)
    assert gone.status_code == 404
    done = await client.post(path, data=form, headers=ADMIN)
    assert (done.status_code, done.headers["location"]) == (303, f"/operations?done={escalation}")


async def test_all_is_well_says_how_fresh_that_is_who_is_on_duty_and_how_far_the_monitor_is(on_call: OnCall) -> None:
    watched = await on_call.open()
    page = watched.page
    well = section(page, "All is well")
    await expect(well).to_contain_text("No escalation is firing and no promise is overdue.")
    await expect(well).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d, with everything that was announced"))
    duty = section(page, "On duty now")
    await expect(duty).to_contain_text("bob always")
    await expect(duty).to_contain_text(re.compile(r"(cleo|mia) until .* 09:00, then (mia|cleo)"))
    await expect(section(page, "Notices")).to_contain_text(
        "No notice is waiting, and none of the last 24 hours failed."
    )
    verdicts = section(page, "Verdicts")
    await expect(verdicts).to_contain_text("Verdicts are given. All facts are complete up to")
    await verdicts.get_by_text("Partition by partition").click()
    await expect(verdicts.get_by_role("row")).to_have_count(13)
    assert watched.wrong == []


async def test_a_page_that_gets_no_answers_says_that_it_is_stale(on_call: OnCall) -> None:
    watched = await watched_page(on_call.browser)
    page = watched.page
    await page.clock.install()
    await page.goto(f"{on_call.board.client.base_url}/operations")
    await expect(page.locator("#live-text")).to_have_text("Live")
    stale = page.get_by_role("alert")
    await expect(stale).to_have_class(re.compile("hidden"))
    await page.route("**/operations/panels*", lambda route: route.abort())
    await page.clock.run_for("02:00")
    await expect(stale).not_to_have_class(re.compile("hidden"))
    await expect(stale).to_contain_text(re.compile(r"This page is stale. It shows the state as of \d\d:\d\d:\d\d"))
    await page.unroute("**/operations/panels*")
    await page.clock.run_for("01:10")
    await expect(stale).to_have_class(re.compile("hidden"))


async def test_a_silent_monitor_takes_back_that_all_is_well(on_call: OnCall) -> None:
    watched = await watched_page(on_call.browser)
    page = watched.page
    await page.route("**/v1/watermarks", lambda route: route.fulfill(status=503, json={}))
    await page.goto(f"{on_call.board.client.base_url}/operations")
    unsure = section(page, "Not certain that all is well")
    await expect(unsure).to_contain_text("The monitor does not answer")
    await on_call.board.publish(opened(at=now(), due_at=now() + timedelta(hours=1)))
    await expect(section(page, "Promises by time left")).to_contain_text("1 running")
    await expect(unsure).to_be_visible()


async def test_a_silence_made_on_the_page_and_who_stands_in_show_to_everyone(on_call: OnCall) -> None:
    board = on_call.board
    escalation = await on_call.breach()
    stand_in = {"who": "mia", "to": (now() + timedelta(hours=2)).isoformat(), "by": "bob"}
    made = await board.client.post("/v1/duty/ops/overrides", json=stand_in, headers=ADMIN)
    assert made.status_code == 201, made.text
    mine = await on_call.open(java_script_enabled=False)
    await mine.page.goto(f"{board.client.base_url}/operations/escalations/{escalation}")
    form = section(mine.page, "Silence")
    await form.get_by_label("What").select_option("every promise of ann")
    await form.get_by_label("Why").fill("<b>ann</b> is ill")
    await form.get_by_label("Who silences it").select_option("bob")
    await form.get_by_role("button", name="2 hours").click()
    await mine.page.wait_for_url("**/operations#silences")

    colleague = await on_call.open()
    silences = section(colleague.page, "Silences")
    await expect(silences).to_contain_text(re.compile(r"of ann, until .*: <b>ann</b> is ill \(bob\)"))
    await expect(section(colleague.page, "On duty now")).to_contain_text("mia until")
    await expect(section(colleague.page, "On duty now")).to_contain_text("standing in (arranged by bob)")
    [found] = (await board.get("/v1/silences"))["items"]
    assert (found["owner"], found["promise"], found["by"]) == ("ann", None, "bob")
    assert colleague.wrong == []
    wrong = {"by": "bob", "reason": "", "for": "1 hour", "scope": "owner", "owner": "ann"}
    assert (await board.client.post("/operations/silences", data=wrong, headers=ADMIN)).status_code == 422
    assert (await board.client.post("/operations/silences", data=wrong)).status_code == 401

    await silences.get_by_role("link", name="End the silence of every promise of ann").click()
    what = section(colleague.page, "What is silenced")
    await expect(what).to_contain_text(re.compile(r"of ann, until .*: <b>ann</b> is ill \(bob\)"))
    await expect(colleague.page.get_by_label("Who ends it")).to_have_value("mia")
    await colleague.page.get_by_role("button", name="End the silence").click()
    await colleague.page.wait_for_url("**/operations#silences")
    await expect(silences).to_have_count(0)
    [found] = (await board.get("/v1/silences"))["items"]
    assert (found["state"], found["ended_by"]) == ("over", "mia")
    path = f"/operations/silences/{found['silence_id']}/end"
    for data, status in (({"by": "bob"}, 409), ({"by": "nobody"}, 409), ({"by": ""}, 422)):
        answer = await board.client.post(path, data=data, headers=ADMIN)
        assert (answer.status_code, "Not ended" in answer.text) == (status, True)
    assert (await board.client.post(path, data={"by": "bob"})).status_code == 401
    assert (
        await board.client.post("/operations/silences/nope/end", data={"by": "bob"}, headers=ADMIN)
    ).status_code == 404


async def test_someone_stands_in_from_the_board_and_is_then_the_first_to_choose(on_call: OnCall) -> None:
    board = on_call.board
    mine = await on_call.open(java_script_enabled=False, viewport={"width": 360, "height": 740})
    await mine.page.get_by_role("link", name="Stand in for ops").click()
    await expect(section(mine.page, "On duty now")).to_contain_text("bob")
    await expect(mine.page.locator("#stands-in")).to_be_hidden()
    await mine.page.get_by_label("Who stands in").select_option("mia")
    await mine.page.get_by_label("Who arranges it").select_option("bob")
    await mine.page.get_by_role("button", name="8 hours").click()
    await mine.page.wait_for_url("**/operations#on-duty")
    [made] = (await board.get("/v1/duty/ops/overrides"))["items"]
    assert (made["person"], made["by"]) == ("mia", "bob")
    assert timedelta(hours=7, minutes=59) < datetime.fromisoformat(made["ends_at"]) - now() < timedelta(hours=8)

    colleague = await on_call.open()
    await expect(section(colleague.page, "On duty now")).to_contain_text("standing in (arranged by bob)")
    await colleague.page.get_by_role("link", name="Stand in for ops").click()
    await expect(section(colleague.page, "On duty now")).to_contain_text(
        re.compile(r"mia until .* \(arranged by bob\)")
    )
    arranging = colleague.page.get_by_label("Who arranges it")
    await expect(arranging.locator("optgroup").first.locator("option")).to_have_text([re.compile("cleo|mia")] * 2)
    await colleague.page.goto(f"{board.client.base_url}/operations/duty/sales_lead")
    await colleague.page.get_by_label("Who stands in").select_option("ann")
    await colleague.page.get_by_role("button", name="until the turn ends").click()
    await colleague.page.wait_for_url("**/operations#on-duty")
    [made] = (await board.get("/v1/duty/sales_lead/overrides"))["items"]
    turn = (await board.get("/v1/duty"))["items"]
    assert made["ends_at"] == next(each["until_at"] for each in turn if each["role"] == "sales_lead")
    assert colleague.wrong == []
    for wrong in ({"who": "nobody"}, {"who": ""}, {"for": "2 moons"}, {"for": "", "to": "soon"}):
        form = {"who": "mia", "by": "bob", "for": "2 hours", **wrong}
        answer = await board.client.post("/operations/duty/ops/overrides", data=form, headers=ADMIN)
        assert (answer.status_code, "Nobody stands in" in answer.text) == (422, True)
    assert (await board.client.post("/operations/duty/ops/overrides", data={"who": "mia"})).status_code == 401
    assert (await board.client.get("/operations/duty/boss", headers=ADMIN)).status_code == 422


async def test_a_notice_that_reached_no_one_takes_back_that_all_is_well(on_call: OnCall) -> None:
    at = now()
    to_ops = raised(at=at, due_at=at, agreement=LOUD.ref, to=(Recipient("ops", "bob"),), notify=("ops",))
    await on_call.board.publish(inquiry(accepted_at=at), to_ops)

    async def failed() -> str | None:
        return None if (await on_call.board.get("/v1/notices?state=failed"))["items"] else "none failed"

    await until_right(failed)
    await on_call.board.publish(closed(at=at + timedelta(seconds=1)))
    watched = await on_call.open()
    unsure = section(watched.page, "Not certain that all is well")
    await expect(unsure).to_contain_text("1 notice of the last 24 hours reached no one.")
    row = section(watched.page, "Notices").get_by_role("row", name="bob (ops)")
    await expect(row).to_contain_text("breach: first response")
    await expect(row).to_contain_text("failed")
    assert watched.wrong == []


async def test_a_change_shows_at_once_with_the_highest_level_on_top(on_call: OnCall) -> None:
    watched = await on_call.open()
    page = watched.page
    await expect(page.locator("#live-text")).to_have_text("Live")
    at = now()
    await on_call.board.publish(*(inquiry(f"ld_{n}", accepted_at=at) for n in (1, 2, 3)))
    for lead, level in (("ld_1", 2), ("ld_2", 4), ("ld_3", 2)):
        await on_call.board.publish(raised(lead, level=level, at=at, due_at=at))
    await on_call.board.publish(acknowledged("ld_3", at=at + timedelta(seconds=1), until=at + timedelta(hours=1)))
    await on_call.board.publish(opened("ld_2", at=at, due_at=at + timedelta(minutes=4)))
    waiting = section(page, "Escalations that need someone")
    await expect(waiting.get_by_role("listitem")).to_have_count(2)
    await expect(waiting.get_by_role("listitem").first).to_contain_text("level 4")
    await expect(section(page, "Acknowledged")).to_contain_text("by mia")
    left = section(page, "Promises by time left").locator("[data-due] .figure")
    await expect(left).to_have_text(re.compile(r"3:\d\d left"))
    await page.goto(str(on_call.board.client.base_url))
    await page.get_by_role("link", name="2 escalations need someone").click()
    await expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    assert watched.wrong == []


TARGETS = """() => [...document.querySelectorAll("main .button, main button, main select")]
  .map((each) => each.getBoundingClientRect()).filter((box) => box.height < 44 || box.width < 44).length"""


@pytest.mark.parametrize("width", [1280, 360])
async def test_the_board_is_built_so_that_everyone_can_use_it(on_call: OnCall, width: int) -> None:
    escalation = await on_call.breach()
    at = now()
    long = "Wolfeschlegelsteinhausenbergerdorff" * 3
    await on_call.board.publish(raised("ld_2", owner=long, at=at, due_at=at), opened("ld_2", owner=long, at=at))
    watched = await on_call.open(viewport={"width": width, "height": 800}, color_scheme="dark")
    page = watched.page
    await expect(page.locator("#verdicts-summary")).to_contain_text("Verdicts")
    until = (now() + timedelta(hours=1)).isoformat()
    quiet = {"by": "bob", "reason": long, "until": until, "matches": {"owner": "ann"}}
    silence = (await on_call.board.client.post("/v1/silences", json=quiet, headers=ADMIN)).json()["silence_id"]
    forms = (f"escalations/{escalation}", f"silences/{silence}", "duty/sales_lead")
    for path in ("/operations", *(f"/operations/{form}" for form in forms)):
        await page.goto(f"{on_call.board.client.base_url}{path}")
        if path == "/operations" or "silences" in path:
            await expect(page.get_by_text("every promise of ann, until").first).to_be_visible()
        if shots := os.environ.get("SHOTS"):
            await page.wait_for_timeout(700)
            await page.screenshot(path=f"{shots}/{width}{path.replace('/', '_')[:24]}.png", full_page=True)
        assert await page.evaluate(FAULTS) == []
        assert await page.evaluate(TARGETS) == 0
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert watched.wrong == []
