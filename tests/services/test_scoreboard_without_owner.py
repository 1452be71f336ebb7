"""The pages of parked and rejected leads over HTTP, on both databases."""

import html
import re
from collections.abc import AsyncIterator

import pytest

from services.scoreboard.domain.leads import REFUSED_FOR, REJECTED_FOR, WAITS_IN
from services.scoreboard.pages.without_owner import MAX_QUEUES, NAMES, ROWS
from services.scoreboard.store import lists
from shared import agreement_file
from shared.agreements import store as agreements
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import Event
from tests.kit.agreements import agreement_text
from tests.kit.clocks import ManualClock
from tests.kit.events import (
    activity,
    after,
    assigned,
    inquiry,
    merged,
    opened,
    parked,
    rejected,
)
from tests.kit.waiting import until_right
from tests.services.scoreboard_kit import Board, running

POOLS = ("{ann: 2, bob: 1}, strategy: weighted_turns", "{ann: 2, bob: 1}, when_nobody_available: {park_in: triage}")
QUEUES = ("routing:\n", "queues:\n  triage: {owner: mia}\nrouting:\n")
WAITS = "nobody in benelux is available; it waits in triage"


@pytest.fixture
async def board(database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock) -> AsyncIterator[Board]:
    """A scoreboard two hours later, with an agreement in force."""
    text = agreement_text()
    for old, new in (POOLS, QUEUES):
        assert old in text
        text = text.replace(old, new)
    manual_clock.advance(seconds=7200)
    agreed = agreement_file.parse(text, "test.yaml").agreement
    async with database.begin() as tx:
        await agreements.save(tx, agreed, manual_clock.now())
        await agreements.activate(tx, agreed.hash, manual_clock.now())
    async with running(database, embedded_bus, manual_clock) as board:
        yield board


async def publish_and_wait(board: Board, *events: Event) -> None:
    """Publish these, and wait until all of them are known."""
    counts = {event.lead_id: 0 for event in events}
    for event in events:
        counts[event.lead_id] += 1
    await board.publish(*events)
    for lead_id, count in counts.items():
        await board.timeline(lead_id, count)


