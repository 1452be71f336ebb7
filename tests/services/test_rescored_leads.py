"""A demo request after a newsletter makes an owned lead hot, with a clock, live and in a simulation."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import LeadAssigned, LeadMerged, LeadReassigned
from tests.kit.agreements import agreement_text
from tests.services.replayed_kit import differences, kinds_of_asks, missed, windows_of
from tests.services.router_kit import inquiry, running
from tests.services.simulation_kit import SPRING, MovedClock, past, version


async def test_a_hotter_inquiry_reaches_the_owner_with_score_and_deadline(
    database: Database, embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text())
    async with running(file, database, embedded_bus) as router:
        await router.publish(inquiry(1, kind="newsletter"))
        [first] = await router.wait_for(1)
        assert isinstance(first, LeadAssigned)
        await router.publish(inquiry(1, 2, kind="demo_request"))
        joined, event = await router.wait_for(2)
        assert isinstance(joined, LeadMerged)
        assert isinstance(event, LeadReassigned)
        assert (event.because, event.rep, event.score) == ("rescored", first.rep, 40)
        assert (joined.score, event.respond_by) == (40, event.assigned_at + timedelta(minutes=15))
        found = (await router.client.get("/v1/leads/ld_1")).json()
        assert (found["owner"]["rep"], found["score"]) == (first.rep.id, 40)
        verdicts = (await router.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
        assert [verdict["follows"] for verdict in verdicts] == [True, True, True]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(SPRING + timedelta(hours=2))


async def test_the_promises_of_a_hotter_lead_run_again_and_a_simulation_gives_no_difference(
    moved: Database, embedded_bus: EmbeddedBus, clock: MovedClock, tmp_path: Path
) -> None:
    async with past(tmp_path, moved, embedded_bus, clock, version(score=0)) as lived:
        await lived.inquire("p1", kind="newsletter")
        await lived.act("p1", "call", by="eve")
        await lived.later(minutes=30)
        await lived.inquire("p1")
        assert await windows_of(lived) == [
            (1, "disposition", "open"),
            (1, "first_response", "met"),
            (2, "first_response", "open"),
        ]
        await lived.later(hours=40)
        await lived.settled()
        assert await kinds_of_asks(lived) == {"rescored"}
        assert {lead: sorted(names) for lead, names in (await missed(lived)).items()} == {
            "p1": ["disposition", "first_response"]
        }
        assert (await lived.leads())["p1"].score == 40
        summary, found = await differences(lived)
        assert (summary.leads, found) == (1, {})
