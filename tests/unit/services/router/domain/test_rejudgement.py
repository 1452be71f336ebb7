"""Leads that the agreement rejected, or that wait, are judged again under another version. Each verdict follows from
its proof, and a simulation follows the record to the same lead.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.router.domain.proof import explained
from services.router.domain.proof_text import proof_text
from shared.domain.agreement import Agreement
from shared.domain.events import LeadAssigned, LeadParked, LeadRejected
from shared.domain.lead import Consent, Contact
from tests.kit.agreements import agreement
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, inquiry
from tests.unit.services.router.domain.test_rescored_leads import asks
from tests.unit.services.router.recorded_router import RecordedRouter

STRICT = agreement(score=60)
WEAK = Contact(email="jo@example.com", seniority="manager")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        yield router


def without_reps(agreed: Agreement) -> Agreement:
    gone = {name: dataclasses.replace(person, active=False) for name, person in agreed.people.items()}
    return dataclasses.replace(agreed, people=gone)


def with_points(points: int) -> Agreement:
    """Asks for 30 points, and gives these for a demo; nobody is there."""
    agreed = without_reps(agreement(score=30))
    return dataclasses.replace(agreed, scoring=tuple([dataclasses.replace(r, add=points) for r in agreed.scoring]))


def test_a_rejected_lead_that_qualifies_now_is_assigned_and_its_clock_starts_then(router: RecordedRouter) -> None:
    router.agreed = STRICT
    [rejected] = router.ask(inquiry(contact=WEAK))
    assert rejected.lead.state == "rejected"
    router.agreed = AGREED
    [verdict] = router.judge_again("rejected", "parked")
    event = verdict.event
    assert isinstance(event, LeadAssigned)
    assert (event.rep.id, event.because, event.generation, event.cycle) == ("ann", "rejudged", 1, 1)
    assert (event.assigned_at, event.respond_by, event.received_at) == (after(90), after(105), after(0))
    assert (event.agreement, event.stage, event.score) == (AGREED.ref, "mql", 40)
    assert router.state.reps["ann"].open == 1
    assert verdict.proof.reason.startswith(
        "judged again under test version 1 by ops, because of “too strict”: rule 'everyone else' sends it to benelux; "
    )
    shown = proof_text(explained(verdict.proof, AGREED), "ld_1", ())
    assert [part["name"] for part in shown["parts"]] == ["checks", "rules", "score", "turn"]


def test_a_rejected_lead_that_qualifies_while_no_rep_is_there_waits_from_then_on(router: RecordedRouter) -> None:
    router.agreed = STRICT
    router.ask(inquiry(contact=WEAK))
    router.agreed = without_reps(AGREED)
    [verdict] = router.judge_again("rejected")
    assert isinstance(verdict.event, LeadParked)
    assert (verdict.event.because, verdict.event.queue, verdict.event.decided_at) == ("rejudged", "benelux", after(90))
    assert verdict.lead.parked_at == after(90)
    assert router.state.waiting["benelux"] == 1
    assert router.judge_again("rejected", "parked", minutes=95) == []


def test_a_lead_that_is_still_rejected_gets_no_verdict(router: RecordedRouter) -> None:
    router.agreed = STRICT
    [before] = router.ask(inquiry(contact=WEAK))
    router.agreed = agreement(score=50)
    assert router.judge_again("rejected") == []
    assert router.live.lead("ld_1") == before.lead


def test_a_waiting_lead_that_no_longer_qualifies_is_rejected_and_waits_no_more(router: RecordedRouter) -> None:
    router.agreed = without_reps(AGREED)
    router.ask(inquiry(contact=WEAK))
    router.agreed = without_reps(STRICT)
    assert router.judge_again("rejected") == []
    [verdict] = router.judge_again("parked", minutes=91)
    assert isinstance(verdict.event, LeadRejected)
    assert (verdict.event.because, verdict.event.stays) == ("rejudged", None)
    assert verdict.lead.reason == "score: 40 points, the agreement asks for 60"
    assert (verdict.lead.pool, verdict.lead.rule, verdict.lead.parked_at) == (None, None, None)
    assert router.state.waiting["benelux"] == 0


def test_a_lead_on_which_someone_has_acted_stays_as_it_is(router: RecordedRouter) -> None:
    router.agreed = without_reps(AGREED)
    router.ask(inquiry(contact=WEAK))
    router.act(activity(kind="accepted", activity_id="a", accepted_at=after(10), outcome=None), minutes=10)
    router.agreed = without_reps(STRICT)
    assert router.judge_again("rejected", "parked") == []


def test_a_waiting_lead_that_a_hotter_inquiry_joined_is_not_judged_down(router: RecordedRouter) -> None:
    router.agreed = without_reps(AGREED)
    router.ask(inquiry(contact=WEAK))
    [joined] = router.ask(inquiry(2, accepted_at=after(5)), minutes=5)
    assert (joined.lead.state, joined.lead.score) == ("parked", 65)
    assert router.judge_again("parked") == []
    router.agreed = without_reps(STRICT)
    assert router.judge_again("parked", minutes=95) == []


def test_a_waiting_lead_is_judged_again_on_the_hotter_inquiry_that_joined_it(router: RecordedRouter) -> None:
    router.agreed = without_reps(AGREED)
    router.ask(asks(1, 0, "newsletter"))
    router.ask(asks(2, 10), minutes=10)
    assert router.judge_again("parked", minutes=20) == []
    router.agreed = without_reps(agreement(score=30))
    assert router.judge_again("parked", minutes=30) == []
    router.agreed = with_points(50)
    [verdict] = router.judge_again("parked", minutes=40)
    assert isinstance(verdict.event, LeadParked)
    assert (verdict.event.score, verdict.event.inquiry_id, verdict.event.received_at) == (50, "inq_2", after(0))
    assert [part["points"] for part in explained(verdict.proof, router.agreed)["scoring"]] == [50]
    router.agreed = with_points(20)
    [verdict] = router.judge_again("parked", minutes=50)
    assert isinstance(verdict.event, LeadRejected)
    assert verdict.event.reason == "score: 20 points, the agreement asks for 30"


def test_the_first_inquiry_routes_a_waiting_lead_and_a_hotter_one_raises_its_score(router: RecordedRouter) -> None:
    router.agreed = without_reps(STRICT)
    router.ask(asks(1, 0, "newsletter"))
    router.ask(asks(2, 10), minutes=10)
    router.agreed = without_reps(AGREED)
    [verdict] = router.judge_again("rejected", minutes=20)
    assert (verdict.lead.state, verdict.lead.score, verdict.lead.inquiry_id) == ("parked", 40, "inq_1")
    router.agreed = without_reps(STRICT)
    [verdict] = router.judge_again("parked", minutes=30)
    assert verdict.lead.reason == "score: 40 points, the agreement asks for 60"
    router.agreed = AGREED
    [verdict] = router.judge_again("rejected", minutes=40)
    assert (verdict.lead.state, verdict.lead.score, verdict.lead.inquiry_id) == ("assigned", 40, "inq_1")


@pytest.mark.parametrize("half_life_s", [None, 24 * 60 * 60])
def test_a_rejected_lead_is_judged_again_on_its_earlier_inquiry_too(
    router: RecordedRouter, half_life_s: int | None
) -> None:
    router.agreed = dataclasses.replace(STRICT, half_life_s=half_life_s)
    router.ask(asks(1, 0))
    router.ask(asks(2, 10, "newsletter"), minutes=10)
    router.agreed = dataclasses.replace(agreement(score=30), half_life_s=half_life_s)
    [verdict] = router.judge_again("rejected", minutes=20)
    assert (verdict.lead.state, verdict.lead.score, verdict.lead.inquiry_id) == ("assigned", 40, "inq_1")


def test_an_inquiry_from_before_a_withdrawal_of_consent_is_not_judged_again(router: RecordedRouter) -> None:
    router.agreed = STRICT
    router.ask(asks(1, 0))
    router.act(activity(kind="consent_withdrawn", activity_id="w", accepted_at=after(10), outcome=None), minutes=10)
    router.ask(asks(2, 20, "newsletter", consent=Consent(basis="opt_in")), minutes=20)
    router.agreed = agreement(score=30)
    assert router.judge_again("rejected", minutes=30) == []


def test_an_inquiry_that_was_read_late_is_judged_again(router: RecordedRouter) -> None:
    router.agreed = without_reps(AGREED)
    router.ask(asks(1, 10, "newsletter"), minutes=10)
    router.ask(asks(2, 5), minutes=11)
    router.agreed = with_points(50)
    [verdict] = router.judge_again("parked", minutes=30)
    assert (verdict.lead.state, verdict.lead.score, verdict.lead.inquiry_id) == ("parked", 50, "inq_2")


def test_points_do_not_rise_because_a_later_inquiry_is_remembered(router: RecordedRouter) -> None:
    day = 24 * 60
    rules = tuple([dataclasses.replace(rule, intent=True) for rule in AGREED.scoring])
    router.agreed = without_reps(dataclasses.replace(AGREED, half_life_s=60 * day, scoring=rules))
    router.ask(inquiry(contact=WEAK))
    [joined] = router.ask(inquiry(2, accepted_at=after(day)), minutes=day)
    assert router.judge_again("parked", minutes=2 * day) == []
    assert router.live.lead("ld_1") == joined.lead


def test_what_sales_rejected_and_what_has_an_owner_is_not_judged_again(router: RecordedRouter) -> None:
    router.ask(inquiry(contact=WEAK))
    router.agreed = STRICT
    assert router.judge_again("assigned", "closed") == []
    rejected = activity(kind="rejected", activity_id="r", accepted_at=after(10), outcome=None, reason="no_budget")
    router.act(rejected)
    router.agreed = AGREED
    assert router.judge_again("rejected", "parked") == []


def test_a_lead_without_consent_is_not_judged_again_until_there_is_a_new_one(router: RecordedRouter) -> None:
    router.agreed = STRICT
    router.ask(inquiry(contact=WEAK))
    router.act(activity(kind="consent_withdrawn", activity_id="w", accepted_at=after(10), outcome=None), minutes=10)
    router.agreed = AGREED
    assert router.judge_again("rejected") == []
    router.agreed = STRICT
    router.ask(inquiry(2, contact=WEAK, accepted_at=after(95), consent=Consent(basis="opt_in")), minutes=95)
    router.agreed = AGREED
    assert len(router.judge_again("rejected", minutes=99)) == 1


def test_a_test_stays_a_test(router: RecordedRouter) -> None:
    router.agreed = STRICT
    router.ask(inquiry(contact=WEAK, test=True))
    router.agreed = AGREED
    assert router.judge_again("rejected") == []


def test_points_fade_to_when_the_inquiry_was_accepted_not_to_the_second_judgement(router: RecordedRouter) -> None:
    router.agreed = dataclasses.replace(STRICT, half_life_s=24 * 60 * 60)
    [before] = router.ask(inquiry(contact=WEAK))
    router.agreed = dataclasses.replace(AGREED, half_life_s=24 * 60 * 60)
    [verdict] = router.judge_again("rejected", minutes=60 * 24 * 30)
    assert verdict.lead.score == before.lead.score == 40
