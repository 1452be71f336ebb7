"""A lead is in the arm of the pilot that decided on it first, whatever becomes of the pilot and of the lead later."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.router.domain.qualification import MAX_ARMS
from services.router.domain.verdict import Verdict
from shared import agreement_file
from shared.domain.agreement import Agreement, PilotMode
from shared.domain.events import LeadAssigned, PilotArm
from shared.domain.lead import Contact
from tests.kit.agreements import agreement, agreement_text
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, inquiry
from tests.unit.services.router.recorded_router import RecordedRouter

SCOPE = """
pilots: [{name: trial, scope: {field: inquiry.campaign, op: is, value: q4-demo}, agreement: draft.yaml, mode: live}]
"""
DRAFT = agreement_text(within="5 minutes").replace("agreement: test", "agreement: trial")
WEAK = Contact(email="jo@example.com", seniority="manager")
DRAFTED, IN_FORCE = (PilotArm("trial", "draft"),), (PilotArm("trial", "in_force"),)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        yield router


def with_pilot(mode: PilotMode, base: Agreement = AGREED) -> Agreement:
    """`base` with one pilot."""
    text = agreement_text() + SCOPE
    [pilot] = agreement_file.parse(text, "test.yaml", {"draft.yaml": DRAFT}).agreement.pilots
    hashed = f"{base.hash}, pilot {mode}"
    return dataclasses.replace(base, hash=hashed, pilots=(dataclasses.replace(pilot, mode=mode),))


def arms(verdict: Verdict) -> tuple[tuple[PilotArm, ...], tuple[PilotArm, ...] | None]:
    """The arms of the lead, and those that its assignment announces; None if it announces none."""
    return verdict.lead.arms, verdict.event.pilot_arms if isinstance(verdict.event, LeadAssigned) else None


def test_a_lead_is_in_the_arm_that_decided_and_one_outside_of_the_scope_is_in_none(router: RecordedRouter) -> None:
    router.agreed = with_pilot("shadow")
    [shadowed] = router.ask(inquiry(1))
    assert arms(shadowed) == (IN_FORCE, IN_FORCE)
    router.agreed = with_pilot("live")
    [drafted] = router.ask(inquiry(2, lead_id="ld_2", contact=Contact(email="di@example.com")))
    assert (drafted.proof.pilot, arms(drafted)) == ("trial", (DRAFTED, DRAFTED))
    outside = inquiry(3, lead_id="ld_3", contact=Contact(email="al@example.com"), campaign="other")
    assert [arms(each) for each in router.ask(outside)] == [((), ())]


def test_a_lead_is_announced_in_its_arm_once_and_stays_there_when_the_pilot_ends(router: RecordedRouter) -> None:
    router.agreed = with_pilot("live")
    router.ask(inquiry())
    router.agreed = with_pilot("shadow")
    [moved] = router.act(activity(kind="declined", by="ann", accepted_at=after(30)))
    assert isinstance(moved.event, LeadAssigned)
    assert (moved.event.agreement.name, moved.proof.pilot, moved.lead.pilot) == ("test", None, None)
    assert arms(moved) == (DRAFTED, ())


def test_the_record_of_a_pilots_lead_says_which_agreement_was_in_force(router: RecordedRouter) -> None:
    router.agreed = with_pilot("live")
    [verdict] = router.ask(inquiry())
    assert (verdict.proof.agreement.name, verdict.proof.in_force) == ("trial", router.agreed.ref)
    assert router.history.in_force == router.agreed


def test_an_inquiry_that_joins_a_lead_leaves_it_in_its_arm(router: RecordedRouter) -> None:
    router.agreed = with_pilot("shadow")
    router.ask(inquiry(1))
    router.agreed = with_pilot("live")
    [joined] = router.ask(inquiry(2), minutes=2)
    assert (joined.proof.verdict, arms(joined)) == ("merged", (IN_FORCE, None))


def test_a_lead_that_waited_is_announced_in_the_arm_that_it_is_in_when_it_is_assigned(router: RecordedRouter) -> None:
    gone = {name: dataclasses.replace(person, active=False) for name, person in AGREED.people.items()}
    router.agreed = with_pilot("shadow", dataclasses.replace(AGREED, people=gone))
    [parked] = router.ask(inquiry())
    assert (parked.lead.state, arms(parked)) == ("parked", (IN_FORCE, None))
    router.agreed = with_pilot("live")
    [drained] = router.judge_again("parked")
    assert (drained.lead.state, arms(drained)) == ("assigned", (IN_FORCE, IN_FORCE))


def test_a_lead_from_before_the_pilot_is_in_no_arm_even_if_it_is_judged_again(router: RecordedRouter) -> None:
    router.agreed = agreement(score=60)
    [rejected] = router.ask(inquiry(contact=WEAK))
    router.agreed = with_pilot("live")
    [assigned] = router.judge_again("rejected")
    assert (rejected.lead.state, assigned.lead.state, assigned.lead.pilot) == ("rejected", "assigned", "trial")
    assert arms(assigned) == ((), ())


def test_a_lead_that_the_draft_judges_again_stays_in_the_arm_that_rejected_it(router: RecordedRouter) -> None:
    router.agreed = with_pilot("shadow", agreement(score=60))
    [rejected] = router.ask(inquiry(contact=WEAK))
    assert (rejected.lead.state, arms(rejected)) == ("rejected", (IN_FORCE, None))
    router.agreed = with_pilot("live")
    [assigned] = router.judge_again("rejected")
    assert (assigned.lead.pilot, arms(assigned)) == ("trial", (IN_FORCE, IN_FORCE))


def test_a_person_who_comes_back_is_in_the_arm_that_decides_then(router: RecordedRouter) -> None:
    router.agreed = with_pilot("shadow")
    router.ask(inquiry(1))
    router.act(activity(kind="lost", accepted_at=after(30)))
    router.agreed = with_pilot("live")
    [again] = router.ask(inquiry(2, accepted_at=after(70)), minutes=70)
    assert (again.lead.cycle, arms(again)) == (2, (DRAFTED, DRAFTED))


def test_a_test_inquiry_is_in_no_arm(router: RecordedRouter) -> None:
    for mode in ("live", "shadow"):
        router.agreed = with_pilot(mode)
        assert [arms(each) for each in router.ask(inquiry(test=True))] == [((), None)]


def test_a_lead_of_an_earlier_release_is_in_the_arm_of_the_draft_that_decided(router: RecordedRouter) -> None:
    router.agreed = with_pilot("live")
    [verdict] = router.ask(inquiry())
    before = replace(verdict.lead, pilot_arms=None)
    assert (before.arms, replace(before, pilot=None).arms) == (DRAFTED, ())


def test_a_lead_is_in_a_limited_number_of_arms(router: RecordedRouter) -> None:
    [trial] = with_pilot("shadow").pilots
    many = tuple(dataclasses.replace(trial, name=f"trial {number}") for number in range(MAX_ARMS + 5))
    router.agreed = dataclasses.replace(AGREED, pilots=many)
    [verdict] = router.ask(inquiry())
    assert verdict.lead.arms == tuple(PilotArm(f"trial {number}", "in_force") for number in range(MAX_ARMS))
