"""An inquiry is judged on all that is known of the person, and one that joins a lead can raise its score."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.decision import decide
from services.router.domain.rederivation import differences
from services.router.domain.routing_state import RoutingState
from shared import agreement_file
from shared.domain.agreement import Agreement, Duration, Segment
from shared.domain.events import InquiryReceived, LeadMerged, LeadReassigned
from shared.domain.lead import Company, Contact
from tests.kit.agreements import agreement_text
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, NUMBERS, inquiry
from tests.unit.services.router.recorded_router import RecordedRouter

NAMELESS = Contact(email="jo@example.com")


def asks(number: int, minutes: float, kind: str = "demo_request", **changes: Any) -> InquiryReceived:
    ordinary: dict[str, Any] = {"contact": NAMELESS, "accepted_at": after(minutes), "kind": kind}
    return inquiry(number, **ordinary | changes)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        yield router


def test_a_hotter_inquiry_raises_the_score_and_starts_the_owners_promises_again(router: RecordedRouter) -> None:
    [first] = router.ask(asks(1, 0, "newsletter"))
    assert (first.lead.state, first.lead.score) == ("assigned", 0)
    joined, again = router.ask(asks(2, 60), minutes=60)
    assert isinstance(joined.event, LeadMerged)
    assert (joined.event.score, joined.event.inquiry_id) == (40, "inq_2")
    event = again.event
    assert isinstance(event, LeadReassigned)
    assert (event.because, event.rep.id, event.previous_rep, event.generation) == ("rescored", "ann", "ann", 2)
    assert (event.score, event.reasons, event.inquiry_id) == (40, ("asked for a demo",), "inq_1")
    assert (event.assigned_at, event.respond_by) == (after(60), after(75))
    assert again.proof.reason == "another inquiry raised the score to 40; ann has it"
    assert (router.state.reps["ann"].open, router.state.reps["ann"].new_today) == (1, 1)


def test_an_inquiry_that_is_not_hotter_or_that_the_agreement_excludes_changes_no_score(router: RecordedRouter) -> None:
    router.ask(asks(1, 0))
    assert len(router.ask(asks(2, 10, "newsletter"), minutes=10)) == 1
    assert len(router.ask(asks(3, 20), minutes=20)) == 1
    student = Contact(email="jo@example.com", seniority="student")
    rules = tuple([dataclasses.replace(rule, add=90) for rule in AGREED.scoring])
    router.agreed = dataclasses.replace(AGREED, scoring=rules)
    [verdict] = router.ask(asks(4, 30, contact=student), minutes=30)
    assert (verdict.lead.score, verdict.lead.generation) == (40, 1)


def test_what_earlier_inquiries_showed_counts_for_a_later_one(router: RecordedRouter) -> None:
    director = Contact(email="jo@example.com", seniority="director")
    router.ask(asks(1, 0, "newsletter", contact=director))
    _, again = router.ask(asks(2, 10), minutes=10)
    assert (again.lead.score, again.lead.reasons) == (65, ("asked for a demo", "decision maker"))


def test_with_a_half_life_the_points_of_all_inquiries_add_up(router: RecordedRouter) -> None:
    demo, seniority = AGREED.scoring
    rules = (dataclasses.replace(demo, intent=True), dataclasses.replace(seniority, intent=True))
    router.agreed = dataclasses.replace(AGREED, half_life_s=3600, scoring=rules)
    router.ask(asks(1, 0))
    director = Contact(email="jo@example.com", seniority="director")
    _, again = router.ask(asks(2, 60, "newsletter", contact=director), minutes=60)
    assert (again.lead.score, again.lead.reasons) == (45, ("asked for a demo", "decision maker"))


@pytest.mark.parametrize("kinds", [("newsletter", "demo_request"), ("demo_request", "newsletter")])
def test_the_points_of_an_inquiry_that_the_agreement_excludes_are_not_remembered(
    router: RecordedRouter, kinds: tuple[str, str]
) -> None:
    text = agreement_text().replace(
        "contact.seniority, op: is, value: student", "inquiry.kind, op: is, value: demo_request"
    )
    router.agreed = dataclasses.replace(agreement_file.parse(text, "test.yaml").agreement, half_life_s=3600)
    for number, kind in enumerate((*kinds, "newsletter"), start=1):
        router.ask(asks(number, number, kind), minutes=number)
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert (lead.state, lead.score, lead.generation, lead.intents) == ("assigned", 0, 1, ())


def test_the_score_of_a_lead_that_waits_rises_and_its_next_owner_owes_what_it_asks_for(
    router: RecordedRouter,
) -> None:
    idle = {rep: dataclasses.replace(AGREED.people[rep], active=False) for rep in ("ann", "bob")}
    router.agreed = dataclasses.replace(AGREED, people={**AGREED.people, **idle})
    router.ask(asks(1, 0, "newsletter"))
    [joined] = router.ask(asks(2, 10), minutes=10)
    assert (joined.lead.state, joined.lead.score) == ("parked", 40)
    router.agreed = AGREED
    drained, _ = router.ask(asks(3, 20, lead_id="ld_2", contact=Contact(email="x@y.example")), minutes=20)
    assert (drained.lead.state, drained.lead.score) == ("assigned", 40)


def _wanting(*names: str) -> Agreement:
    return dataclasses.replace(NUMBERS, mql=dataclasses.replace(NUMBERS.mql, minimum_data=names))


def test_minimum_data_may_come_from_several_inquiries(router: RecordedRouter) -> None:
    router.agreed = _wanting("contact.email", "contact.job_title", "company.name")
    [first] = router.ask(asks(1, 0, company=Company(name="Example", employees=20)))
    assert first.proof.reason == "minimum data: contact.job_title is missing"
    later = Contact(email="jo@example.com", job_title="Head of IT")
    [second] = router.ask(asks(2, 10, contact=later, company=Company()), minutes=10)
    assert (second.lead.state, second.lead.company.name) == ("assigned", "Example")


def test_a_verdict_of_an_earlier_format_follows_from_the_rules_of_its_time() -> None:
    for proof_format in (2, 3):
        routing = RoutingState(proof_format=proof_format)
        decide(routing, AGREED, asks(1, 0, "newsletter"), after(0))
        joined = decide(routing, AGREED, asks(2, 10), after(10))
        assert (joined.lead.score, joined.raises_score) == (0, False)
        assert differences(joined.proof, AGREED) == ()
        wanting = _wanting("contact.email", "contact.job_title")
        routing = RoutingState(proof_format=proof_format)
        titled = replace(NAMELESS, job_title="Head of IT")
        decide(routing, wanting, asks(1, 0, contact=replace(titled, email=None), lead_id="ld_1"), after(0))
        rejected = decide(routing, wanting, asks(2, 10, lead_id="ld_1"), after(10))
        assert rejected.proof.reason == "minimum data: contact.job_title is missing"
        assert differences(rejected.proof, wanting) == ()


def test_a_hotter_inquiry_of_a_rep_who_has_left_goes_to_the_next(router: RecordedRouter) -> None:
    router.ask(asks(1, 0, "newsletter"))
    gone = dataclasses.replace(AGREED.people["ann"], active=False)
    router.agreed = dataclasses.replace(AGREED, people={**AGREED.people, "ann": gone})
    _, again = router.ask(asks(2, 10), minutes=10)
    assert isinstance(again.event, LeadReassigned)
    assert (again.event.rep.id, again.event.previous_rep, again.event.because) == ("bob", "ann", "rescored")


def test_a_promise_for_hot_leads_is_owed_from_when_the_lead_becomes_one(router: RecordedRouter) -> None:
    promise = dataclasses.replace(AGREED.promises["first_response"], segments=(Segment(Duration(900), 40),))
    router.agreed = dataclasses.replace(AGREED, promises={"first_response": promise})
    [first] = router.ask(asks(1, 0, "newsletter"))
    assert first.lead.respond_by is None
    _, again = router.ask(asks(2, 60), minutes=60)
    assert again.lead.respond_by == after(75)
    assert _missed(router, 70) == ()
    assert _missed(router, 80) == ("first_response",)


@pytest.mark.parametrize(("called_at", "missed"), [(12, ()), (17, ("first_response",))])
def test_an_earlier_deadline_that_runs_stays_the_deadline(
    router: RecordedRouter, called_at: int, missed: tuple[str, ...]
) -> None:
    router.ask(asks(1, 0, "newsletter"), minutes=0)
    router.ask(asks(2, 10), minutes=10)
    router.act(activity(accepted_at=after(called_at)), minutes=called_at)
    assert _missed(router, 80) == missed


def _missed(router: RecordedRouter, minutes: float) -> tuple[str, ...]:
    """The missed promises, as the record and the replay have them."""
    known, replayed = router.past.leads.get("ld_1"), router.live.leads.get("ld_1")
    assert known is not None
    assert replayed is not None
    found = router.history.outcome(known, after(minutes))
    assert found == router.live.outcome(replayed, after(minutes))
    return found.breached
