"""What sales' own words change about a lead."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from services.router.domain.decision import decide
from services.router.domain.lead import Lead, comes_before, followed_by
from services.router.domain.routing_state import RoutingState
from shared.domain.events import LeadAssigned
from tests.kit import events
from tests.kit.agreements import agreement
from tests.kit.events import NINE, after

AGREED = agreement()
LATER = NINE + timedelta(days=1)


def ended(lead: Lead, kind: str, accepted_at: datetime, by: str = "ann") -> Lead | None:
    return followed_by(lead, events.activity(kind=kind, by=by, accepted_at=accepted_at), LATER)


@pytest.mark.parametrize("kind", ["rejected", "won", "lost"])
def test_the_rep_before_can_end_a_lead_that_has_moved_on(kind: str) -> None:
    lead = decide(RoutingState(), AGREED, events.inquiry(), NINE).lead
    moved = replace(lead, rep="bob", generation=2, assigned_at=after(10))
    found = ended(moved, kind, after(9))
    assert found is not None
    assert (found.state, found.outcome, found.ended_at) == ("closed", kind, after(9))


def test_how_a_lead_ended_before_it_came_back_does_not_end_it_again() -> None:
    routing = RoutingState()
    closed = ended(decide(routing, AGREED, events.inquiry(), NINE).lead, "rejected", after(9))
    assert closed is not None
    routing.save(closed)
    verdict = decide(routing, AGREED, events.inquiry(number=2, accepted_at=after(10)), after(11))
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.lead.cycle, verdict.event.previous_ended_at) == (2, after(9))
    assert ended(verdict.lead, "won", after(9)) is None
    assert ended(verdict.lead, "won", after(9.9)) is None
    assert ended(verdict.lead, "won", after(10)) is not None


def test_a_fact_from_before_the_first_inquiry_waits_for_an_earlier_one() -> None:
    lead = decide(RoutingState(), AGREED, events.inquiry(), NINE).lead
    fact = events.activity(kind="rejected", accepted_at=after(-1))
    assert comes_before(None, fact)
    assert comes_before(lead, fact)
    assert not comes_before(lead, replace(fact, accepted_at=NINE))
    assert not comes_before(replace(lead, cycle=2), fact)