async def words(board: Board, path: str) -> str:
    """The text of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub("</?bdi>", "", await board.page(path)))))


async def test_a_parked_lead_shows_its_queue_owner_wait_pool_and_promise(board: Board) -> None:
    await publish_and_wait(
        board, inquiry(), parked(reason=WAITS), opened(promise="triage", side="operations", owner="mia")
    )
    page = await words(board, "/parked")
    for part in ("triage 1 waiting owner: mia", "Jo Peeters", "1 h 59 min", WAITS, "pool benelux"):
        assert part in page
    assert "overdue" in page
    assert "promised by mia" in page
    assert 'href="/parked"' in await board.page()


async def test_a_lead_that_is_drained_ended_or_joined_waits_no_longer(board: Board) -> None:
    await publish_and_wait(board, *(parked(f"ld_{n}", reason=WAITS) for n in range(4)))
    assert "triage 4 waiting" in await words(board, "/parked")
    await board.publish(
        assigned("ld_0", lead_version=2, because="drained"),
        activity("ld_1", kind="lost"),
        merged("ld_2", 1, into="ld_0", rep="ann"),
    )

    async def one_left() -> str | None:
        page = await words(board, "/parked")
        return None if "triage 1 waiting" in page else page

    await until_right(one_left)


async def test_the_longest_waiting_come_first_and_pages_go_on_where_the_last_one_ended(board: Board) -> None:
    waiting = [parked(f"ld_{n:03}", reason=WAITS, decided_at=after(n // 4)) for n in range(2 * ROWS + 7)]
    await publish_and_wait(board, *waiting)
    seen: list[str] = []
    path = "/parked"
    while True:
        page = await board.page(path)
        seen += re.findall(r'href="/leads/(ld_\d+)"', page)
        following = re.search(r'href="(/parked\?[^"]+)"', page)
        if following is None:
            break
        path = html.unescape(following[1])
    assert seen == [event.lead_id for event in waiting]


async def test_rejected_leads_are_counted_by_clause_and_shown_by_it(board: Board) -> None:
    low = [rejected(f"ld_{n}", reason=f"score: {n} points, the agreement asks for 60") for n in range(3)]
    await publish_and_wait(board, *low, rejected("ld_7", reason="excluded: wrong_role"), inquiry("ld_7"))
    page = await words(board, "/rejected")
    assert "By the agreement 4 owner: marketing (Mara)" in page
    assert "score: the agreement asks for 60 3" in page
    assert "excluded: wrong role 1" in page
    chosen = await board.page("/rejected?clause=score%3A+the+agreement+asks+for+60")
    assert re.findall(r'href="/leads/(ld_\d)"', chosen) == ["ld_2", "ld_1", "ld_0"]
    assert "score: 2 points, the agreement asks for 60" in chosen


async def test_what_sales_sent_back_is_counted_by_reason_with_who_had_it(board: Board) -> None:
    back = activity(kind="rejected", outcome=None, reason="no_budget", text="next year")
    await publish_and_wait(board, inquiry(), assigned(), back)
    counted = await words(board, "/rejected")
    assert "By sales 1 marketing may dispute them" in counted
    assert "Reason Leads no budget 1" in counted
    page = await words(board, "/rejected?reason=no_budget")
    for part in ("Jo Peeters", "next year", "ann"):
        assert part in page
    lead = await words(board, "/leads/ld_1")
    assert "Ended rejected by ann: no budget" in lead


async def test_rejected_leads_are_read_in_pages_too(board: Board) -> None:
    await publish_and_wait(board, *(rejected(f"ld_{n:03}", decided_at=after(n // 3)) for n in range(ROWS + 5)))
    first = await board.page("/rejected?clause=student")
    following = re.search(r'href="(/rejected\?[^"]+after[^"]+)"', first)
    assert following is not None
    second = await board.page(html.unescape(following[1]))
    seen = re.findall(r'href="/leads/(ld_\d+)"', first) + re.findall(r'href="/leads/(ld_\d+)"', second)
    assert seen == [f"ld_{n:03}" for n in reversed(range(ROWS + 5))]


async def test_the_lists_say_when_they_are_empty_and_refuse_pages_that_are_none(board: Board) -> None:
    assert "Every qualified lead has a rep." in await words(board, "/parked")
    assert "No leads are waiting here any more." in await words(board, "/parked?queue=gone")
    assert "The agreement has rejected no leads." in await words(board, "/rejected")
    for path in ("/parked?queue=triage&after=nonsense", "/rejected?clause=student&after=1"):
        answer = await board.client.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/after")


async def test_what_strangers_wrote_is_text_in_the_lists(board: Board) -> None:
    evil = "<script>alert(1)</script>"
    await publish_and_wait(
        board,
        inquiry("ld_1", source=evil, campaign=evil),
        parked("ld_1", queue=evil, reason=evil),
        inquiry("ld_2", source=evil),
        rejected("ld_2", reason=evil),
        assigned("ld_3"),
        activity("ld_3", kind="rejected", reason=evil, text=evil),
    )
    escaped = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E"
    for path in ("/parked", f"/parked?queue={escaped}", f"/rejected?clause={escaped}", f"/rejected?reason={escaped}"):
        text = await board.page(path)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script>" not in text


async def test_an_inquiry_under_a_new_id_of_a_known_person_joins_both_in_any_order(board: Board) -> None:
    judged = assigned("ld_1", inquiry_id="ld_3_1", lead_version=4)
    early = assigned("ld_1", inquiry_id="ld_4_1", lead_version=9)
    await publish_and_wait(board, inquiry("ld_3"), judged, early)
    await publish_and_wait(board, inquiry("ld_4"))
    await board.balanced(received=2, assigned=2)
    for other in ("ld_3", "ld_4"):

        async def joined(path: str = f"/leads/{other}") -> str | None:
            page = await words(board, path)
            return None if "Continues as ld_1" in page else page

        await until_right(joined)
    assert re.search(r"Same person ld_3 Split off…\W+ld_4 Split off…", await words(board, "/leads/ld_1"))


async def test_list_counters_are_the_same_when_every_event_arrives_twice(board: Board, database: Database) -> None:
    story = [
        parked("ld_1"),
        rejected("ld_2"),
        assigned("ld_3"),
        activity("ld_3", kind="rejected", reason="no_budget"),
        parked("ld_4"),
        assigned("ld_4", lead_version=2, because="drained"),
    ]
    await publish_and_wait(board, *story)
    await board.publish(*story)
    await publish_and_wait(board, inquiry("ld_9"))
    async with database.read() as tx:
        found = [await lists.counted(tx, prefix, limit=9) for prefix in (WAITS_IN, REJECTED_FOR, REFUSED_FOR)]
    assert [counters.shown for counters in found] == [{"triage": 1}, {"student": 1}, {"no_budget": 1}]


async def test_many_clauses_and_queues_are_read_in_pages_with_the_sums_of_all(board: Board) -> None:
    clauses = [rejected(f"ld_c{n:03}", reason=f"excluded: clause{n:03}") for n in range(NAMES + 5)]
    queues = [parked(f"ld_q{n:03}", queue=f"queue{n:03}") for n in range(MAX_QUEUES + 5)]
    await publish_and_wait(board, *clauses, *queues)
    first = await board.page("/rejected")
    second = await board.page("/rejected?clauses=50")
    assert 'href="/rejected?clauses=50"' in first
    assert "clauses=100" not in second
    named = [set(re.findall(r"excluded%3A\+clause(\d+)", page)) for page in (first, second)]
    assert [len(names) for names in named] == [NAMES, 5]
    assert not named[0] & named[1]
    for path in ("/rejected", "/rejected?clauses=50"):
        assert "By the agreement 55 " in await words(board, path)
    pages = [await board.page(path) for path in ("/parked", "/parked?skip=20", "/parked?queue=queue001")]
    assert [len(set(re.findall(r"queue(\d{3}) <span", page))) for page in pages] == [MAX_QUEUES, 5, 1]
    assert 'href="/parked?skip=20"' in pages[0]
    assert "More queues" not in pages[1]
    assert "1 waiting" in pages[2]


@pytest.mark.parametrize("path", ["/parked", "/rejected", "/leads/ld_1/why", "/parked/panels", "/rejected/panels"])
async def test_the_lists_and_the_proof_are_shown_to_viewers_only(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock, path: str
) -> None:
    async with running(database, embedded_bus, manual_clock, BATON_HOST="0.0.0.0") as board:  # noqa: S104
        assert (await board.client.get(path)).status_code == 401
