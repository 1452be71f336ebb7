"""An inquiry that several ingest processes accepted starts its lead with the first acceptance, whichever is read first:
the router, the monitor and the scoreboard on a real log and both databases.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.domain.events import (
    BreachRetracted,
    InquiryReceived,
    LeadAssigned,
    LeadBackdated,
    LeadMerged,
    LeadReassigned,
    WindowBreached,
    WindowMet,
)
from shared.domain.lead import Company, Contact
from tests.kit import services
from tests.kit.waiting import until_right
from tests.services.baton_kit import Baton, run_baton
from tests.services.router_kit import activity, inquiry

BOTH = Contact(email="p1@example.com", phone="+32470000000")
PHONE = Contact(phone=BOTH.phone)
OTHER = Contact(email="private@example.com", phone=BOTH.phone)


@pytest.fixture
async def baton(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> AsyncIterator[Baton]:
    async with run_baton(database, embedded_bus, tmp_path) as running:
        yield running


def accepted(ago_min: float, person: int = 1, number: int = 1, **changes: Any) -> InquiryReceived:
    """A copy of the inquiry, accepted so many minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=ago_min)
    return inquiry(person, number, accepted_at=at, company=Company(), **changes)


async def breached(baton: Baton, person: int = 1, **changes: Any) -> datetime:
    """A lead whose window is breached although someone called five minutes before; returns the instant of the call."""
    called_at = datetime.now(UTC) - timedelta(minutes=5)
    await baton.call(person, called_at)
    await baton.accept(accepted(0, person, **changes))
    await baton.wait_for(WindowBreached, len(baton.of(WindowBreached)) + 1)
    return called_at


async def test_an_earlier_copy_that_is_read_second_makes_the_call_in_between_count(baton: Baton) -> None:
    early = accepted(10)
    await baton.call(1, datetime.now(UTC) - timedelta(minutes=5))
    await baton.accept(accepted(0), early)
    [met] = await baton.wait_for(WindowMet)
    assert met.met_by == "act_1_call"
    [moved] = baton.of(LeadBackdated)
    assert (moved.lead_id, moved.lead_version, moved.received_at) == ("ld_1", 2, early.accepted_at)
    lead = await baton.lead()
    assert (lead["version"], lead["owner"]["generation"]) == (2, 1)
    reps = {item["rep"]: item["pools"] for item in (await baton.client.get("/v1/reps")).json()["items"]}
    assert sum(pools.get("benelux", {"turns": 0})["turns"] for pools in reps.values()) == 1
    [verdict] = (await baton.client.get("/v1/leads/ld_1/proof")).json()["verdicts"]
    assert verdict["follows"] is True
    await baton.balanced(received=1, assigned=1, merged=0)


async def test_a_breach_is_retracted_by_an_earlier_copy_and_other_copies_change_nothing(baton: Baton) -> None:
    called_at = await breached(baton)
    await baton.accept(accepted(-1), accepted(2), accepted(10), accepted(10), accepted(7))
    [retracted] = await baton.wait_for(BreachRetracted)
    assert retracted.at == called_at
    await baton.accept(accepted(0, number=2))
    [last] = await baton.wait_for(LeadMerged)
    # 2 minutes before the copy that was judged, then 10.
    assert [event.lead_version for event in baton.of(LeadBackdated)] == [2, 3]
    assert (last.lead_version, len(baton.of(LeadAssigned))) == (4, 1)
    await baton.balanced(received=2, assigned=1, merged=1)


@pytest.mark.parametrize("end", ["rejected", "moved"])
async def test_an_earlier_copy_disproves_a_breach_on_a_lead_that_has_ended_or_moved_since(
    baton: Baton, end: str
) -> None:
    await breached(baton)
    rep = baton.of(LeadAssigned)[0].rep.id
    if end == "moved":
        moved = await baton.client.post("/v1/leads/ld_1/move", json={"to": {"pool": "alone"}, "reason": "ill"})
        assert moved.status_code == 200
        await baton.wait_for(LeadReassigned)
    else:
        await services.publish(baton.bus, activity(1, "rejected", by=rep, reason="no_budget"))
        await until_right(lambda: is_state(baton, "closed"))
    before = await baton.lead()
    await baton.accept(accepted(10))
    await baton.wait_for(BreachRetracted)
    after = await baton.lead()
    assert after["version"] == before["version"] + 1
    assert (after["state"], after["owner"]) == (before["state"], before["owner"])
    assert len(baton.of(LeadAssigned)) == 1
    await baton.balanced(received=1, assigned=1)


async def is_state(baton: Baton, state: str) -> str | None:
    found = (await baton.lead())["state"]
    return None if found == state else f"it is {found}"


async def test_an_earlier_copy_of_an_inquiry_that_joined_another_lead_starts_that_lead(baton: Baton) -> None:
    await breached(baton, contact=BOTH)
    await baton.accept(accepted(0, 2, contact=PHONE))
    [joined] = await baton.wait_for(LeadMerged)
    assert (joined.lead_id, joined.into) == ("ld_2", "ld_1")
    await baton.accept(accepted(10, 2, contact=PHONE))
    await baton.wait_for(BreachRetracted)
    assert [event.lead_id for event in baton.of(LeadBackdated)] == ["ld_1"]
    await baton.balanced(received=2, assigned=1, merged=1)


async def test_an_earlier_copy_disproves_a_breach_on_a_lead_that_became_part_of_another(baton: Baton) -> None:
    await baton.accept(accepted(20, contact=Contact(email=BOTH.email)))
    await baton.wait_for(WindowBreached)
    await breached(baton, 2, contact=OTHER)
    await baton.accept(accepted(0, number=2, contact=BOTH))
    await baton.wait_for(LeadMerged, 2)
    await baton.accept(accepted(10, 2, contact=OTHER))
    # The call counts for the lead that goes on from the merge on, for the other one from the earlier start on.
    retracted = await baton.wait_for(BreachRetracted, 2)
    assert {event.lead_id for event in retracted} == {"ld_1", "ld_2"}
    assert [event.lead_id for event in baton.of(LeadBackdated)] == ["ld_2"]
    await baton.balanced(received=3, assigned=1, merged=2)


async def test_a_copy_of_an_inquiry_that_was_rejected_does_not_start_the_lead_that_came_later(baton: Baton) -> None:
    await baton.accept(accepted(10, consent=None))
    await baton.accept(accepted(5, number=2))
    [assigned] = await baton.wait_for(LeadAssigned)
    await baton.accept(accepted(10, consent=None), accepted(12, consent=None), accepted(0, number=3))
    [joined] = await baton.wait_for(LeadMerged)
    assert (joined.lead_version, baton.of(LeadBackdated)) == (assigned.lead_version + 1, [])
    await baton.balanced(received=3, assigned=1, merged=1, rejected=1)
