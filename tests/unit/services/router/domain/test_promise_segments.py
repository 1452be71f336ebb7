"""Which promise applies goes by the fields of a lead: the router decides it each time that someone gets the lead."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.availability import Leave
from services.router.domain.proof import explained
from services.router.domain.proof_text import proof_text
from services.router.domain.rederivation import differences
from services.router.domain.shadow import shadows
from services.router.domain.verdict import Verdict
from shared import agreement_file
from shared.domain.agreement import Agreement
from shared.domain.events import LeadAssigned, LeadRescheduled, PromiseSegment
from shared.domain.lead import Company, Contact
from tests.kit.agreements import agreement_text
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import inquiry
from tests.unit.services.router.domain.test_rescored_leads import asks
from tests.unit.services.router.recorded_router import RecordedRouter

BIG = '{field: company.employees, op: ">=", value: 100}'
WARM = '{score: {at_least: 40}, field: company.employees, op: ">=", value: 10}'
CHAIN = f"when: {BIG}, otherwise: {{within: 30 minutes, when: {WARM}, otherwise: {{within: 4 hours}}}}"


def segmented(chain: str = CHAIN, within: str = "5 minutes") -> Agreement:
    text = agreement_text(within=within).replace("ladder: response}", f"ladder: response, {chain}}}")
    return agreement_file.parse(text, "test.yaml").agreement


BY_SIZE = segmented()
TODAY = date(2026, 11, 23)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        router.agreed = BY_SIZE
        yield router


def sized(employees: int | None, **changes: Any) -> Any:
    return inquiry(**{"company": Company(name="Example", employees=employees), **changes})


def promised(verdict: Verdict) -> tuple[int, float]:
    """The segment of the first response, and in how many minutes it is due. The event and the proof say the same."""
    event = verdict.event
    assert isinstance(event, LeadAssigned)
    assert event.respond_by is not None
    assert event.segments == verdict.proof.segments == verdict.lead.segments
    [segment] = event.segments
    assert segment.promise == "first_response"
    return segment.segment, (event.respond_by - event.assigned_at) / timedelta(minutes=1)


@pytest.mark.parametrize(
    ("employees", "segment", "minutes"), [(100, 1, 5), (99, 2, 30), (10, 2, 30), (9, 3, 240), (None, 3, 240)]
)
def test_the_first_segment_whose_condition_holds_says_how_soon_the_promise_is_due(
    router: RecordedRouter, employees: int | None, segment: int, minutes: float
) -> None:
    [verdict] = router.ask(sized(employees))
    assert promised(verdict) == (segment, minutes)


def test_a_segment_may_ask_for_a_score_and_for_fields(router: RecordedRouter) -> None:
    [verdict] = router.ask(asks(1, 0, "newsletter", company=Company(name="Example", employees=20)))
    assert (verdict.lead.score, *promised(verdict)) == (0, 3, 240)


def test_a_lead_in_no_segment_is_promised_nothing(router: RecordedRouter) -> None:
    router.agreed = segmented(f"when: {BIG}")
    [verdict] = router.ask(sized(20))
    assert verdict.lead.segments == (PromiseSegment("first_response", 0),)
    assert verdict.lead.respond_by is None


def test_a_promise_without_conditions_on_fields_is_recorded_as_before(router: RecordedRouter) -> None:
    router.agreed = segmented("when: {score: {at_least: 60}}, otherwise: {within: 1 hour}")
    [hot] = router.ask(sized(20))
    [cold] = router.ask(asks(2, 0, "newsletter", lead_id="ld_2", contact=Contact(email="di@example.com")))
    assert [(each.lead.segments, each.proof.segments) for each in (hot, cold)] == [((), ()), ((), ())]
    assert (hot.lead.respond_by, cold.lead.respond_by) == (after(6), after(61))


def test_the_proof_shows_which_segments_were_tried_and_another_choice_does_not_follow_from_it(
    router: RecordedRouter,
) -> None:
    [verdict] = router.ask(sized(20))
    shown = explained(verdict.proof, BY_SIZE)
    assert [(each["part"], each["passed"]) for each in shown["promises"]] == [
        ("first_response: 5 minutes", False),
        ("first_response: 30 minutes, from 40 points", True),
    ]
    [part] = [each for each in proof_text(shown, "ld_1", ())["parts"] if each["name"] == "promises"]
    assert [(item["title"], item["result"], item["lines"]) for item in part["items"]] == [
        (
            "First response within 5 minutes",
            "did not match",
            ["The company's number of employees is at least 100: no, it is 20."],
        ),
        (
            "First response within 30 minutes",
            "applies",
            [
                "For a score of at least 40.",
                "The company's number of employees is at least 10: yes, it is 20.",
            ],
        ),
    ]
    forged = replace(verdict.proof, segments=(PromiseSegment("first_response", 3),))
    [difference] = differences(forged, BY_SIZE)
    assert difference.startswith("segments: ")


def test_the_next_owner_owes_what_is_promised_by_all_that_is_known_of_it_by_then(
    router: RecordedRouter,
) -> None:
    [first] = router.ask(sized(None))
    assert promised(first) == (3, 240)
    [joined] = router.ask(asks(2, 10, "newsletter", company=Company(name="Example", employees=500)), minutes=10)
    assert joined.lead.segments == first.lead.segments
    [moved] = router.act(activity(kind="declined", by="ann", accepted_at=after(20)), minutes=20)
    assert (moved.lead.rep, *promised(moved)) == ("bob", 1, 5)


def test_a_higher_score_puts_the_lead_in_the_segment_of_the_inquiry_that_raised_it(router: RecordedRouter) -> None:
    small = Company(name="Example", employees=20)
    [first] = router.ask(asks(1, 0, "newsletter", company=small))
    assert promised(first) == (3, 240)
    _, again = router.ask(asks(2, 60, company=small), minutes=60)
    assert (again.lead.rep, *promised(again)) == ("ann", 2, 30)


def test_a_lead_that_changes_hands_owes_by_the_segments_of_the_version_in_force_then(router: RecordedRouter) -> None:
    [first] = router.ask(sized(20))
    router.agreed = segmented(f"when: {WARM}, otherwise: {{within: 2 hours, when: {BIG}}}", within="7 minutes")
    assert promised(first) == (2, 30)
    [moved] = router.act(activity(kind="declined", by="ann", accepted_at=after(20)), minutes=20)
    assert promised(moved) == (1, 7)


def test_a_lead_that_is_judged_again_is_in_the_segment_of_the_new_judgement(router: RecordedRouter) -> None:
    strict = agreement_file.parse(agreement_text(score=60), "test.yaml").agreement
    router.agreed = strict
    [rejected] = router.ask(sized(20, contact=Contact(email="jo@example.com", seniority="manager")))
    assert rejected.lead.state == "rejected"
    router.agreed = BY_SIZE
    [again] = router.judge_again("rejected")
    assert promised(again) == (2, 30)


def test_a_parked_lead_is_promised_by_its_segment_once_someone_gets_it(router: RecordedRouter) -> None:
    away = {name: dataclasses.replace(person, active=False) for name, person in BY_SIZE.people.items()}
    router.agreed = dataclasses.replace(BY_SIZE, people=away)
    [parked] = router.ask(sized(200))
    assert (parked.lead.state, parked.lead.segments) == ("parked", (PromiseSegment("first_response", 1),))
    router.agreed = BY_SIZE
    [drained] = router.then(lambda routing: routing.drain(), 30)
    assert promised(drained) == (1, 5)


def test_leave_moves_the_deadline_of_the_segment(router: RecordedRouter) -> None:
    router.ask(sized(20))
    router.leave("ann", Leave(TODAY, TODAY), minutes=5)
    [event] = [each for each in router.announced if isinstance(each, LeadRescheduled)]
    assert event.respond_by == datetime(2026, 11, 23, 23, 26, tzinfo=UTC), "4 of 30 minutes were over"


def test_a_shadow_shows_the_deadline_by_the_segments_of_its_draft(router: RecordedRouter) -> None:
    draft = agreement_text(within="5 minutes").replace("ladder: response}", f"ladder: response, {CHAIN}}}")
    scope = "{field: inquiry.kind, op: exists}"
    text = f"{agreement_text()}\npilots: [{{name: trial, scope: {scope}, agreement: draft.yaml, mode: shadow}}]\n"
    router.agreed = agreement_file.parse(
        text, "test.yaml", {"draft.yaml": draft.replace("agreement: test", "agreement: trial")}
    ).agreement
    [verdict] = router.ask(sized(20))
    [shadow] = shadows(router.state, router.agreed, verdict)
    assert (verdict.lead.respond_by, shadow.respond_by) == (after(16), after(31))
