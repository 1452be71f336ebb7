"""An end of a lead that is read after the inquiries that came after it: those begin another cycle all the same."""

from collections.abc import Iterator
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from services.router.domain.lead import Lead
from services.router.domain.proof import explained
from shared.domain.activities import CLOSING, WITHDRAWN
from shared.domain.events import ActivityRecorded, InquiryReceived, LeadAssigned, LeadClosed, LeadRejected
from shared.domain.lead import Consent
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import inquiry
from tests.unit.services.router.recorded_router import RecordedRouter

OLD_CONSENT = Consent(basis="opt_in", given_at=after(5))


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        yield router


def asks(number: int, minutes: float, **changes: Any) -> InquiryReceived:
    return inquiry(number, lead_id="ld_1", accepted_at=after(minutes), **changes)


def fact(kind: str, minutes: float) -> ActivityRecorded:
    return activity(kind=kind, activity_id=f"{kind}{minutes}", accepted_at=after(minutes), outcome=None, by="ann")


def read(router: RecordedRouter, *records: ActivityRecorded | InquiryReceived) -> Lead:
    for minutes, record in enumerate(records, start=60):
        if isinstance(record, InquiryReceived):
            router.ask(record, minutes=minutes)
        else:
            router.act(record, minutes=minutes)
    lead = router.live.lead("ld_1")
    assert lead is not None
    return lead


def known(lead: Lead) -> tuple[Any, ...]:
    return lead.state, lead.cycle, lead.inquiry_id != "inq_1", lead.ended_at, lead.stage, lead.consent_at


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
@pytest.mark.parametrize("kind", [*CLOSING, WITHDRAWN])
def test_in_any_order_the_inquiries_after_an_end_are_one_more_cycle(
    tmp_path: Path, kind: str, order: tuple[int, ...]
) -> None:
    records = (asks(1, 0), fact(kind, 10), asks(2, 15), asks(3, 20))
    with closing(RecordedRouter(tmp_path)) as router:
        lead = read(router, *[records[each] for each in order])
        assert known(lead) == ("assigned", 2, True, after(10), "mql", after(20))
        assert sum(rep.open for rep in router.state.reps.values()) == 1


def test_an_end_that_is_read_late_starts_a_clock_for_the_inquiry_after_it(router: RecordedRouter) -> None:
    router.ask(asks(1, 0))
    router.ask(asks(2, 15), minutes=15)
    [verdict] = router.act(fact("lost", 10), minutes=20)
    event = verdict.event
    assert isinstance(event, LeadAssigned)
    assert (event.cycle, event.generation, event.inquiry_id) == (2, 2, "inq_2")
    assert (event.received_at, event.assigned_at, event.previous_ended_at) == (after(15), after(20), after(10))
    assert verdict.proof.again


@pytest.mark.parametrize("batch", [True, False])
def test_an_inquiry_without_a_new_consent_is_rejected_once_the_withdrawal_is_read(
    router: RecordedRouter, *, batch: bool
) -> None:
    router.ask(asks(1, 0))
    later = [asks(2, 15, consent=None), asks(3, 20, consent=Consent(basis="opt_in"))]
    for each in [later] if batch else [[later[0]], [later[1]]]:
        router.ask(*each, minutes=20)
    first, second = router.act(fact(WITHDRAWN, 10), minutes=30)
    assert isinstance(first.event, LeadRejected)
    assert (first.event.inquiry_id, first.event.stays) == ("inq_2", "closed")
    assert isinstance(second.event, LeadAssigned)
    assert (second.lead.cycle, second.lead.received_at) == (2, after(20))
    closed, rejected, assigned = router.announced
    assert isinstance(closed, LeadClosed)
    assert (rejected, assigned) == (first.event, second.event)


@pytest.mark.parametrize("kind", CLOSING)
def test_a_person_whose_lead_has_ended_withdraws_consent_for_everyone_to_know(
    router: RecordedRouter, kind: str
) -> None:
    lead = read(router, asks(1, 0), fact(kind, 5), fact(WITHDRAWN, 10))
    assert (lead.outcome, lead.ended_at, lead.withdrawn_at) == (kind, after(5), after(10))
    [event] = router.announced
    assert isinstance(event, LeadClosed)
    assert (event.outcome, event.reason, event.closed_at, event.rep, event.lead_version) == (
        WITHDRAWN,
        "consent withdrawn by ann",
        after(10),
        "ann",
        lead.version,
    )


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("new", [True, False])
def test_in_any_order_a_withdrawal_from_before_the_first_inquiry_counts_until_a_new_consent(
    tmp_path: Path, order: tuple[int, ...], *, new: bool
) -> None:
    consent = Consent(basis="opt_in") if new else OLD_CONSENT
    records = (fact(WITHDRAWN, 10), asks(1, 15, consent=OLD_CONSENT), asks(2, 20, consent=consent))
    with closing(RecordedRouter(tmp_path)) as router:
        lead = read(router, *[records[each] for each in order])
        assert lead.withdrawn_at == after(10) or lead.consent_at == after(20)
        assert (lead.state == "assigned") == new
        assert sum(rep.open for rep in router.state.reps.values()) == int(new)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("minutes", [5, 15])
def test_in_any_order_how_sales_ended_a_lead_stays_its_end_when_the_person_withdraws_consent(
    tmp_path: Path, minutes: int, order: tuple[int, ...]
) -> None:
    records = (asks(1, 0), fact("won", 10), fact(WITHDRAWN, minutes))
    with closing(RecordedRouter(tmp_path)) as router:
        lead = read(router, *[records[each] for each in order])
        assert (lead.state, lead.outcome, lead.ended_at) == ("closed", "won", after(10))
        assert lead.withdrawn_at == after(minutes)


def test_a_withdrawal_is_in_the_proof_of_the_first_verdict_after_it(router: RecordedRouter) -> None:
    router.act(fact(WITHDRAWN, 10), fact(WITHDRAWN, 12), fact(WITHDRAWN, 16))
    [verdict] = router.ask(asks(1, 15, consent=OLD_CONSENT))
    assert (verdict.proof.verdict, verdict.proof.withdrawn_at) == ("rejected", after(12))
    assert verdict.proof.reason == "consent: withdrawn, and none has been given since"
    tried = explained(verdict.proof, router.agreed)["qualification"]
    assert [(each["part"], each["passed"]) for each in tried] == [("consent: withdrawn", False)]
    lead = router.live.lead("ld_1")
    assert lead is not None and (lead.state, lead.withdrawn_at) == ("rejected", after(16))  # noqa: PT018


def test_a_withdrawal_that_is_read_after_the_first_inquiry_ends_its_lead(router: RecordedRouter) -> None:
    lead = read(router, asks(1, 15, consent=OLD_CONSENT), fact(WITHDRAWN, 10))
    assert (lead.state, lead.outcome, lead.ended_at, lead.withdrawn_at) == ("closed", WITHDRAWN, after(10), after(10))
    [event] = router.announced
    assert isinstance(event, LeadClosed)


def test_what_came_before_the_end_or_with_it_stays_with_the_lead_that_ended(router: RecordedRouter) -> None:
    lead = read(router, asks(1, 0), asks(2, 9), asks(3, 10), fact("won", 10))
    assert (lead.state, lead.cycle, lead.outcome) == ("closed", 1, "won")
