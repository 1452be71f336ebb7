"""The router on a real log and both databases: what goes in, what comes out, whatever is redelivered."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from services.router.domain.rederivation import decode
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import ActivityRecorded, LeadAssigned, LeadMerged, MoveRequested
from tests.kit.agreements import agreement_text
from tests.services.router_kit import Router, inquiry, running


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text())
    async with running(file, database, embedded_bus) as router:
        yield router


async def test_a_lead_is_assigned_and_can_be_read_with_its_proof(router: Router) -> None:
    await router.publish(inquiry(1))
    [event] = await router.wait_for(1)
    assert isinstance(event, LeadAssigned)
    lead = (await router.client.get("/v1/leads/ld_1")).json()
    assert (lead["state"], lead["owner"]["rep"], lead["score"]) == ("assigned", event.rep.id, 40)
    assert [i["inquiry_id"] for i in lead["inquiries"]] == ["inq_1_1"]
    [verdict] = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert verdict["turn"]["rep"] == event.rep.id
    assert verdict["agreement"]["hash"].startswith("sha256:")
    listed = (await router.client.get("/v1/leads", params={"email": "P1@example.com"})).json()
    assert [item["lead_id"] for item in listed["items"]] == ["ld_1"]


async def test_shares_hold_over_many_leads_and_lists_page_through_all(router: Router) -> None:
    await router.publish(*(inquiry(n) for n in range(90)))
    events = await router.wait_for(90)
    reps = [event.rep.id for event in events if isinstance(event, LeadAssigned)]
    assert (reps.count("ann"), reps.count("bob")) == (60, 30)
    seen, cursor = [], None
    while True:
        page = (
            await router.client.get("/v1/leads", params={"limit": 40, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [item["lead_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"ld_{n}" for n in range(90))
    loads = {item["rep"]: item for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert (loads["ann"]["open"], loads["ann"]["pools"]["benelux"]) == (60, {"weight": 2, "turns": 60})


async def test_duplicates_in_one_batch_and_later_join_one_lead_with_one_owner(router: Router) -> None:
    first = inquiry(1, 1)
    await router.publish(first, inquiry(1, 2), first)
    kinds = [event.TYPE for event in await router.wait_for(2)]
    assert kinds == ["baton.lead.assigned.v1", "baton.lead.merged.v1"]
    await router.publish(inquiry(1, 3))
    assert [event.TYPE for event in await router.wait_for(1)] == ["baton.lead.merged.v1"]
    lead = (await router.client.get("/v1/leads/ld_1")).json()
    assert (lead["version"], lead["owner"]["generation"], len(lead["inquiries"])) == (3, 1, 3)


async def test_a_move_gives_the_lead_to_another_rep_once(router: Router) -> None:
    await router.publish(inquiry(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    cause = MoveRequested(
        lead_id="ld_1", window_id="w", owner=first.rep.id, generation=1, within="pool", at=datetime.now(UTC)
    )
    await router.publish(cause, msgspec.structs.replace(cause, window_id="w2"))
    [second] = await router.wait_for(1)
    assert isinstance(second, LeadAssigned)
    assert (second.previous_rep, second.generation) == (first.rep.id, 2)
    loads = {item["rep"]: item["open"] for item in (await router.client.get("/v1/reps")).json()["items"]}
    assert (loads[first.rep.id], loads[second.rep.id]) == (0, 1)


async def test_sales_accepting_and_closing_a_lead_shows_and_frees_the_rep(router: Router) -> None:
    await router.publish(inquiry(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    accepted = ActivityRecorded(lead_id="ld_1", activity_id="a1", kind="accepted", accepted_at=datetime.now(UTC))
    lost = ActivityRecorded(
        lead_id="ld_1", activity_id="a2", kind="lost", accepted_at=datetime.now(UTC), reason="price"
    )
    await router.publish(accepted, lost)
    async with asyncio.timeout(60):
        while (lead := (await router.client.get("/v1/leads/ld_1")).json())["state"] != "closed":
            await asyncio.sleep(0.02)
    assert (lead["stage"], lead["reason"], lead["version"]) == ("sal", "lost by sales: price", 3)
    assert {item["open"] for item in (await router.client.get("/v1/reps")).json()["items"]} == {0}
    await router.publish(inquiry(1, 2))
    [again] = await router.wait_for(1)
    assert isinstance(again, LeadAssigned)
    assert (again.generation, again.lead_version) == (2, 4)


async def test_endpoints_ask_for_a_key_and_say_what_is_missing(router: Router) -> None:
    bare = {"Authorization": ""}
    assert (await router.client.get("/v1/leads/ld_1", headers=bare)).status_code == 401
    missing = await router.client.get("/v1/leads/ld_9")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = await router.client.get("/v1/leads", params={"limit": 0})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/limit")
    cursor = await router.client.get("/v1/leads", params={"cursor": "x"})
    assert (cursor.status_code, cursor.json()["errors"][0]["pointer"]) == (422, "/cursor")


async def test_a_fact_that_overtakes_its_lead_counts_once_the_lead_is_there(router: Router) -> None:
    asked = inquiry(1)
    lost = ActivityRecorded(lead_id="ld_1", activity_id="a1", kind="lost", accepted_at=datetime.now(UTC), by="ann")
    before = ActivityRecorded(lead_id="ld_2", activity_id="a2", kind="lost", accepted_at=datetime.now(UTC), by="ann")
    await router.publish(lost, before)
    async with asyncio.timeout(60):
        while await router.early() < 2:
            await asyncio.sleep(0.02)
    await router.publish(asked, inquiry(2))
    assert [event.TYPE for event in await router.wait_for(2)] == ["baton.lead.assigned.v1"] * 2
    lead = (await router.client.get("/v1/leads/ld_1")).json()
    assert (lead["state"], lead["reason"]) == ("closed", "lost by ann")
    assert (await router.client.get("/v1/leads/ld_2")).json()["state"] == "assigned"
    assert await router.early() == 1
    first = inquiry(2, inquiry_id="inq_first", accepted_at=before.accepted_at)
    await router.publish(first)
    merged, again = await router.wait_for(2)
    assert isinstance(merged, LeadMerged)
    assert (merged.inquiry_id, merged.received_at) == ("inq_first", before.accepted_at)
    assert isinstance(again, LeadAssigned)
    assert (again.cycle, again.previous_ended_at) == (2, before.accepted_at)
    assert not await router.early()


async def test_of_many_verdicts_on_a_lead_the_newest_are_shown_and_a_cursor_leads_to_those_before(
    router: Router,
) -> None:
    await router.publish(*[inquiry(1, number) for number in range(1, 206)])
    await router.wait_for(205)
    newest = (await router.client.get("/v1/leads/ld_1/proof")).json()
    older = (await router.client.get("/v1/leads/ld_1/proof", params={"cursor": newest["next_cursor"]})).json()
    versions = [[each["lead_version"] for each in page["verdicts"]] for page in (newest, older)]
    assert versions == [list(range(6, 206)), list(range(1, 6))]
    assert older["next_cursor"] is None
    assert (await router.client.get("/v1/leads/ld_1/proof", params={"cursor": "1.x"})).status_code == 422
    record = decode((await router.client.get("/v1/leads/ld_1/record")).content)
    assert [proof.lead_version for proof in record.proofs] == list(range(1, 206))
    inquiries = (await router.client.get("/v1/leads/ld_1")).json()["inquiries"]
    last = record.proofs[-1].inquiry
    assert last is not None
    assert (len(inquiries), inquiries[-1]["inquiry_id"]) == (200, last.inquiry_id)


async def test_readiness_names_what_the_agreement_has_and_nothing_acts_on(router: Router) -> None:
    answer = await router.client.get("/readyz", headers={"host": "localhost"})
    note = "written down, not yet watched: currency, people.role"
    assert answer.json()["notes"]["router.not_watched"] == note
