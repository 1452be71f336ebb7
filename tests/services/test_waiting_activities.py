"""An activity whose lead is unknown is stored, answered as waiting and listed with its age, until its inquiry comes."""

import re
import sqlite3
from pathlib import Path

from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import StrictContact, SubmittedLead, normal_lead
from services.ingest.domain.intake import inquiry as inquiry_of
from services.ingest.spool.file import SpoolFile, claim
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from tests.kit.clocks import ManualClock
from tests.kit.events import activity, after, inquiry
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


async def test_a_page_shows_waiting_activities_newest_first_with_who_sent_them(
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
        [following] = re.findall(r'href="(/orphans\?[^"]+)">The next activities', page)
        rest = await board.page(following)
        assert ("ld_0<" in rest, "ld_1<" in rest, "The next activities" in rest) == (True, False, False)
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
