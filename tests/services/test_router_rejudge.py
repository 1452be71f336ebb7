"""Leads of a period are judged again under another version of the agreement, for real, after a simulation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.router.handlers.rejudging import BATCH, Rejudgings, Wanted
from services.router.handlers.transaction import RoutingTransactions
from services.router.simulation.runner import Plan, simulate
from shared import agreement_file
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadReassigned, LeadRejected
from tests.kit.agreements import agreement_text
from tests.services.router_kit import Router, activity, inquiry, ones, running

STRICT = agreement_text(score=60)
LENIENT = agreement_text(score=30).replace("version: 1", "version: 2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agreement.yaml"
    path.write_text(STRICT)
    return path


@pytest.fixture
async def router(database: Database, embedded_bus: EmbeddedBus, file: Path) -> AsyncIterator[Router]:
    async with running(file, database, embedded_bus) as router:
        yield router


async def simulated(router: Router, version: int = 2, **wanted: Any) -> dict[str, Any]:
    """The simulation, once this version is in force."""
    async with asyncio.timeout(60):
        while True:
            answer = await router.client.post("/v1/re-judge", json=wanted)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if found["agreement"]["version"] == version:
                return found
            await asyncio.sleep(0.02)


async def finished(router: Router, rejudging: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found: dict[str, Any] = (await router.client.get(f"/v1/re-judge/{rejudging}")).json()
            if found["state"] not in ("simulated", "applying"):
                return found
            await asyncio.sleep(0.02)


async def nothing_differs(router: Router) -> None:
    """A simulation of the recorded history comes to what was recorded."""
    async with router.database.read() as tx:
        now = await router.database.now(tx)
    summary = await simulate(router.database, Plan(None, None, None, now))
    assert (summary.leads > 0, summary.differ) == (True, 0)


async def test_rejected_leads_are_judged_again_after_a_simulation_with_proofs_that_say_so(
    router: Router, file: Path
) -> None:
    await router.publish(*(inquiry(n) for n in (1, 2, 3)), inquiry(4, test=True))
    assert len(ones(await router.wait_for(4), LeadRejected)) == 4
    await router.publish(activity(3, "consent_withdrawn"))
    await router.lead("ld_3", lambda lead: lead["version"] == 2)
    file.write_text(LENIENT)  # noqa: ASYNC240
    looked = await simulated(router)
    assert looked["simulated"]["changes"] == {"rejected": {"assigned": 2}}
    assert {each["lead_id"]: (each["before"], each["after"]) for each in looked["simulated"]["first"]} == {
        "ld_1": ("rejected", "assigned"),
        "ld_2": ("rejected", "assigned"),
    }
    assert (await router.client.get("/v1/leads/ld_1")).json()["state"] == "rejected"
    started_at = datetime.now(UTC)
    wanted = {"simulation": looked["id"], "reason": "the threshold was too high", "by": "ANN@acme.example"}
    answer = await router.client.post("/v1/re-judge", json=wanted)
    assert (answer.status_code, answer.json()["state"], answer.json()["by"]) == (200, "applying", "ann")
    assert not any("after" in each for each in (looked, answer.json(), await finished(router, looked["id"])))
    events = ones(await router.wait_for(2), LeadAssigned)
    assert sorted((event.lead_id, event.because, event.agreement.version) for event in events) == [
        ("ld_1", "rejudged", 2),
        ("ld_2", "rejudged", 2),
    ]
    assert all(event.assigned_at >= started_at for event in events)
    assert [event.respond_by for event in events] == [event.assigned_at + timedelta(minutes=15) for event in events]
    done = await finished(router, looked["id"])
    assert (done["state"], done["applied"]["changes"]) == ("applied", {"rejected": {"assigned": 2}})
    assert (await router.client.post("/v1/re-judge", json=wanted)).json() == done
    verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert [verdict["follows"] for verdict in verdicts] == [True, True]
    assert verdicts[1]["reason"].startswith(
        "judged again under test version 2 by ann, because of “the threshold was too high”: rule 'everyone else' "
    )
    for untouched in ("ld_3", "ld_4"):
        assert (await router.client.get(f"/v1/leads/{untouched}")).json()["state"] == "rejected"
    await nothing_differs(router)


async def test_a_lead_is_judged_again_on_its_earlier_inquiry_too(router: Router, file: Path) -> None:
    for each in (inquiry(1), inquiry(1, 2, kind="newsletter")):
        await router.publish(each)
        await router.wait_for(1)
    file.write_text(LENIENT)  # noqa: ASYNC240
    looked = await simulated(router)
    assert looked["simulated"]["changes"] == {"rejected": {"assigned": 1}}
    await router.client.post("/v1/re-judge", json={"simulation": looked["id"], "reason": "too strict"})
    [event] = ones(await router.wait_for(1), LeadAssigned)
    assert (event.inquiry_id, event.score) == ("inq_1_1", 40)
    await router.publish(activity(1, "declined", by=event.rep.id))
    [moved] = ones(await router.wait_for(1), LeadReassigned)
    assert moved.inquiry_id == "inq_1_1"
    verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert [verdict["follows"] for verdict in verdicts] == [True] * 4
    await nothing_differs(router)


async def test_only_what_was_simulated_can_be_applied(router: Router, file: Path) -> None:
    await router.publish(inquiry(1))
    await router.wait_for(1)
    before = await simulated(router, version=1)
    assert before["simulated"]["changes"] == {"rejected": {"rejected": 1}}

    async def refused(**wanted: Any) -> int:
        return (await router.client.post("/v1/re-judge", json=wanted)).status_code

    assert await refused(simulation="unknown", reason="why") == 404
    assert await refused(simulation=before["id"]) == 422
    assert await refused(simulation=before["id"], reason="why", by="nobody-known") == 422
    assert await refused(simulation=before["id"], reason="why", statuses=["parked"]) == 409
    assert await refused(simulation=before["id"], reason="why", **{"from": "2026-01-01T00:00:00Z"}) == 409
    assert await refused(**{"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}) == 422
    assert await refused(statuses=["closed"]) == 422
    file.write_text(LENIENT)  # noqa: ASYNC240
    after = await simulated(router)
    assert await refused(simulation=before["id"], reason="why") == 409
    assert await refused(simulation=after["id"], reason="why", to="2026-01-01T00:00:00Z") == 409
    assert await refused(simulation=after["id"], reason="why", to="2099-12-31T00:00:00+00:00") == 200
    assert ones(await router.wait_for(1), LeadAssigned)[0].lead_id == "ld_1"


async def test_a_rejudging_that_was_cut_off_goes_on_where_it_was_and_judges_no_lead_twice(
    database: Database, embedded_bus: EmbeddedBus, file: Path
) -> None:
    number = BATCH + 20
    async with running(file, database, embedded_bus) as router:
        await router.publish(*(inquiry(n) for n in range(number)))
        assert len(ones(await router.wait_for(number), LeadRejected)) == number
        file.write_text(LENIENT)  # noqa: ASYNC240
        await simulated(router)
    # A process that ends between two batches.
    lenient = agreement_file.parse(LENIENT, "test.yaml").agreement
    first = Rejudgings(database, RoutingTransactions(database, lambda _: lenient), ())
    looked = await first.simulate(Wanted())
    await first.apply(looked.id, Wanted(), reason="too strict", by=None, sender="ops")
    assert await first.apply_batch()
    left = await first.find(looked.id)
    assert (left.state, left.applied and left.applied.leads) == ("applying", BATCH)
    async with running(file, database, embedded_bus, group="again") as router:
        done = await finished(router, looked.id)
        assert (done["state"], done["applied"]["changes"]) == ("applied", {"rejected": {"assigned": number}})
        events = ones(await router.wait_for(2 * number), LeadAssigned)
        assert len({event.lead_id for event in events}) == len(events) == number
        await nothing_differs(router)


async def test_a_rejudging_stops_when_another_version_comes_into_force(
    database: Database, embedded_bus: EmbeddedBus, file: Path
) -> None:
    async with running(file, database, embedded_bus) as router:
        await router.publish(inquiry(1))
        await router.wait_for(1)
    strict, lenient = (agreement_file.parse(text, "test.yaml").agreement for text in (STRICT, LENIENT))
    in_force = [lenient]
    rejudgings = Rejudgings(database, RoutingTransactions(database, lambda _: in_force[0]), ())
    looked = await rejudgings.simulate(Wanted())
    await rejudgings.apply(looked.id, Wanted(), reason="too strict", by=None, sender="ops")
    in_force[0] = strict
    assert not await rejudgings.apply_batch()
    left = await rejudgings.find(looked.id)
    assert (left.state, left.why) == ("stopped", "another version of the agreement came into force")
