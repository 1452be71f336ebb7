"""A lead that sales accepts after rejecting it is its owner's again, with new promises, live and in a simulation."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.router.domain.lead import Lead
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadReassigned
from tests.kit.agreements import agreement_text
from tests.services.replayed_kit import differences, kinds_of_asks, windows_of
from tests.services.router_kit import activity, inquiry, running
from tests.services.simulation_kit import SPRING, MovedClock, past, version


async def test_an_accepted_rejection_gives_the_lead_back_to_its_owner(
    database: Database, embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text())
    async with running(file, database, embedded_bus) as router:
        await router.publish(inquiry(1))
        [first] = await router.wait_for(1)
        assert isinstance(first, LeadAssigned)
        await router.publish(activity(1, "rejected", by=first.rep.id, reason="no_budget"))
        await router.lead("ld_1", lambda lead: lead["state"] == "closed")
        accepted = activity(1, "accepted", by="mia")
        await router.publish(accepted)
        [event] = await router.wait_for(1)
        assert isinstance(event, LeadReassigned)
        assert (event.rep, event.because, event.cycle) == (first.rep, "reopened", 1)
        assert (event.assigned_at, event.respond_by) == (
            accepted.accepted_at,
            accepted.accepted_at + timedelta(minutes=15),
        )
        lead = (await router.client.get("/v1/leads/ld_1")).json()
        assert (lead["state"], lead["owner"]["rep"], lead["stage"]) == ("assigned", first.rep.id, "sal")
        verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
        assert [verdict["follows"] for verdict in verdicts] == [True, True]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(SPRING + timedelta(hours=2))


async def test_the_promises_of_a_reopened_lead_run_again_and_a_simulation_gives_no_difference(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version()) as lived:
        await lived.inquire("p1")
        await lived.later(minutes=5)
        await lived.act("p1", "rejected", by="ann", reason="no_budget")
        await lived.later(minutes=30)
        await lived.act("p1", "accepted", by="cleo")
        assert await windows_of(lived) == [
            (1, "disposition", "met"),
            (1, "first_response", "cancelled"),
            (2, "disposition", "met"),
            (2, "first_response", "open"),
        ]
        owner: Lead = (await lived.leads())["p1"]
        await lived.later(minutes=40)
        await lived.settled()
        after: Lead = (await lived.leads())["p1"]
        assert (2, "first_response", "breached") in await windows_of(lived)
        assert (after.generation, after.rep != owner.rep, after.missed_by) == (3, True, (owner.rep,))
        await lived.act("p1", "rejected", by=after.rep, reason="no_budget")
        await lived.act("p1", "accepted", by=after.rep)
        await lived.later(hours=40)
        await lived.settled()
        assert await kinds_of_asks(lived) == {"reopened", "missed"}
        summary, found = await differences(lived)
        assert (summary.leads, found) == (1, {})
