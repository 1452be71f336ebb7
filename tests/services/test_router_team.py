"""Who gets a lead when people are busy, away, leave the team or give leads back, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from services.router.domain.availability import Hold, Leave, RepState
from services.router.store.tables import desk, reps
from shared.bus.embedded import EmbeddedBus
from shared.db.bulk import upsert_rows
from shared.db.engine import Database
from shared.domain.events import (
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    MoveRequested,
)
from shared.domain.lead import Company, Contact
from tests.services.router_kit import TEAM, Router, activity, inquiry, ones, running, stranger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    topic_partition = tmp_path / "agreement.yaml"
    topic_partition.write_text(TEAM)
    return topic_partition


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, file: Path) -> AsyncIterator[Router]:
    async with running(file, database, embedded_bus) as router:
        yield router


async def test_leads_wait_at_capacity_and_the_longest_waiting_goes_first_when_one_is_closed(router: Router) -> None:
    await router.publish(*(stranger(n) for n in range(1, 5)))
    assigned = ones(await router.wait_for(4), LeadAssigned)
    assert sorted(event.rep.id for event in assigned) == ["ann", "ann", "bob", "bob"]
    waiting = []
    for person in (5, 6):
        await router.publish(stranger(person))
        waiting += ones(await router.wait_for(1), LeadParked)
    assert [(event.lead_id, event.queue) for event in waiting] == [("ld_5", "triage"), ("ld_6", "triage")]
    assert waiting[0].reason == "nobody in field is available; it waits in triage"
    [verdict] = (await router.client.get("/v1/leads/ld_5/proof")).json()["verdicts"]
    assert verdict["passed_over"]["ann"] == "at capacity: holds 2 of at most 2 leads"
    assert verdict["follows"] is True
    of_bob = next(event.lead_id for event in assigned if event.rep.id == "bob")
    await router.publish(activity(0, "lost", lead_id=of_bob))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert (event.lead_id, event.rep.id, event.because) == ("ld_5", "bob", "drained")
    lead = (await router.client.get("/v1/leads/ld_6")).json()
    assert (lead["state"], lead["waits_for"]) == ("parked", "field")


async def test_a_rep_on_hold_gets_nothing_until_released(router: Router) -> None:
    hold = await router.client.put("/v1/reps/ann/availability", json={"state": "hold", "reason": "training"})
    assert hold.status_code == 200
    await router.publish(stranger(1), stranger(2), stranger(3))
    decisions = await router.wait_for(3)
    assert [event.rep.id for event in ones(decisions, LeadAssigned)] == ["bob", "bob"]
    [parked] = ones(decisions, LeadParked)
    reps = {item["rep"]: item for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert (reps["ann"]["available"], reps["ann"]["reason"]) == (False, "on hold: training")
    assert (reps["bob"]["available"], reps["bob"]["reason"]) == (False, "at capacity: holds 2 of at most 2 leads")
    await router.client.put("/v1/reps/ann/availability", json={"state": "available"})
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert (event.lead_id, event.rep.id) == (parked.lead_id, "ann")


async def test_a_hold_to_the_end_of_time_is_refused_and_one_that_is_stored_already_stops_no_lead(
    router: Router,
) -> None:
    far = {"state": "hold", "until": "9999-12-31T23:59:59Z"}
    refused = await router.client.put("/v1/reps/ann/availability", json=far)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/until")
    assert "from 1970-01-01 to 2100-01-01" in refused.json()["detail"]
    hold = Hold(datetime(2026, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    leave = (Leave(date.min, date.max),)
    stored = [
        {"rep": "ann", "state": msgspec.json.encode(RepState(hold=hold))},
        {"rep": "cleo", "state": msgspec.json.encode(RepState(leave=leave))},
    ]
    async with router.database.begin() as tx:
        await tx.execute(sa.insert(reps), stored)
        await upsert_rows(tx, desk, [{"id": 1, "token": "another router's", "seq": 0}])
    await router.publish(stranger(1), stranger(2, kind="newsletter"))
    decisions = await router.wait_for(2)
    assert [event.rep.id for event in ones(decisions, LeadAssigned)] == ["bob"]
    assert [event.lead_id for event in ones(decisions, LeadParked)] == ["ld_2"]
    found = (await router.client.get("/v1/reps")).json()["items"]
    assert {item["rep"]: item["reason"] for item in found}["ann"] == "on hold until 2100-01-01 01:00"


async def test_leave_can_be_sent_as_days_or_as_a_calendar_file_and_bad_leave_is_refused(router: Router) -> None:
    today = datetime.now(UTC).astimezone().date()
    days = {
        "leave": [{"first": (today - timedelta(days=1)).isoformat(), "last": (today + timedelta(days=1)).isoformat()}]
    }
    assert (await router.client.put("/v1/reps/ann/leave", json=days)).status_code == 200
    begins, ends = (f"{today + timedelta(days=n):%Y%m%d}" for n in (-1, 2))
    ical = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        f"DTSTART;VALUE=DATE:{begins}\r\nDTEND;VALUE=DATE:{ends}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    answer = await router.client.put("/v1/reps/bob/leave", content=ical, headers={"content-type": "text/calendar"})
    assert answer.json()["leave"] == [{"first": days["leave"][0]["first"], "last": days["leave"][0]["last"]}]
    await router.publish(stranger(1))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadParked)
    backwards = await router.client.put(
        "/v1/reps/ann/leave", json={"leave": [{"first": "2026-12-24", "last": "2026-12-01"}]}
    )
    assert (backwards.status_code, backwards.json()["errors"][0]["pointer"]) == (422, "/leave/0")
    nonsense = await router.client.put("/v1/reps/ann/leave", content="x", headers={"content-type": "text/calendar"})
    assert nonsense.status_code == 422
    assert (await router.client.put("/v1/reps/eve/leave", json={"leave": []})).status_code == 404


async def test_a_declined_lead_goes_on_and_waits_when_everyone_gave_it_back(router: Router) -> None:
    await router.publish(stranger(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    await router.publish(activity(1, "declined", by=first.rep.id, reason="on the road"))
    [second] = await router.wait_for(1)
    assert isinstance(second, LeadReassigned)
    assert (second.previous_rep, second.because) == (first.rep.id, "declined")
    stale = activity(1, "declined", activity_id="late", by=first.rep.id)
    await router.publish(stale, activity(1, "declined", activity_id="other", by=second.rep.id))
    [third] = await router.wait_for(1)
    assert isinstance(third, LeadParked)
    assert third.reason.startswith(f"{second.rep.id} gave the lead back; nobody in field is available")


async def test_a_person_moves_a_lead_with_a_reason_and_impossible_moves_are_refused(router: Router) -> None:
    await router.publish(stranger(1))
    await router.wait_for(1)
    move = {"to": {"rep": "cleo"}, "reason": "knows them", "by": "mia"}
    moved = await router.client.post("/v1/leads/ld_1/move", json=move)
    assert (moved.status_code, moved.json()["owner"]["rep"]) == (200, "cleo")
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadReassigned)
    assert (event.rep.id, event.because) == ("cleo", "manual")
    again = await router.client.post("/v1/leads/ld_1/move", json=move | {"to": {"rep": " Cleo@acme.example"}})
    assert (again.status_code, again.json()["detail"]) == (422, "cleo has the lead already.")
    nobody = await router.client.post("/v1/leads/ld_1/move", json=move | {"by": "zoe"})
    assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "/by")
    unknown = await router.client.post("/v1/leads/ld_1/move", json={"to": {"pool": "x"}, "reason": "?"})
    assert unknown.json()["detail"] == "The agreement has no pool 'x'. It has: field, inside."
    both = await router.client.post("/v1/leads/ld_1/move", json={"to": {"pool": "field", "rep": "ann"}, "reason": "?"})
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "/to")
    assert (await router.client.post("/v1/leads/ld_9/move", json=move)).status_code == 404
    rotation = {"to": {"pool": "field"}, "reason": "rotation", "by": " MIA@acme.example"}
    back = await router.client.post("/v1/leads/ld_1/move", json=rotation)
    assert back.json()["owner"]["pool"] == "field"
    proof = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
    assert proof["reason"].startswith("moved by mia: rotation")
    hold = await router.client.put("/v1/reps/Ann@acme.example/availability", json={"state": "hold", "by": "mia"})
    assert hold.json()["rep"] == "ann"
    nobody = await router.client.put("/v1/reps/ann/availability", json={"state": "hold", "by": "zoe"})
    assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "/by")
    verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert [(v["verdict"], v["follows"]) for v in verdicts] == [
        ("assigned", True),
        ("reassigned", True),
        ("reassigned", True),
    ]


async def test_one_person_by_address_and_then_by_number_is_one_lead_with_one_owner(router: Router) -> None:
    both = Contact(email="jo@gmail.com", phone="+32470000000")
    await router.publish(inquiry(1, contact=both, company=Company()))
    await router.wait_for(1)
    await router.publish(inquiry(2, contact=Contact(phone="+32470000000"), company=Company()))
    [joined] = await router.wait_for(1)
    assert isinstance(joined, LeadMerged)
    assert (joined.lead_id, joined.into) == ("ld_2", "ld_1")
    other = (await router.client.get("/v1/leads/ld_2")).json()
    assert (other["state"], other["into"]) == ("merged", "ld_1")
    await router.publish(inquiry(2, 2, contact=Contact(phone="+32470000000", first_name="Jo"), company=Company()))
    [again] = await router.wait_for(1)
    assert isinstance(again, LeadMerged)
    lead = (await router.client.get("/v1/leads/ld_1")).json()
    assert (lead["contact"]["first_name"], lead["owner"]["generation"]) == ("Jo", 1)


async def test_two_leads_that_turn_out_to_be_one_person_keep_the_first_owner(router: Router) -> None:
    await router.publish(inquiry(1, contact=Contact(email="jo@gmail.com"), company=Company()))
    [first] = ones(await router.wait_for(1), LeadAssigned)
    await router.publish(inquiry(2, contact=Contact(phone="+32470000000"), company=Company()))
    await router.wait_for(1)
    await router.publish(inquiry(1, 2, contact=Contact(email="jo@gmail.com", phone="+32470000000"), company=Company()))
    events = await router.wait_for(2)
    assert all(isinstance(event, LeadMerged) for event in events)
    assert (await router.client.get("/v1/leads/ld_2")).json()["into"] == "ld_1"
    reps = {item["rep"]: item["open"] for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert sum(reps.values()) == 1
    assert reps[first.rep.id] == 1


async def test_a_colleague_goes_to_the_owner_of_the_company_by_domain_or_by_a_similar_name(router: Router) -> None:
    acme = Company(name="Example Industries NV", domain="www.example-industries.be")
    await router.publish(inquiry(1, contact=Contact(email="jo@example-industries.be"), company=acme))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    await router.publish(inquiry(2, contact=Contact(email="al@shop.example-industries.be"), company=Company()))
    [second] = await router.wait_for(1)
    await router.publish(inquiry(3, contact=Contact(email="ed@gmail.com"), company=Company(name="Example Industies")))
    [third] = await router.wait_for(1)
    for event in (second, third):
        assert isinstance(event, LeadAssigned)
        assert (event.rep.id, event.rule) == (first.rep.id, "known account")
    [verdict] = (await router.client.get("/v1/leads/ld_3/proof")).json()["verdicts"]
    assert "similar name" in verdict["reason"]
    assert verdict["follows"] is True


async def test_a_returning_lead_goes_to_its_owner_unless_they_are_away_for_long(router: Router) -> None:
    await router.publish(stranger(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    await router.publish(activity(1, "lost"))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    await router.publish(stranger(1, 2))
    [again] = await router.wait_for(1)
    assert isinstance(again, LeadAssigned)
    assert (again.rep.id, again.rule, again.cycle) == (first.rep.id, "returning lead", 2)
    await router.publish(activity(1, "lost", activity_id="second"))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    await router.client.put(f"/v1/reps/{first.rep.id}/availability", json={"state": "hold", "until": until})
    await router.publish(stranger(1, 3))
    [third] = await router.wait_for(1)
    assert isinstance(third, LeadAssigned)
    assert (third.rep.id != first.rep.id, third.rule) == (True, "everyone else")
    verdict = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1]
    assert verdict["skipped"][0]["rule"] == "returning lead"
    assert "is away for 2 days or longer" in verdict["skipped"][0]["why"]
    assert verdict["follows"] is True


async def test_leads_go_only_to_those_who_speak_the_language_and_others_are_not_held_up(router: Router) -> None:
    french = [stranger(n, contact=Contact(email=f"p{n}@gmail.com", language="fr")) for n in (1, 2, 3)]
    dutch = stranger(4, contact=Contact(email="p4@gmail.com", language="nl"))
    await router.publish(*french)
    decisions = await router.wait_for(3)
    assert [event.rep.id for event in ones(decisions, LeadAssigned)] == ["bob", "bob"]
    [parked] = ones(decisions, LeadParked)
    await router.publish(dutch)
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    assert event.rep.id == "ann"
    await router.publish(activity(0, "lost", lead_id=ones(decisions, LeadAssigned)[0].lead_id))
    [drained] = await router.wait_for(1)
    assert isinstance(drained, LeadAssigned)
    assert (drained.lead_id, drained.rep.id) == (parked.lead_id, "bob")


async def test_leads_of_someone_who_left_the_team_are_handed_on_when_the_new_version_takes_effect(
    router: Router, file: Path
) -> None:
    await router.publish(stranger(1, kind="newsletter"))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    assert first.rep.id == "cleo"
    without = TEAM.replace("version: 1", "version: 2").replace(
        "inside: {members: {cleo: 1}", "inside: {members: {mia: 1}"
    )
    file.write_text("\n".join(line for line in without.splitlines() if "id: cleo" not in line))  # noqa: ASYNC240
    [second] = await router.wait_for(1)
    assert isinstance(second, LeadReassigned)
    assert (second.rep.id, second.because, second.agreement.version) == ("mia", "left", 2)


async def test_a_lead_whose_decline_was_read_before_the_lead_is_reassigned_at_once(router: Router) -> None:
    declined = activity(1, "declined", reason="not mine")
    await router.publish(declined)
    async with asyncio.timeout(60):
        while await router.early() < 1:
            await asyncio.sleep(0.02)
    await router.publish(stranger(1, accepted_at=declined.accepted_at))
    first, second = await router.wait_for(2)
    assert isinstance(first, LeadAssigned)
    assert isinstance(second, LeadReassigned)
    assert (second.previous_rep, second.because) == (first.rep.id, "declined")


async def test_a_lead_that_everyone_gave_back_waits_and_does_not_go_round(router: Router) -> None:
    await router.publish(stranger(1))
    [first] = ones(await router.wait_for(1), LeadAssigned)
    await router.publish(activity(1, "declined", activity_id="1", by=first.rep.id))
    [second] = ones(await router.wait_for(1), LeadReassigned)
    await router.publish(activity(1, "declined", activity_id="2", by=second.rep.id))
    assert isinstance((await router.wait_for(1))[0], LeadParked)
    await router.publish(stranger(2))
    assert [event.lead_id for event in ones(await router.wait_for(1), LeadAssigned)] == ["ld_2"]
    assert (await router.client.get("/v1/leads/ld_1")).json()["state"] == "parked"


async def test_a_missed_lead_that_moves_on_makes_room_for_one_that_waits(router: Router) -> None:
    await router.publish(*(stranger(n) for n in range(1, 4)))
    of_three = ones(await router.wait_for(3), LeadAssigned)
    [(full, _), (other, _)] = Counter(event.rep.id for event in of_three).most_common()
    language = {"ann": "nl", "bob": "fr"}[full]
    await router.publish(stranger(4, contact=Contact(email="p4@gmail.com", language=language)))
    assert isinstance((await router.wait_for(1))[0], LeadParked)
    missed = next(event for event in of_three if event.rep.id == full)
    at = datetime.now(UTC)
    await router.publish(
        MoveRequested(lead_id=missed.lead_id, window_id="w", owner=full, generation=1, within="pool", at=at)
    )
    moved, drained = await router.wait_for(2)
    assert isinstance(moved, LeadReassigned)
    assert isinstance(drained, LeadAssigned)
    assert (moved.rep.id, drained.lead_id, drained.rep.id) == (other, "ld_4", full)


async def test_a_second_inquiry_under_an_id_that_ceased_is_announced_under_an_event_id_of_its_own(
    router: Router,
) -> None:
    both = Contact(email="jo@gmail.com", phone="+32470000000")
    await router.publish(inquiry(1, contact=both, company=Company()))
    await router.wait_for(1)
    for number in (1, 2, 3):
        await router.publish(inquiry(2, number, contact=Contact(phone="+32470000000"), company=Company()))
    merged = ones(await router.wait_for(3), LeadMerged)
    assert [(event.lead_id, event.lead_version) for event in merged] == [("ld_2", 1), ("ld_2", 2), ("ld_2", 3)]


async def test_someone_is_known_by_a_second_number_that_does_not_stand_in_their_lead(router: Router) -> None:
    for number, phone in enumerate(("+32470000001", "+32470000002"), start=1):
        await router.publish(inquiry(1, number, contact=Contact(email="jo@gmail.com", phone=phone), company=Company()))
    await router.wait_for(2)
    await router.publish(inquiry(2, contact=Contact(phone="+32470000002"), company=Company()))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadMerged)
    assert (event.lead_id, event.into) == ("ld_2", "ld_1")
    [verdict] = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"][-1:]
    assert verdict["follows"] is True
