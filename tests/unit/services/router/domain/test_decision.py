"""Every inquiry gets one verdict, with reasons."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.router.domain.decision import decide
from services.router.domain.formats import OLDEST_FORMAT
from services.router.domain.lead import followed_by
from services.router.domain.proof import Proof, ReassignReason, explained
from services.router.domain.reassignment import reassign
from services.router.domain.rederivation import differences
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict
from shared import agreement_file
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived, LeadAssigned, LeadMerged, LeadReassigned, LeadRejected
from shared.domain.lead import Company, Contact
from tests.kit import events
from tests.kit.agreements import agreement, agreement_text

NOW = events.NINE
AGREED = agreement()
NUMBERS = agreement_file.parse(
    agreement_text().replace("    minimum_data: [contact.email]\n", ""), "test.yaml"
).agreement
"""As `AGREED`, for people who give an address or a number."""
SWITCHBOARD = "+3225551212"


def inquiry(number: int = 1, **changes: Any) -> InquiryReceived:
    contact = Contact(email="jo@example.com", seniority="director")
    ordinary: dict[str, Any] = {
        "inquiry_id": f"inq_{number}",
        "contact": contact,
        "company": Company(name="Example", employees=20),
    }
    return events.inquiry(**ordinary | changes)


def decided(
    agreed: Agreement, asked: InquiryReceived, routing: RoutingState | None = None, now: datetime = NOW
) -> Verdict:
    """The verdict; whatever it is, it has to follow from its own record."""
    verdict = decide(routing or RoutingState(), agreed, asked, now)
    assert differences(verdict.proof, agreed) == ()
    return verdict


def moved(routing: RoutingState, cause: ReassignReason, now: datetime = NOW) -> Verdict | None:
    lead = routing.leads["ld_1"]
    verdict = reassign(routing, AGREED, cause, lead, inquiry(), now)
    assert verdict is None or differences(verdict.proof, AGREED) == ()
    return verdict


def test_a_good_lead_goes_to_the_rep_whose_turn_it_is_with_score_reasons_and_deadline() -> None:
    routing = RoutingState()
    verdict = decided(AGREED, inquiry(), routing)
    event = verdict.event
    assert isinstance(event, LeadAssigned)
    assert (event.rep.id, event.pool, event.rule, event.score) == ("ann", "benelux", "everyone else", 65)
    assert event.reasons == ("asked for a demo", "decision maker")
    assert event.respond_by == NOW + timedelta(minutes=15)
    assert (event.generation, event.lead_version, event.agreement.hash) == (1, 1, AGREED.hash)
    assert routing.turns["benelux"].taken == {"ann": 1}
    assert routing.reps["ann"].open == 1


def test_the_proof_names_what_was_tried_and_why_each_candidate_was_passed_over() -> None:
    shown = explained(decided(AGREED, inquiry()).proof, AGREED)
    assert [check["part"] for check in shown["qualification"]] == [
        "minimum data: contact.email",
        "consent: opt_in",
        "not excluded: student",
        "score: 65 of 0",
    ]
    assert [(rule["part"], rule["passed"]) for rule in shown["routing"]] == [("large", False), ("everyone else", True)]
    [compared] = shown["routing"][0]["compared"]
    assert compared == {
        "field": "company.employees",
        "op": ">=",
        "expected": 1000,
        "outcome": "not_matched",
        "seen": 20,
    }
    assert (shown["turn"]["rep"], shown["turn"]["weights"]) == ("ann", {"ann": 2, "bob": 1})
    assert shown["turn"]["passed_over"] == {"bob": "not their turn"}


def test_the_proof_of_a_rejection_ends_with_the_part_that_failed() -> None:
    shown = explained(decided(AGREED, inquiry(consent=None)).proof, AGREED)
    assert [(c["part"], c["passed"]) for c in shown["qualification"]] == [
        ("minimum data: contact.email", True),
        ("consent: none", False),
    ]
    assert "routing" not in shown


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"contact": Contact(phone="+3224567890")}, "minimum data: contact.email is missing"),
        ({"consent": None}, "consent: none given, the agreement asks for opt_in"),
        ({"contact": Contact(email="s@example.com", seniority="student")}, "excluded: student"),
    ],
)
def test_an_inquiry_outside_the_definition_is_rejected_with_the_clause(changes: dict[str, Any], reason: str) -> None:
    verdict = decided(AGREED, inquiry(**changes))
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason == reason
    assert verdict.lead.state == "rejected"


def test_a_lead_below_the_agreed_score_is_rejected() -> None:
    verdict = decided(agreement(score=60), inquiry(kind="newsletter"))
    assert verdict.proof.reason == "score: 25 points, the agreement asks for 60"


def test_the_same_person_joins_the_lead_and_no_turn_is_taken() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1), routing)
    again = decided(AGREED, inquiry(2, contact=Contact(email="jo@example.com", phone="+32470")), routing)
    assert isinstance(again.event, LeadMerged)
    assert (again.event.rep, again.event.lead_version, again.event.inquiry_id) == ("ann", 2, "inq_2")
    assert again.lead.contact.phone == "+32470"
    assert again.lead.contact.seniority == "director"
    assert routing.turns["benelux"].number == 1


def test_an_inquiry_accepted_before_the_first_one_that_was_read_moves_the_start_of_its_lead() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1), routing)
    for number, minutes, given in ((2, 2, None), (3, -5, -5), (4, -3, None), (5, -5, None), (6, -8, -8)):
        event = decided(AGREED, inquiry(number, accepted_at=NOW + timedelta(minutes=minutes)), routing).event
        assert isinstance(event, LeadMerged)
        assert event.received_at == (None if given is None else NOW + timedelta(minutes=given))
    assert routing.leads["ld_1"].received_at == NOW - timedelta(minutes=8)
    assert routing.leads["ld_1"].inquiry_id == "inq_1"


def test_an_inquiry_from_before_a_lead_came_back_does_not_move_its_start() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1), routing)
    earlier = NOW - timedelta(minutes=5)
    routing.save(replace(routing.leads["ld_1"], state="closed"))
    decided(AGREED, inquiry(3, accepted_at=NOW + timedelta(days=1)), routing)
    joined = decided(AGREED, inquiry(4, accepted_at=earlier), routing)
    assert isinstance(joined.event, LeadMerged)
    assert (joined.event.received_at, joined.lead.received_at) == (None, NOW + timedelta(days=1))


def test_a_test_inquiry_shows_where_it_would_go_and_nobody_gets_it() -> None:
    routing = RoutingState()
    verdict = decided(AGREED, inquiry(test=True), routing)
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason == "a test: valid, rule 'everyone else' would send it to benelux"
    assert (routing.turns, routing.reps) == ({}, {})


@pytest.mark.parametrize("outcome", ["won", "lost", "rejected"])
def test_a_rejected_inquiry_leaves_a_closed_lead_as_it_was(outcome: str) -> None:
    routing = RoutingState()
    first = decided(AGREED, inquiry(1), routing)
    closed = replace(first.lead, version=2, state="closed", outcome=outcome, stage="opportunity")
    routing.save(closed)
    verdict = decided(AGREED, inquiry(2, consent=None), routing)
    assert isinstance(verdict.event, LeadRejected)
    assert (verdict.event.stays, verdict.event.inquiry_id, verdict.event.stage) == ("closed", "inq_2", "inquiry")
    assert verdict.proof.reason == "consent: none given, the agreement asks for opt_in"
    assert routing.leads["ld_1"] == replace(closed, version=3)
    back = decided(AGREED, inquiry(3), routing)
    assert (back.lead.state, back.lead.cycle, back.lead.version) == ("assigned", 2, 4)


def test_a_verdict_made_before_these_rules_still_follows_from_its_record() -> None:
    routing = RoutingState(proof_format=OLDEST_FORMAT)
    first = decide(routing, AGREED, inquiry(1), NOW)
    joined = decide(routing, AGREED, inquiry(2, test=True), NOW)
    routing.save(replace(joined.lead, version=3, state="closed", outcome="won"))
    rejected = decide(routing, AGREED, inquiry(3, consent=None), NOW)
    assert [each.proof.verdict for each in (first, joined, rejected)] == ["assigned", "merged", "rejected"]
    assert rejected.lead.state == "rejected"
    for verdict in (first, joined, rejected):
        stored = msgspec.json.encode(verdict.proof)
        assert b'"format"' not in stored
        assert differences(msgspec.json.decode(stored, type=Proof), AGREED) == ()


def test_a_rejected_person_is_judged_again_when_they_ask_again() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1, consent=None), routing)
    verdict = decided(AGREED, inquiry(2), routing)
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.event.lead_version, verdict.event.generation, verdict.event.cycle) == (2, 1, 1)


def test_a_lead_that_sales_ended_begins_a_new_cycle_when_the_person_comes_back() -> None:
    routing = RoutingState()
    first = decided(AGREED, inquiry(1), routing)
    routing.save(replace(first.lead, version=2, state="closed", outcome="lost"))
    assert routing.reps["ann"].open == 0
    verdict = decided(AGREED, inquiry(2), routing)
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.event.generation, verdict.event.cycle) == (2, 2)


def test_an_inquiry_from_before_sales_ended_the_lead_joins_it_although_it_is_read_later() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(), routing)
    end = followed_by(routing.leads["ld_1"], events.activity("ld_1", "won", accepted_at=events.after(5)), NOW)
    assert end is not None
    routing.save(end)
    verdict = decided(AGREED, inquiry(2, accepted_at=events.after(4)), routing, events.after(6))
    assert (verdict.proof.verdict, verdict.lead.state, verdict.lead.outcome) == ("merged", "closed", "won")
    assert verdict.proof.reason.endswith("sales has ended it since")
    again = decided(AGREED, inquiry(3, accepted_at=events.after(7)), routing, events.after(8))
    assert (again.proof.verdict, again.lead.cycle, again.lead.ended_at) == ("assigned", 2, events.after(5))


def person(email: str | None, first: str | None, last: str | None = None, phone: str | None = SWITCHBOARD) -> Contact:
    return Contact(email=email, phone=phone, first_name=first, last_name=last)


def asked_by(routing: RoutingState, number: int, contact: Contact) -> Verdict:
    return decided(NUMBERS, inquiry(number, lead_id=f"ld_{number}", contact=contact), routing)


def test_a_number_with_another_address_and_another_name_links_two_people_and_merges_nobody() -> None:
    routing = RoutingState()
    asked_by(routing, 1, person("ann@example.com", "Ann", "Peeters"))
    verdict = asked_by(routing, 2, person("bob@example.com", "Bob", "Maes"))
    assert (verdict.lead.state, verdict.lead.maybe_same_person) == ("assigned", ("ld_1",))
    assert isinstance(verdict.event, LeadAssigned)
    assert verdict.event.maybe_same_person == ("ld_1",)
    assert explained(verdict.proof, NUMBERS)["maybe_same_person"] == ["ld_1"]
    again = asked_by(routing, 3, person("ann@example.com", None))
    assert (again.lead.lead_id, again.lead.maybe_same_person) == ("ld_1", ("ld_2",))


@pytest.mark.parametrize(
    "second",
    [
        person("private@example.com", "ann", "PEETERS"),
        person("private@example.com", "Peeters", "Ann"),
        person("private@example.com", "Ann"),
        person("private@example.com", None),
        person(None, "Bob"),
        person("ann@example.com", "Bob", "Maes"),
    ],
)
def test_the_same_number_with_the_same_name_or_address_or_without_either_is_one_person(second: Contact) -> None:
    routing = RoutingState()
    asked_by(routing, 1, person("ann@example.com", "Ann", "Peéters"))
    assert asked_by(routing, 2, second).lead.lead_id == "ld_1"


def test_where_several_people_have_a_number_the_name_says_who_calls() -> None:
    routing = RoutingState()
    asked_by(routing, 1, person("ann@example.com", "Ann"))
    asked_by(routing, 2, person("bob@example.com", "Bob"))
    assert asked_by(routing, 3, person(None, "Bob")).lead.lead_id == "ld_2"
    nameless = asked_by(routing, 4, person(None, None))
    assert (nameless.lead.lead_id, nameless.lead.maybe_same_person) == ("ld_4", ("ld_1", "ld_2"))


def test_a_number_that_many_people_have_finds_no_more_of_them() -> None:
    routing = RoutingState()
    for number in range(1, 16):
        verdict = asked_by(routing, number, person(f"p{number}@example.com", f"Name{number}"))
        assert len(verdict.lead.maybe_same_person) == min(number - 1, 10)
    assert len(routing.persons[f"p:{SWITCHBOARD}"]) == 10
    assert asked_by(routing, 16, person("p15@example.com", None)).lead.lead_id == "ld_15"


def test_a_number_that_is_filled_in_at_a_crowded_switchboard_finds_nobody_either() -> None:
    routing = RoutingState()
    for number in range(1, 11):
        asked_by(routing, number, person(f"p{number}@example.com", f"Name{number}"))
    asked_by(routing, 11, person("p11@example.com", "Name11", phone=None))
    assert asked_by(routing, 11, person("p11@example.com", "Name11")).lead.number_shared
    assert len(routing.persons[f"p:{SWITCHBOARD}"]) == 10


def test_an_inquiry_that_joins_announces_what_the_person_gave() -> None:
    routing = RoutingState()
    asked_by(routing, 1, person("ann@example.com", "Ann"))
    event = asked_by(routing, 2, person("private@example.com", "Ann")).event
    assert isinstance(event, LeadMerged)
    assert (event.contact, event.kind) == (person("private@example.com", "Ann"), "demo_request")


def test_a_missed_lead_moves_to_another_member_of_the_pool() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(), routing)
    second = moved(routing, ReassignReason("missed"), NOW + timedelta(minutes=30))
    assert second is not None
    assert isinstance(second.event, LeadReassigned)
    assert (second.event.rep.id, second.event.previous_rep, second.event.generation) == ("bob", "ann", 2)
    assert second.event.respond_by == NOW + timedelta(minutes=45)
    assert second.proof.turn is not None
    assert second.proof.turn.passed_over == {"ann": "had the lead and missed the promise"}
    assert (routing.reps["ann"].open, routing.reps["bob"].open) == (0, 1)


def test_a_lead_that_everyone_in_the_pool_missed_stays_where_it_is() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(), routing)
    second = moved(routing, ReassignReason("missed"))
    assert second is not None
    assert second.lead.missed_by == ("ann",)
    assert moved(routing, ReassignReason("missed")) is None


def test_a_lead_in_a_pool_of_one_stays_when_it_is_missed() -> None:
    routing = RoutingState()
    alone = decided(AGREED, inquiry(company=Company(name="Big", employees=5000)), routing).lead
    assert alone.rep == "cleo"
    assert moved(routing, ReassignReason("missed")) is None
