"""An activity whose lead is unknown is stored, answered as waiting and listed with its age, until its inquiry comes."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import StrictContact, SubmittedLead, normal_lead
from services.ingest.domain.intake import inquiry as inquiry_of
from services.ingest.spool.file import SpoolFile, claim
from services.scoreboard.domain.counters import EXPIRED_ORPHANS, ORPHANS
from services.scoreboard.domain.orphans import OrphanBounds
from services.scoreboard.store import lists, orphans, queries
from services.scoreboard.store.tables import leads
from services.scoreboard.workers.orphans import OrphanExpiry
from shared import metrics
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database, Tx
from tests.kit.clocks import ManualClock
from tests.kit.events import activity, after, assigned, inquiry
from tests.services import scoreboard_kit
from tests.services.ingest_kit import Running, running

JO = {"contact": {"email": "jo@example.com"}}
IDENTITY = Identity(b"a key of more than enough length")


async def status(ingest: Running, email: str = "jo@example.com") -> str:
    """The status of an activity about the person with this address."""
    await ingest.until_ready()
    answer = await ingest.post("/v1/activities", {"kind": "note", "email": email, "text": "hm"})
    assert answer.status_code == 202, answer.text
    (result,) = answer.json()["results"]
    return str(result["status"])


async def test_an_activity_waits_until_an_inquiry_of_its_lead_is_accepted_here(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        assert await status(ingest) == "waiting"
        assert await status(ingest) == "duplicate"
        await ingest.post("/v1/leads", JO)
        assert await status(ingest, "JO@example.com") == "accepted"
        assert await status(ingest, "al@example.com") == "waiting"
    async with running(tmp_path) as ingest:
        assert await status(ingest, " jo@example.com") == "accepted"
        assert await status(ingest, "ed@example.com") == "waiting"


def waits(file: SpoolFile, at_us: int) -> list[bool]:
    """Which of an activity about Jo and one about Al are answered as waiting; the same are new after a day."""
    facts = []
    for email in ("jo@example.com", "al@example.com"):
        note = normal_activity(Activity(kind="note", email=email), IDENTITY)
        facts.append(recorded(note, sender="crm", raw=email.encode()))
    [outcomes] = file.append([facts], at_us)
    assert isinstance(outcomes, list)
    return [outcome.waiting for outcome in outcomes]


def test_a_lead_that_another_process_of_the_folder_accepted_is_known(tmp_path: Path) -> None:
    first, _ = claim(tmp_path, max_bytes=2**30)
    second, _ = claim(tmp_path, max_bytes=2**30)
    for number, file in enumerate((first, second)):
        file.open(f"ingest-{number}")
    lead = inquiry_of(
        normal_lead(SubmittedLead(contact=StrictContact(email="jo@example.com"))),
        identity=IDENTITY,
        sender="web",
        raw=b"1",
    )
    first.append([[lead]], 1_000_000)
    for relayed in (0, 1):
        assert waits(second, 2_000_000 + relayed * 90_000_000_000) == [False, True]
        first.mark_relayed(relayed=1, floor_us=1_000_000)
        first.tidy(1_000_000)
    first.close()
    assert waits(second, 200_000_000_000) == [False, True]
    second.close()


async def test_a_spool_from_before_leads_were_listed_calls_nobody_unknown(tmp_path: Path) -> None:
    async with running(tmp_path) as ingest:
        await ingest.post("/v1/leads", JO)
    file = tmp_path / "data" / "spool-0.db"
    with sqlite3.connect(file) as before:
        before.execute("DELETE FROM meta WHERE name = 'leads'")
        before.execute("DROP TABLE leads")
    before.close()
    async with running(tmp_path) as ingest:
        assert await status(ingest, "al@example.com") == "accepted"


async def test_a_page_shows_orphans_newest_first_with_who_sent_the_latest_activity(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock
) -> None:
    async with scoreboard_kit.running(database, embedded_bus, manual_clock) as board:
        assert "Every activity names a lead that is known." in await board.page("/orphans")
        assert '<a href="/orphans">' in await board.page("/")
        many = [
            activity(f"ld_{n}", activity_id=f"a{n}", accepted_at=after(n), sender="crm <b>one</b>") for n in range(51)
        ]
        await board.publish(inquiry("ld_known"), activity("ld_known", activity_id="known"), *many)
        await board.timeline("ld_50", 1)
        page = await board.page("/orphans")
        assert page.index("ld_50<") < page.index("ld_49<") < page.index("ld_1<")
        assert "crm &lt;b&gt;one&lt;/b&gt;" in page
        assert ("<b>one" in page, "ld_known" in page, "ld_0<" in page) == (False, False, False)
        [following] = re.findall(r'href="(/orphans\?[^"]+)">The next lead ids', page)
        rest = await board.page(following)
        assert ("ld_0<" in rest, "ld_1<" in rest, "The next lead ids" in rest) == (True, False, False)
        assert (await board.client.get("/orphans?after=nonsense")).status_code == 422


async def test_orphans_are_listed_with_their_age_until_their_inquiry_comes(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock
) -> None:
    async with scoreboard_kit.running(database, embedded_bus, manual_clock) as board:
        lost = [activity("ld_lost", activity_id=f"a{n}", accepted_at=after(n)) for n in (7, 9)]
        other = activity("ld_other", activity_id="b", accepted_at=after(8))
        await board.publish(inquiry("ld_known"), activity("ld_known"), *lost, other)
        await board.timeline("ld_other", 1)
        found = await board.get("/v1/orphans")
        listed = [(each["lead_id"], each["activities"]) for each in found["items"]]
        assert (listed, found["next_cursor"]) == ([("ld_lost", 2), ("ld_other", 1)], None)
        assert found["items"][0]["age_s"] > 0
        page = await board.get("/v1/orphans?limit=1")
        following = await board.get(f"/v1/orphans?limit=1&cursor={page['next_cursor']}")
        assert [each["lead_id"] for each in following["items"]] == ["ld_other"]
        await board.publish(inquiry("ld_lost"))
        await board.timeline("ld_lost", 3)
        assert [each["lead_id"] for each in (await board.get("/v1/orphans"))["items"]] == ["ld_other"]


async def test_orphans_beyond_the_bounds_are_listed_as_expired_and_count_once_their_inquiry_comes(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock
) -> None:
    async with scoreboard_kit.running(database, embedded_bus, manual_clock) as board:
        late = datetime.now(UTC) - timedelta(days=1)
        lost = [activity(f"ld_{n}", activity_id=f"a{n}", accepted_at=after(n)) for n in range(4)]
        new = [activity("ld_new", "won", activity_id=f"n{n}", accepted_at=late) for n in range(2)]
        await board.publish(inquiry("ld_known"), activity("ld_known"), *lost, *new)
        await board.timeline("ld_new", 2)
        await board.timeline("ld_3", 1)

        keeper = OrphanExpiry(database, OrphanBounds(count=4, age=timedelta(days=10**5)))
        assert (await keeper.expire(), await keeper.expire()) == (1, 0)
        assert [await listed(board, state) for state in ("waiting", "expired")] == [
            ["ld_1", "ld_2", "ld_3", "ld_new"],
            ["ld_0"],
        ]
        before = metrics.orphans_expired._value.get()
        keeper = OrphanExpiry(database, OrphanBounds(count=4, age=timedelta(days=2)))
        assert await keeper.expire() == 3
        await keeper.show()
        shown = [metrics.orphans.labels(state)._value.get() for state in ("waiting", "expired")]
        assert (shown, metrics.orphans_expired._value.get() - before) == ([1, 4], 3)
        assert timedelta(days=1).total_seconds() <= metrics.orphan_age_s._value.get() < 2 * 86400
        assert await listed(board, "waiting") == ["ld_new"]
        assert "expired" in await board.page("/orphans?state=expired")
        assert (await board.client.get("/orphans?state=lost")).status_code == 422

        await board.publish(activity("ld_0", "note", activity_id="another", accepted_at=after(60)))
        await board.timeline("ld_0", 2)
        [oldest, *_] = (await board.get("/v1/orphans?state=expired"))["items"]
        assert (oldest["lead_id"], oldest["activities"], oldest["since"]) == ("ld_0", 2, "2026-11-23T09:00:00Z")
        await board.publish(inquiry("ld_0"), assigned("ld_new"))
        await board.timeline("ld_0", 3)
        await board.timeline("ld_new", 3)
        assert [await listed(board, state) for state in ("waiting", "expired")] == [[], ["ld_1", "ld_2", "ld_3"]]
        async with database.read() as tx:
            assert [await lists.count(tx, name) for name in (ORPHANS, EXPIRED_ORPHANS)] == [0, 3]
            lead = await queries.lead(tx, "ld_new")
        assert lead is not None
        assert (lead.state, lead.orphan_activities) == ("closed", 0)


async def test_a_page_of_orphans_reads_an_index_and_sorts_nothing(
    database: Database, embedded_bus: EmbeddedBus, manual_clock: ManualClock
) -> None:
    del embedded_bus, manual_clock
    async with database.begin() as tx:
        rows = [
            {"lead_id": f"ld_{n}", "orphan_since": after(n) if n % 50 == 0 else None, "version": -1}
            for n in range(5_000)
        ]
        await tx.execute(sa.insert(leads), rows)
        statements: list[tuple[str, object]] = []

        def note(_conn: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            statements.append((statement, parameters))

        sa.event.listen(tx.sync_connection, "before_cursor_execute", note)
        if tx.dialect.name == "postgresql":
            await tx.exec_driver_sql("ANALYZE scoreboard_leads")
        for after_place in (None, (after(100), "ld_100")):
            statements.clear()
            await orphans.orphans(tx, expired=False, after=after_place, limit=10)
            await orphans.newest_orphans(tx, expired=False, after=after_place, limit=10)
            for statement, parameters in (statements[0], statements[1]):
                plan = await _plan(tx, statement, parameters)
                assert "ix_scoreboard_leads_orphaned" in plan
                slow = ("Sort Key: scoreboard_leads", "Seq Scan on scoreboard_leads", "TEMP B-TREE")
                assert not [word for word in slow if word in plan], plan


async def _plan(tx: Tx, statement: str, parameters: object) -> str:
    asking = "EXPLAIN " if tx.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    assert isinstance(parameters, tuple)
    return "\n".join(str(row) for row in await tx.exec_driver_sql(asking + statement, parameters))


async def listed(board: scoreboard_kit.Board, state: str) -> list[str]:
    """The lead ids of the orphans in this state."""
    return [each["lead_id"] for each in (await board.get(f"/v1/orphans?state={state}"))["items"]]
