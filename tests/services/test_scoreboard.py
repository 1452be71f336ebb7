"""The scoreboard on a real log and both databases: same numbers in any order, whole timelines, safe pages."""

import base64
import html
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.scoreboard.store import queries
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import encode
from shared.db import gaps, pauses
from shared.db.engine import Database
from shared.db.gaps import Gap
from shared.db.pauses import Pause
from shared.domain.events import INQUIRIES, AgreementRef, RepRef, WatermarkAdvanced
from shared.domain.lead import Company, Contact
from shared.ports import Message
from tests.kit.agreements import agreement_text
from tests.kit.clocks import ManualClock
from tests.kit.events import (
    MONTH,
    NINE,
    OF_MARKETING,
    activity,
    after,
    assigned,
    breached,
    envelope,
    exhausted,
    inquiry,
    merged,
    met,
    opened,
    parked,
    progressed,
    quarantined,
    raised,
    reassigned,
    rejected,
    retracted,
)
from tests.kit.services import ADMIN
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running

STORY = [
    inquiry("ld_1"),
    assigned("ld_1"),
    inquiry("ld_1", 2, accepted_at=after(1)),
    merged("ld_1", 2),
    inquiry("ld_2"),
    parked("ld_2"),
    inquiry("ld_3"),
    rejected("ld_3"),
    inquiry("ld_4"),
    opened("ld_1"),
    activity("ld_1"),
    met("ld_1"),
    quarantined("ingest", "source:website", lead_id="website", record_type=None),
]
TERMS = {"received": 6, "assigned": 1, "parked": 1, "rejected": 1, "merged": 1, "quarantined": 1, "in_flight": 1}


@pytest.fixture
def clock(manual_clock: ManualClock) -> ManualClock:
    manual_clock.advance(seconds=60)
    return manual_clock


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus, clock: ManualClock) -> AsyncIterator[Board]:
    async with running(database, embedded_bus, clock) as board:
        yield board


async def test_every_inquiry_is_counted_once_by_what_became_of_it(board: Board) -> None:
    await board.publish(*STORY)
    await board.balanced(**TERMS)


async def test_order_and_repetition_change_nothing(board: Board) -> None:
    shuffled = STORY * 2
    random.Random(7).shuffle(shuffled)
    for event in shuffled:
        await board.publish(event)
    await board.balanced(**TERMS)
    assert [item["type"] for item in await board.timeline("ld_1", 7)] == [
        "baton.inquiry.received.v1",
        "baton.lead.assigned.v1",
        "baton.lead.merged.v1",
        "baton.window.opened.v1",
        "baton.inquiry.received.v1",
        "baton.activity.recorded.v1",
        "baton.window.met.v1",
    ]


async def test_a_verdict_ahead_of_its_inquiry_is_never_red(board: Board) -> None:
    await board.publish(assigned())
    await board.balanced(received=1, assigned=1)
    assert "unbalanced" not in await board.page()
    await board.publish(inquiry())
    await board.timeline("ld_1", 2)
    await board.balanced(received=1, assigned=1)


async def test_the_page_is_red_where_a_service_stopped_reading(board: Board, database: Database) -> None:
    gap = Gap(
        service="router",
        topic=INQUIRIES,
        partition=3,
        from_offset=17,
        to_offset=19,
        reason="deleted",
        resume_at=20,
        log_id="log",
        found_at=NINE,
    )
    async with database.begin() as tx:
        await gaps.add(tx, [gap])
    page = await board.page()
    assert "3 records of baton.inquiries.v1/3, offsets 17 to 19, are gone from the log" in page
    assert "balanced" not in page
    assert (await board.get("/v1/conservation"))["balanced"] is False


async def test_the_page_says_where_a_service_pauses(board: Board, database: Database) -> None:
    pause = Pause(service="router", topic=INQUIRIES, partition=3, offset=17, error="ValueError", paused_at=NINE)
    async with database.begin() as tx:
        await pauses.begin(tx, [pause])
    page = await board.page()
    assert "router paused baton.inquiries.v1/3 before offset 17" in page
    assert "balanced" in page
    async with database.begin() as tx:
        await pauses.end(tx, "router", [(INQUIRIES, 3)])
    assert "paused" not in await board.page()


async def test_an_inquiry_that_cannot_be_read_is_received_and_quarantined(board: Board) -> None:
    good = encode(envelope(inquiry()))
    await board.bus.publish([Message(INQUIRIES, "ld_9", b"{", good.headers)])
    await board.balanced(received=1, in_flight=1)
    topic_partition = board.bus.partition_of(INQUIRIES, "ld_9")
    await board.publish(quarantined("router", f"{INQUIRIES}/{topic_partition}/0", lead_id="ld_9"))
    await board.balanced(received=1, quarantined=1, in_flight=0)


async def test_the_timeline_gives_each_event_with_a_sentence_and_its_data(board: Board) -> None:
    await board.publish(inquiry(), assigned())
    first, second = await board.timeline("ld_1", 2)
    assert first["summary"] == "Demo request received through website, campaign q4-demo."
    assert first["at"] == "2026-11-23T09:00:00.000Z"
    assert second["data"]["rep"] == {"id": "ann", "email": "ann@acme.example"}
    assert second["event_id"].startswith("ev_")


