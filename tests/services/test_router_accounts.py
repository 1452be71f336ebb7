"""Who owns a company, and gets the leads of its people, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import InquiryReceived, LeadAssigned
from shared.domain.lead import Company, Contact
from tests.services.router_kit import TEAM, Router, activity, inquiry, ones, running, stranger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "agreement.yaml"
    file.write_text(TEAM)
    return file


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, file: Path) -> AsyncIterator[Router]:
    async with running(file, database, embedded_bus) as router:
        yield router


def acme(person: int) -> InquiryReceived:
    """Someone who writes for the same company as all others of it."""
    return inquiry(person, company=Company(), contact=Contact(email=f"p{person}@acme.test"))


async def test_a_colleague_who_waits_goes_to_the_owner_of_the_company_as_soon_as_there_is_one(router: Router) -> None:
    await router.publish(stranger(1))
    [first] = await router.wait_for(1)
    assert isinstance(first, LeadAssigned)
    assert first.rep.id == "ann"
    for rep in ("ann", "bob"):
        await router.client.put(f"/v1/reps/{rep}/availability", json={"state": "hold"})
    for waiting in (acme(2), stranger(3), acme(4)):
        await router.publish(waiting)
        await router.wait_for(1)
    await router.client.put("/v1/reps/ann/availability", json={"state": "available"})
    assigned = ones(await router.wait_for(2), LeadAssigned)
    assert [(event.lead_id, event.rep.id, event.rule) for event in assigned] == [
        ("ld_2", "ann", "everyone else"),
        ("ld_4", "ann", "known account"),
    ]
    assert (await router.client.get("/v1/leads/ld_3")).json()["state"] == "parked"
    [*_, verdict] = (await router.client.get("/v1/leads/ld_4/proof")).json()["verdicts"]
    assert (verdict["account"]["lead_id"], verdict["follows"]) == ("ld_2", True)
    await router.client.put("/v1/reps/bob/availability", json={"state": "available"})
    await router.wait_for(1)
    await router.publish(acme(5))
    [fifth] = await router.wait_for(1)
    assert isinstance(fifth, LeadAssigned)
    assert (fifth.rep.id, fifth.rule) == ("ann", "known account")


async def test_when_the_first_owner_of_a_company_leaves_the_next_one_owns_it(router: Router, file: Path) -> None:
    await router.publish(acme(1), acme(2))
    first, second = ones(await router.wait_for(2), LeadAssigned)
    assert (first.rep.id, second.rep.id) == ("ann", "ann")
    await router.client.post("/v1/leads/ld_2/move", json={"to": {"rep": "mia"}, "reason": "she knows them"})
    await router.wait_for(1)
    await router.publish(activity(1, "won"))
    await router.lead("ld_1", lambda lead: lead["state"] == "closed")
    file.write_text(TEAM.replace("version: 1", "version: 2").replace("max_open: 2}", "active: false}", 1))  # noqa: ASYNC240
    async with asyncio.timeout(60):
        while (await router.client.get("/v1/reps")).json()["items"][0]["limits"]["max_open"] is not None:
            await asyncio.sleep(0.02)
    await router.publish(acme(3))
    [third] = await router.wait_for(1)
    assert isinstance(third, LeadAssigned)
    assert (third.rep.id, third.rule) == ("mia", "known account")
