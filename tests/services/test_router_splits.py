"""Someone says that an id that became part of a lead is another person's, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadMerged, LeadReassigned, LeadSplit
from shared.domain.lead import Company, Contact
from tests.services.router_kit import TEAM, Router, activity, inquiry, ones, running

NUMBER = "+32470123456"
BOTH = Contact(email="ann@example.com", phone=NUMBER)
WHY = {"reason": "two people share the phone", "by": "MIA@acme.example"}


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(TEAM)
    async with running(file, database, embedded_bus) as router:
        yield router


async def one_person(router: Router) -> LeadAssigned:
    """One asks by address and number, another by the number only: one lead, under the first id; its assignment."""
    await router.publish(inquiry(1, contact=BOTH))
    [first] = ones(await router.wait_for(1), LeadAssigned)
    await router.publish(inquiry(2, contact=Contact(phone=NUMBER, country="BE"), company=Company(name="Other")))
    await router.wait_for(1)
    return first


async def split(router: Router, lead_id: str = "ld_2", status: int = 200) -> dict[str, Any]:
    answer = await router.client.post(f"/v1/leads/{lead_id}/split", json=WHY)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def follows(router: Router, *lead_ids: str) -> list[list[str]]:
    """The verdicts on each lead, all of which follow from their record."""
    found = []
    for lead_id in lead_ids:
        verdicts = (await router.client.get(f"/v1/leads/{lead_id}/proof")).json()["verdicts"]
        assert all(verdict["follows"] for verdict in verdicts), [each for each in verdicts if not each["follows"]]
        found.append([verdict["verdict"] for verdict in verdicts])
    return found


async def test_an_id_that_never_was_a_lead_is_judged_with_what_it_gave_alone(router: Router) -> None:
    first = await one_person(router)
    lead = await split(router)
    assert (lead["lead_id"], lead["state"], lead["contact"]) == ("ld_2", "assigned", {"phone": NUMBER, "country": "BE"})
    other = (await router.client.get("/v1/leads/ld_1")).json()
    assert (other["state"], other["contact"]) == ("assigned", {"email": "ann@example.com", "phone": NUMBER})
    events = await router.wait_for(4)
    alone, goes_on = ones(events, LeadSplit)
    assert (alone.was_part_of, alone.state, goes_on.split_off) == ("ld_1", "received", "ld_2")
    assert alone.reason == "mia says that it is another person than lead ld_1: two people share the phone"
    given, again = ones(events, LeadAssigned)
    assert (given.lead_id, given.because, given.generation) == ("ld_2", None, 1)
    assert (again.lead_id, again.because, again.generation, again.rep) == ("ld_1", "split", 2, first.rep)
    assert await follows(router, "ld_1", "ld_2") == [["assigned", "merged", "reassigned"], ["split", "assigned"]]
    await router.publish(inquiry(2, 2, contact=Contact(phone=NUMBER)), inquiry(1, 2, contact=BOTH))
    joined = ones(await router.wait_for(2), LeadMerged)
    assert {event.lead_id: event.into for event in joined} == {"ld_1": None, "ld_2": None}
    assert await follows(router, "ld_1", "ld_2") == [
        ["assigned", "merged", "reassigned", "merged"],
        ["split", "assigned", "merged"],
    ]


async def test_a_lead_that_was_merged_by_hand_goes_back_to_who_had_it(router: Router) -> None:
    await router.publish(inquiry(1), inquiry(2, contact=Contact(email="p2@example.com", phone=NUMBER)))
    before = {event.lead_id: event.rep.id for event in ones(await router.wait_for(2), LeadAssigned)}
    await router.client.post("/v1/leads/ld_2/merge", json=WHY | {"into": "ld_1"})
    assert (await router.client.get("/v1/leads/ld_1")).json()["contact"]["phone"] == NUMBER
    lead = await split(router)
    assert (lead["state"], lead["owner"]["rep"]) == ("assigned", before["ld_2"])
    assert "phone" not in (await router.client.get("/v1/leads/ld_1")).json()["contact"]
    assert await follows(router, "ld_1", "ld_2") == [
        ["assigned", "merged", "reassigned"],
        ["assigned", "split", "reassigned"],
    ]
    reps = {each["rep"]: each["open"] for each in (await router.client.get("/v1/reps")).json()["items"]}
    assert sum(reps.values()) == 2
    await router.client.post("/v1/leads/ld_2/merge", json=WHY | {"into": "ld_1"})
    await router.publish(inquiry(2, 2, contact=Contact(email="p2@example.com")))
    await router.lead("ld_1", lambda lead: len(lead["inquiries"]) == 2)  # type: ignore[arg-type]


async def test_an_end_that_was_reported_under_the_id_goes_with_it(router: Router) -> None:
    await one_person(router)
    await router.publish(activity(2, "won"))
    before: Any = await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    lead = await split(router)
    assert (lead["state"], lead["stage"], lead["reason"]) == ("closed", "customer", "won by sales")
    other = (await router.client.get("/v1/leads/ld_1")).json()
    assert (other["state"], other["stage"], other["owner"]["rep"]) == ("assigned", "mql", before["owner"]["rep"])
    assert [event.because for event in ones(await router.wait_for(3), LeadReassigned)] == ["split"]
    assert await follows(router, "ld_1", "ld_2") == [["assigned", "merged", "reassigned"], ["split"]]


async def test_only_what_is_part_of_a_lead_can_be_split(router: Router) -> None:
    await one_person(router)
    assert "nothing to split" in (await split(router, "ld_1", 409))["detail"]
    await split(router, "ld_9", 404)
    await split(router)
    await split(router, status=409)


async def test_of_a_chain_each_id_takes_along_what_had_become_part_of_it(router: Router) -> None:
    await router.publish(inquiry(1), inquiry(2), inquiry(3))
    await router.wait_for(3)
    for lead_id, into in (("ld_1", "ld_2"), ("ld_2", "ld_3")):
        await router.client.post(f"/v1/leads/{lead_id}/merge", json=WHY | {"into": into})
    await split(router, "ld_2")
    assert (await router.client.get("/v1/leads/ld_1")).json()["state"] == "merged"
    await split(router, "ld_1")
    leads = [(await router.client.get(f"/v1/leads/ld_{number}")).json() for number in (1, 2, 3)]
    assert [(lead["lead_id"], lead["state"]) for lead in leads] == [(f"ld_{n}", "assigned") for n in (1, 2, 3)]
