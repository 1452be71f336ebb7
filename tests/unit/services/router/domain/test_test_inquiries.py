"""A test inquiry is judged and shown, and touches nobody's lead."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.routing_state import RoutingState
from shared.domain.events import LeadAssigned, LeadMerged, LeadRejected
from shared.domain.lead import Contact
from tests.unit.services.router.domain.test_decision import AGREED, NOW, decided, inquiry


@pytest.mark.parametrize("state", ["assigned", "parked", "rejected", "closed"])
@pytest.mark.parametrize(
    "changes", [{}, {"consent": None}, {"contact": Contact(email="jo@example.com", phone="+32470")}]
)
def test_a_test_inquiry_leaves_a_real_lead_as_it_was(state: Any, changes: dict[str, Any]) -> None:
    routing = RoutingState()
    first = decided(AGREED, inquiry(1), routing).lead
    lead = replace(first, version=2, state=state, rep=None if state in ("parked", "rejected") else "ann")
    routing.save(lead)
    reps, waiting = dict(routing.reps), dict(routing.waiting)
    verdict = decided(AGREED, inquiry(2, test=True, accepted_at=NOW - timedelta(hours=1), **changes), routing)
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason.startswith("a test: ")
    assert (verdict.event.inquiry_id, verdict.event.stays, verdict.event.lead_version) == ("inq_2", state, 3)
    assert routing.leads["ld_1"] == replace(lead, version=3)
    assert (routing.reps, routing.waiting, routing.turns["benelux"].number) == (reps, waiting, 1)


def test_a_lead_of_tests_is_no_part_of_a_persons_lead() -> None:
    routing = RoutingState()
    both = Contact(email="jo@example.com", phone="+32470", job_title="Tester")
    tried = decided(AGREED, inquiry(1, lead_id="ld_test", contact=both, test=True), routing)
    assert (tried.lead.test, tried.lead.pilot, tried.lead.state) == (True, None, "rejected")
    real = decided(AGREED, inquiry(2), routing)
    assert isinstance(real.event, LeadAssigned)
    assert (real.lead.lead_id, real.lead.contact.job_title, real.further_events) == ("ld_1", None, ())
    decided(AGREED, inquiry(3, contact=Contact(phone="+32470"), lead_id="ld_1"), routing)
    decided(AGREED, inquiry(4, lead_id="ld_test", contact=both, test=True), routing)
    assert (routing.leads["ld_test"].version, routing.leads["ld_test"].test) == (2, True)


def test_a_real_inquiry_under_the_id_of_a_test_begins_as_if_there_had_been_no_test() -> None:
    fresh, routing = RoutingState(), RoutingState()
    decided(AGREED, inquiry(1, test=True, contact=Contact(email="jo@example.com", job_title="Tester")), routing)
    real, alone = decided(AGREED, inquiry(2), routing), decided(AGREED, inquiry(2), fresh)
    assert real.lead == replace(alone.lead, version=2)
    assert isinstance(real.event, LeadAssigned)


def test_a_person_found_by_number_takes_over_the_id_of_a_test() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1, contact=Contact(email="jo@example.com", phone="+32470")), routing)
    number = Contact(phone="+32470")
    decided(AGREED, inquiry(2, lead_id="ld_number", contact=number, test=True), routing)
    joined = decided(AGREED, inquiry(3, lead_id="ld_number", contact=number), routing)
    assert isinstance(joined.event, LeadMerged)
    assert (joined.event.lead_id, joined.event.into, joined.event.was) == ("ld_number", "ld_1", None)
    assert routing.lead("ld_number") == routing.leads["ld_1"]
