"""A lead that sales rejected and then accepted, as at the end of a dispute, is open again."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.formats import FORMAT, LAST_WORD
from services.router.domain.lead import InquiryCopy, backdated
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, LeadAssigned, LeadParked, LeadReassigned
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, inquiry
from tests.unit.services.router.recorded_router import RecordedRouter


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        yield router


def fact(kind: str, minutes: float, **changes: Any) -> ActivityRecorded:
    return activity(kind=kind, activity_id=f"{kind}{minutes}", accepted_at=after(minutes), outcome=None, **changes)


REJECTED = fact("rejected", 10, by="ann", reason="no_budget")
ACCEPTED = fact("accepted", 40, by="bob")


@pytest.mark.parametrize("together", [True, False])
def test_a_lead_that_is_accepted_after_its_rejection_is_its_owners_again_from_then_on(
    router: RecordedRouter, together: bool
) -> None:
    router.ask(inquiry())
    batches = [[REJECTED, ACCEPTED]] if together else [[REJECTED], [ACCEPTED]]
    [verdict] = [found for batch in batches for found in router.act(*batch)]
    event = verdict.event
    assert isinstance(event, LeadReassigned)
    assert (event.because, event.rep.id, event.previous_rep, event.rule) == ("reopened", "ann", "ann", "everyone else")
    assert (event.assigned_at, event.respond_by, event.cycle) == (after(40), after(55), 1)
    assert (event.generation, event.stage) == (2, "sal")
    assert event.previous_ended_at == after(40) - timedelta(microseconds=1)
    assert (verdict.lead.outcome, verdict.lead.reason) == (None, "accepted by bob after it had been rejected")
    assert verdict.proof.reason == "accepted by bob after it had been rejected; ann has it"
    assert router.state.reps["ann"].open == 1


def test_what_was_accepted_before_the_rejection_or_of_a_lead_that_ended_otherwise_reopens_nothing(
    router: RecordedRouter,
) -> None:
    router.ask(inquiry())
    assert router.act(REJECTED, fact("accepted", 9)) == []
    assert router.act(fact("stage", 50, stage="sql"), fact("opportunity", 50)) == []
    router.ask(inquiry(2, accepted_at=after(61)), minutes=61)
    assert router.act(fact("lost", 62), fact("accepted", 63), minutes=63) == []
    router.ask(inquiry(3, accepted_at=after(64)), minutes=64)
    assert router.act(fact("rejected", 65), fact("consent_withdrawn", 66), fact("accepted", 67), minutes=67) == []


def test_what_ends_a_reopened_lead_comes_after_it_was_reopened(router: RecordedRouter) -> None:
    router.ask(inquiry())
    assert len(router.act(REJECTED, ACCEPTED, fact("lost", 30))) == 1
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert lead.state == "assigned"
    assert router.act(fact("won", 70), minutes=70) == []
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert (lead.state, lead.stage) == ("closed", "customer")


@pytest.mark.parametrize("together", [True, False])
def test_an_acceptance_that_is_read_before_the_rejection_it_overrules_reopens_the_lead_too(
    router: RecordedRouter, together: bool
) -> None:
    router.ask(inquiry())
    batches = [[ACCEPTED, REJECTED]] if together else [[ACCEPTED], [REJECTED]]
    [verdict] = [found for batch in batches for found in router.act(*batch)]
    assert verdict.lead.state == "assigned"
    assert (verdict.lead.assigned_at, verdict.lead.reopened_at) == (after(40), after(40))
    assert verdict.proof.reason == "accepted by sales after it had been rejected; ann has it"


def test_a_rejection_and_an_acceptance_at_one_instant_count_in_their_order(router: RecordedRouter) -> None:
    router.ask(inquiry())
    [verdict] = router.act(fact("accepted", 10), REJECTED, fact("accepted", 10, text="again"))
    assert verdict.lead.assigned_at == after(10) + timedelta(microseconds=1)


def test_a_lead_can_be_rejected_and_reopened_again(router: RecordedRouter) -> None:
    router.ask(inquiry())
    verdicts = router.act(REJECTED, fact("accepted", 20), fact("rejected", 30), ACCEPTED)
    assert [verdict.lead.assigned_at for verdict in verdicts] == [after(20), after(40)]
    assert router.state.reps["ann"].open == 1


ENDS_AND_ACCEPTANCES = [
    [fact("rejected", 10), fact("accepted", 20), fact("lost", 22)],
    [fact("rejected", 10), fact("accepted", 20), fact("rejected", 30)],
    [fact("rejected", 10), fact("accepted", 20), fact("won", 22), fact("lost", 24)],
    [fact("rejected", 10), fact("lost", 15), fact("accepted", 20)],
    [fact("lost", 5), fact("rejected", 10), fact("accepted", 20)],
    [fact("rejected", 10), fact("accepted", 20), fact("rejected", 30), fact("accepted", 40)],
    [fact("rejected", 10), fact("accepted", 20), fact("lost", 30), fact("accepted", 40)],
    [fact("lost", 10), fact("accepted", 20), fact("won", 30)],
]


@pytest.mark.parametrize("facts", ENDS_AND_ACCEPTANCES, ids=lambda facts: ", ".join(each.activity_id for each in facts))
def test_in_any_order_sales_last_word_counts(tmp_path: Path, facts: list[ActivityRecorded]) -> None:
    found = set()
    for number, (order, together) in enumerate(product(permutations(facts), [True, False])):
        (tmp_path / str(number)).mkdir()
        with closing(RecordedRouter(tmp_path / str(number))) as router:
            router.ask(inquiry())
            for batch in [order] if together else [[each] for each in order]:
                router.act(*batch)
            lead = router.live.lead("ld_1")
            assert lead is not None
            ended_at = lead.ended_at if lead.state == "closed" else None
            found.add((lead.state, lead.outcome, ended_at, lead.cycle, lead.rep, router.state.reps["ann"].open))
    last = facts[-1]
    if last.kind == "accepted":
        assert found == {("assigned", None, None, 1, "ann", 1)}
    else:
        assert found == {("closed", last.kind, last.accepted_at, 1, "ann", 0)}


def test_what_came_after_the_end_of_a_lead_changes_nothing_in_the_history_of_an_earlier_release(
    router: RecordedRouter,
) -> None:
    router.proof_format = LAST_WORD - 1
    router.ask(inquiry())
    assert router.act(REJECTED, ACCEPTED, fact("won", 50)) == []
    for each in (router.live, router.past):
        lead = each.lead("ld_1")
        assert lead is not None
        assert (lead.state, lead.outcome, lead.ended_at, lead.stage) == ("closed", "rejected", after(10), "mql")
    router.proof_format = FORMAT
    router.ask(inquiry(2, accepted_at=after(61)), minutes=61)
    assert len(router.act(fact("rejected", 62), fact("accepted", 63), minutes=63)) == 1


def _without(rep: str, agreed: Agreement) -> Agreement:
    gone = dataclasses.replace(agreed.people[rep], active=False)
    return dataclasses.replace(agreed, people={**agreed.people, rep: gone})


def test_a_reopened_lead_whose_owner_has_left_is_routed_again_and_waits_if_nobody_is_there(
    router: RecordedRouter,
) -> None:
    router.ask(inquiry())
    router.act(REJECTED)
    router.agreed = _without("ann", AGREED)
    [verdict] = router.act(ACCEPTED)
    assert isinstance(verdict.event, LeadReassigned)
    assert (verdict.event.rep.id, verdict.event.previous_rep) == ("bob", "ann")
    assert (verdict.event.assigned_at, verdict.event.respond_by) == (after(60), after(75))
    router.act(fact("rejected", 61), minutes=61)
    router.agreed = _without("bob", router.agreed)
    [verdict] = router.act(fact("accepted", 62), minutes=62)
    assert isinstance(verdict.event, LeadParked)
    assert (verdict.event.cycle, verdict.event.previous_ended_at) == (1, after(62) - timedelta(microseconds=1))
    assert router.state.waiting["benelux"] == 1


def test_a_lead_that_was_rejected_while_it_waited_gets_an_owner_for_whom_nothing_before_counts(
    router: RecordedRouter,
) -> None:
    router.agreed = _without("ann", _without("bob", AGREED))
    router.ask(inquiry())
    router.act(REJECTED)
    router.agreed = AGREED
    [verdict] = router.act(ACCEPTED)
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.event.rep.id, verdict.event.generation, verdict.event.because) == ("ann", 2, "reopened")


def test_the_next_inquiry_after_an_end_is_about_a_new_cycle_again(router: RecordedRouter) -> None:
    router.ask(inquiry())
    router.act(REJECTED, ACCEPTED)
    router.act(fact("lost", 61), minutes=61)
    [verdict] = router.ask(inquiry(2, accepted_at=after(70)), minutes=70)
    assert (verdict.lead.cycle, verdict.lead.reopened_at) == (2, None)
    assert verdict.lead.previous_ended_at == after(61)


def test_an_earlier_copy_of_its_inquiry_leaves_the_start_of_a_reopened_lead(router: RecordedRouter) -> None:
    router.ask(inquiry())
    [verdict] = router.act(REJECTED, ACCEPTED)
    before: datetime = after(-5)
    moved = backdated(verdict.lead, InquiryCopy("ld_1", "inq_1", before), after(0), after(61))
    assert moved is not None
    assert moved.previous_ended_at == verdict.lead.previous_ended_at
    assert replace(moved, received_at=after(0), version=verdict.lead.version, updated_at=verdict.lead.updated_at) == (
        verdict.lead
    )
