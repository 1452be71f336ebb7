"""Someone says that two leads are of one person, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadMerged
from shared.domain.lead import Contact
from tests.services.router_kit import TEAM, Router, activity, inquiry, ones, running


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Router]:
    file = tmp_path / "agreement.yaml"
    file.write_text(TEAM)
    async with running(file, database, embedded_bus) as router:
        await router.publish(
            inquiry(1, contact=Contact(email="ann.peeters@example.com", first_name="Ann")),
            inquiry(2, contact=Contact(email="ann@new-job.example", phone="+32470123456")),
            inquiry(3, test=True),
        )
        await router.wait_for(3)
        yield router


WHY = {"into": "ld_2", "reason": "she changed jobs", "by": "MIA@acme.example"}


async def test_two_leads_become_one_by_hand_with_a_reason_that_the_proof_and_the_event_name(router: Router) -> None:
    answer = await router.client.post("/v1/leads/ld_1/merge", json=WHY)
    assert answer.status_code == 200
    lead = answer.json()
    assert (lead["lead_id"], lead["state"], lead["contact"]["first_name"]) == ("ld_2", "assigned", "Ann")
    [event] = ones(await router.wait_for(1), LeadMerged)
    assert (event.lead_id, event.into, event.was, event.reason) == (
        "ld_1",
        "ld_2",
        "assigned",
        "mia says that it is the same person as lead ld_2: she changed jobs",
    )
    [*_, verdict] = (await router.client.get("/v1/leads/ld_2/proof")).json()["verdicts"]
    assert (verdict["follows"], verdict["ask"]["by"], verdict["ask"]["reason"]) == (True, "mia", "she changed jobs")
    reps = {each["rep"]: each["open"] for each in (await router.client.get("/v1/reps")).json()["items"]}
    assert sum(reps.values()) == 1
    await router.publish(activity(1, "won"))
    await router.lead("ld_2", lambda lead: lead["state"] == "closed")


@pytest.mark.parametrize(
    ("lead_id", "into", "status"),
    [("ld_1", "ld_9", 404), ("ld_9", "ld_1", 404), ("ld_1", "ld_1", 409), ("ld_1", "ld_3", 409), ("ld_3", "ld_1", 409)],
)
async def test_what_can_not_be_one_person_is_refused(router: Router, lead_id: str, into: str, status: int) -> None:
    answer = await router.client.post(f"/v1/leads/{lead_id}/merge", json=WHY | {"into": into})
    assert answer.status_code == status


async def test_an_open_lead_does_not_go_on_as_one_that_has_ended(router: Router) -> None:
    await router.publish(activity(2, "lost"))
    await router.lead("ld_2", lambda lead: lead["state"] == "closed")
    answer = await router.client.post("/v1/leads/ld_1/merge", json=WHY)
    assert (answer.status_code, "ld_2" in answer.json()["detail"]) == (409, True)
    assert (await router.client.post("/v1/leads/ld_2/merge", json=WHY | {"into": "ld_1"})).status_code == 200