async def test_the_timeline_is_read_in_pages(board: Board) -> None:
    await board.publish(*(activity(activity_id=f"ac_{n}", accepted_at=after(n // 2)) for n in range(7)))
    whole = [item["event_id"] for item in await board.timeline("ld_1", 7)]
    read: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await board.get(f"/v1/leads/ld_1/timeline?limit=3&cursor={cursor}")
        read += [item["event_id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert read == whole


async def test_an_unknown_lead_is_a_404_that_says_what_to_do(board: Board) -> None:
    problem = await board.get("/v1/leads/ld_none/timeline", status=404)
    assert "GET /v1/leads" in problem["detail"]
    page = await board.client.get("/leads/ld_none")
    assert page.status_code == 404
    assert "No such lead" in page.text


async def test_a_cursor_that_we_did_not_give_is_refused(board: Board) -> None:
    problem = await board.get("/v1/leads/ld_1/timeline?cursor=nonsense", status=422)
    assert problem["errors"][0]["pointer"] == "/cursor"


@pytest.mark.parametrize("path", ["/v1/conservation", "/v1/leads/ld_1/timeline"])
async def test_the_json_endpoints_need_a_key(board: Board, path: str) -> None:
    assert (await board.client.get(path)).status_code == 401


async def test_the_first_page_shows_funnel_windows_escalations_and_leads(board: Board) -> None:
    for lead in ("ld_1", "ld_2"):
        await board.publish(inquiry(lead), assigned(lead), opened(lead))
    await board.publish(breached("ld_2"), raised("ld_2"))
    await board.timeline("ld_2", 5)
    await board.timeline("ld_1", 3)
    text = await board.page()
    assert 'data-due="2026-11-23T09:15:00.000Z"' in text
    assert "14:00 left" in text
    assert ">firing<" in text.replace("</svg>", ">")
    assert 'href="/leads/ld_1"' in text
    assert "100 %" in text  # of the one that was judged
    await board.publish(exhausted("ld_2"))
    await board.timeline("ld_2", 6)
    assert "1 open, 1 exhausted" in await board.page()


async def test_the_pages_show_the_progress_of_marketings_promises(board: Board) -> None:
    period = "period:volume:2026-11"
    await board.publish(progressed(), opened(period, **{**OF_MARKETING, "progress": None}))
    await board.timeline(period, 2)
    text = await board.page()
    assert f'href="/leads/{period.replace(":", "%3A")}"' in text
    assert "All leads, 2026-11" in text
    assert "155 of 400 accepted, 200 handed over" in text
    assert "155 of 400 accepted, 200 handed over" in await board.page("/operations")
    await board.publish(breached(period, **OF_MARKETING, at=MONTH.ends_at), retracted(period, **OF_MARKETING))
    await board.timeline(period, 4)
    assert ">met<" in (await board.page()).replace("</svg>", ">")
    assert "was missed by the month&#39;s end" in await board.page(f"/leads/{period}")


async def test_only_todays_inquiries_are_in_todays_funnel(board: Board, clock: ManualClock) -> None:
    await board.publish(inquiry("ld_1", accepted_at=after(-24 * 60)), inquiry("ld_2"), inquiry("ld_3", test=True))
    await board.balanced(received=3)
    assert "1 received today" in await board.page()
    clock.advance(seconds=86400)
    assert "0 received today" in await board.page()


async def test_a_window_past_its_time_is_overdue_and_waits_for_late_facts(board: Board, clock: ManualClock) -> None:
    await board.publish(inquiry(), assigned(), opened())
    await board.timeline("ld_1", 3)
    clock.advance(seconds=16 * 60)
    text = await board.page()
    assert "2:00 overdue" in text
    assert "1 overdue" in text
    await board.publish(met())
    await board.timeline("ld_1", 4)
    assert "No promises are running" in await board.page()


async def test_the_lead_page_says_why_this_rep(board: Board) -> None:
    await board.publish(inquiry(message="Can we talk?"), assigned(), reassigned(), opened(owner="bob", generation=2))
    await board.timeline("ld_1", 4)
    text = await board.page("/leads/ld_1")
    for part in (
        "Jo Peeters",
        "Example NV",
        "Can we talk?",
        "asked for a demo; decision maker",
        "Moved from ann to bob in the pool benelux",
        "and bob in the pool benelux got it",
        'href="/leads/ld_1/why"',
    ):
        assert part in text


async def test_an_empty_page_says_how_to_post_a_lead(board: Board) -> None:
    assert "curl -X POST" in await board.page()


async def test_what_strangers_wrote_is_text_and_never_markup(board: Board) -> None:
    evil = "<script>alert(1)</script>"
    who: dict[str, Any] = {
        "contact": Contact(email="x@example.com", first_name=evil, job_title='"><img src=x onerror=alert(1)>'),
        "company": Company(name="javascript:alert(1)//<b>"),
        "campaign": evil,
    }
    lead = "ld_'\"><script>"
    await board.publish(
        inquiry(lead, source=evil, page_url="javascript:alert(1)", message=evil, **who),
        assigned(lead, rep=RepRef(evil, "r@acme.example"), rule=evil, agreement=AgreementRef(evil, 1, "x"), **who),
        activity(lead, by=evil, text=evil),
        opened(lead, owner=evil),
        raised(lead, owner=evil),
    )
    await board.balanced(received=1, assigned=1)
    where = "/leads/ld_%27%22%3E%3Cscript%3E"
    await until_right(lambda: _holds(board, where, "Escalated"))
    for path in ("/", "/panels", where, f"{where}/panels"):
        text = await board.page(path)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script>" not in text
        assert "<img" not in text
        assert 'href="javascript:' not in text


async def _holds(board: Board, path: str, part: str) -> str | None:
    answer = await board.client.get(path)
    return None if part in answer.text else f"{path} has no {part}"


async def test_pages_forbid_everything_they_do_not_need(board: Board) -> None:
    answer = await board.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_static_files_are_cached_by_digest_and_revalidated_by_etag(board: Board) -> None:
    path = (await board.page()).split('rel="stylesheet" href="')[1].split('"')[0]
    answer = await board.client.get(path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    again = await board.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    old = await board.client.get("/static/0000/scoreboard.css")
    assert old.headers["cache-control"] == "no-cache"
    assert (await board.client.get("/static/0000/..%2Froutes.py")).status_code == 404


async def test_pages_open_to_others_need_a_key_and_a_foreign_host_name_is_refused(
    database: Database, embedded_bus: EmbeddedBus, clock: ManualClock
) -> None:
    async with running(database, embedded_bus, clock, BATON_HOST="10.0.0.1") as board:
        answer = await board.client.get("/")
        assert answer.status_code == 401
        assert "Basic" in answer.headers["www-authenticate"]
        basic = base64.b64encode(b"me:admin-key").decode()
        assert (await board.client.get("/", headers={"Authorization": f"Basic {basic}"})).status_code == 200
        assert (await board.client.get("/live")).status_code == 401
    async with running(database, embedded_bus, clock) as board:
        assert (await board.client.get("/", headers={"Host": "evil.example"})).status_code == 401


async def test_the_day_begins_where_the_agreement_in_force_says(
    database: Database, embedded_bus: EmbeddedBus, clock: ManualClock
) -> None:
    async def put_in_force(version: int, zone: str) -> None:
        text = agreement_text().replace("timezone: Europe/Brussels", f"timezone: {zone}", 1)
        agreement = agreement_file.parse(text.replace("version: 1", f"version: {version}", 1), "test.yaml").agreement
        async with database.begin() as tx:
            await agreements.save(tx, agreement, clock.now())
            await agreements.activate(tx, agreement.hash, clock.now())

    async with running(database, embedded_bus, clock, BATON_SCOREBOARD_TIMEZONE="") as board:
        assert "UTC time" in await board.page()
        await put_in_force(1, "Asia/Tokyo")
        assert "Asia/Tokyo time" in await board.page()
        await put_in_force(2, "America/New_York")
        assert "America/New_York time" in await board.page()


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("".join(chr(0x4E00 + n) for n in range(9_000)), id="9,000 letters"),
        pytest.param("no\x00thing", id="NUL"),
        pytest.param("é" * 250, id="over the length of a label"),
    ],
)
async def test_a_lead_that_sales_rejected_for_any_reason_is_counted_and_listed(board: Board, reason: str) -> None:
    await board.publish(
        inquiry("ld_1"), assigned("ld_1"), activity("ld_1", kind="rejected", reason=reason, accepted_at=after(5))
    )
    await board.timeline("ld_1", 3)
    page = await board.page("/rejected")
    link = html.unescape(page.partition('href="/rejected?reason=')[2].partition('"')[0])
    assert 'href="/leads/ld_1"' in await board.page(f"/rejected?reason={link}")
    assert (await board.get("/v1/conservation"))["quarantined"] == 0


async def test_watermarks_move_nothing(board: Board, database: Database) -> None:
    await board.publish(WatermarkAdvanced(lead_id="", instance="in_1", upto=NINE), activity())
    await board.timeline("ld_1", 1)
    async with database.read() as tx:
        assert await queries.events_handled(tx) == 1


async def test_a_quarantined_record_keeps_its_bytes_out_of_the_story(board: Board) -> None:
    await board.publish(quarantined(body=b"secret"))
    (item,) = await board.timeline("ld_1", 1)
    assert item["data"]["body"] == ""


async def test_two_scoreboards_share_the_work_and_count_once(
    board: Board, database: Database, embedded_bus: EmbeddedBus, clock: ManualClock
) -> None:
    async with running(database, embedded_bus, clock) as other:
        for number in range(40):
            await board.publish(inquiry(f"ld_{number}"), assigned(f"ld_{number}"))
        await other.balanced(received=40, assigned=40, in_flight=0)
    assert (await board.client.get("/v1/conservation", headers=ADMIN)).json()["balanced"]
