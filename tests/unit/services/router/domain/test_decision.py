"""Every inquiry gets one verdict, with reasons."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.router.domain.assignment import Turns
from services.router.domain.decision import decide, move
from services.router.domain.proof import explained
from shared.domain.events import InquiryReceived, LeadAssigned, LeadMerged, LeadReassigned, LeadRejected, MoveRequested
from shared.domain.lead import Company, Consent, Contact
from tests.agreements import agreement

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AGREED = agreement()


def inquiry(number: int = 1, **changes: object) -> InquiryReceived:
    fields = {
        "lead_id": "ld_1",
        "inquiry_id": f"inq_{number}",
        "source": "website",
        "kind": "demo_request",
        "accepted_at": NOW,
        "contact": Contact(email="jo@example.com", seniority="director"),
        "company": Company(name="Example", employees=20),
        "consent": Consent(basis="opt_in"),
    }
    return InquiryReceived(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_good_lead_goes_to_the_rep_whose_turn_it_is_with_score_reasons_and_deadline() -> None:
    turns: dict[str, Turns] = {}
    verdict = decide(AGREED, inquiry(), None, turns, NOW)
    event = verdict.event
    assert isinstance(event, LeadAssigned)
    assert (event.rep.id, event.pool, event.rule, event.score) == ("ann", "benelux", "everyone else", 65)
    assert event.reasons == ("asked for a demo", "decision maker")
    assert event.respond_by == NOW + timedelta(minutes=15)
    assert (event.generation, event.lead_version, event.agreement.hash) == (1, 1, AGREED.hash)
    assert turns["benelux"].taken == {"ann": 1}


def test_the_proof_names_what_was_tried_and_why_each_candidate_was_passed_over() -> None:
    shown = explained(decide(AGREED, inquiry(), None, {}, NOW).proof, AGREED)
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
    shown = explained(decide(AGREED, inquiry(consent=None), None, {}, NOW).proof, AGREED)
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
def test_an_inquiry_outside_the_definition_is_rejected_with_the_clause(changes: dict[str, object], reason: str) -> None:
    verdict = decide(AGREED, inquiry(**changes), None, {}, NOW)
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason == reason
    assert verdict.lead.state == "rejected"


def test_a_lead_below_the_agreed_score_is_rejected() -> None:
    verdict = decide(agreement(score=60), inquiry(kind="newsletter"), None, {}, NOW)
    assert verdict.proof.reason == "score: 25 points, the agreement asks for 60"


def test_the_same_person_joins_the_lead_and_no_turn_is_taken() -> None:
    turns: dict[str, Turns] = {}
    first = decide(AGREED, inquiry(1), None, turns, NOW)
    again = decide(AGREED, inquiry(2, contact=Contact(email="jo@example.com", phone="+32470")), first.lead, turns, NOW)
    assert isinstance(again.event, LeadMerged)
    assert (again.event.rep, again.event.lead_version) == ("ann", 2)
    assert again.lead.contact.phone == "+32470"
    assert again.lead.contact.seniority == "director"
    assert turns["benelux"].number == 1


def test_a_test_inquiry_shows_where_it_would_go_and_nobody_gets_it() -> None:
    turns: dict[str, Turns] = {}
    verdict = decide(AGREED, inquiry(test=True), None, turns, NOW)
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason == "a test: valid, rule 'everyone else' would send it to benelux"
    assert turns == {}


def test_a_rejected_person_is_judged_anew_when_they_ask_again() -> None:
    refused = decide(AGREED, inquiry(1, consent=None), None, {}, NOW)
    verdict = decide(AGREED, inquiry(2), refused.lead, {}, NOW)
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.event.lead_version, verdict.event.generation) == (2, 1)


def asked(generation: int = 1) -> MoveRequested:
    return MoveRequested(lead_id="ld_1", window_id="w", owner="ann", generation=generation, within="pool", at=NOW)


def test_a_missed_lead_moves_to_another_member_of_the_pool() -> None:
    turns: dict[str, Turns] = {}
    first = decide(AGREED, inquiry(), None, turns, NOW)
    moved = move(AGREED, asked(), first.lead, turns, NOW + timedelta(minutes=30))
    assert moved is not None
    assert isinstance(moved.event, LeadReassigned)
    assert (moved.event.rep.id, moved.event.previous_rep, moved.event.generation) == ("bob", "ann", 2)
    assert moved.event.respond_by == NOW + timedelta(minutes=45)
    assert moved.proof.turn is not None
    assert moved.proof.turn.passed_over == {"ann": "had the lead and missed the promise"}


def test_a_lead_that_everybody_in_the_pool_missed_stays_where_it_is() -> None:
    turns: dict[str, Turns] = {}
    first = decide(AGREED, inquiry(), None, turns, NOW)
    second = move(AGREED, asked(), first.lead, turns, NOW)
    assert second is not None
    assert second.lead.missed_by == ("ann",)
    assert move(AGREED, asked(generation=2), second.lead, turns, NOW) is None


def test_a_lead_does_not_move_twice_for_one_ask_nor_when_it_is_closed_nor_out_of_a_pool_of_one() -> None:
    first = decide(AGREED, inquiry(), None, {}, NOW).lead
    assert move(AGREED, asked(generation=2), first, {}, NOW) is None
    assert move(AGREED, asked(), replace(first, state="closed"), {}, NOW) is None
    alone = decide(AGREED, inquiry(company=Company(name="Big", employees=5000)), None, {}, NOW).lead
    assert alone.rep == "cleo"
    assert move(AGREED, asked(), alone, {}, NOW) is None
