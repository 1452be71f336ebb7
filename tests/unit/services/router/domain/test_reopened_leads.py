"""A lead that sales rejected and then accepted, as at the end of a dispute, is open again."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.router.domain.lead import InquiryCopy, Lead, backdated
from services.router.domain.rederivation import differences
from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict
from services.router.simulation.history import History
from services.router.simulation.lookup import ReplayLookup
from services.router.simulation.record_reader import RecordedVerdict, RecordRow
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, ReplayedLead
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived, LeadAssigned, LeadParked, LeadReassigned
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import AGREED, inquiry


class Reopening:
    """The router's core, and its record as a simulation follows it."""

    def __init__(self, folder: Path) -> None:
        self.leads = [_leads(folder / name) for name in ("live.db", "past.db")]
        self.inquiries = DiskDict(folder / "inquiries.db", msgspec.msgpack.Decoder(InquiryReceived))
        self.state = RoutingState()
        self.live, self.past = (ReplayState(leads, timedelta(seconds=2)) for leads in self.leads)
        self.history = History(self.past)
        self.lookup = ReplayLookup(self.live, None, self.inquiries)
        self.agreed = AGREED

    def ask(self, *asked: InquiryReceived, minutes: float = 1) -> list[Verdict]:
        """The verdicts on inquiries."""
        for each in asked:
            self.inquiries.put(each.inquiry_id, each)
        return self._run(minutes, asked=asked)

    def act(self, *facts: ActivityRecorded, minutes: float = 60) -> list[Verdict]:
        """The verdicts on what sales did, all of it in one transaction."""
        for fact in facts:
            self.live.add_fact(fact)
        return self._run(minutes, facts=facts)

    def _run(
        self,
        minutes: float,
        asked: tuple[InquiryReceived, ...] = (),
        facts: tuple[ActivityRecorded, ...] = (),
    ) -> list[Verdict]:
        self.live.agreements[self.agreed.hash] = self.past.agreements[self.agreed.hash] = self.agreed
        self.state.begin()
        routing = Routing(self.state, self.lookup, self.agreed, after(minutes))
        if asked:
            routing.judge(asked)
        if facts:
            routing.apply(facts)
        self.lookup.save(routing)
        self.history.follow(sorted(_rows(routing), key=lambda row: row.seq))
        for verdict in routing.verdicts:
            assert differences(verdict.proof, self.agreed) == ()
        assert _known(self.past.lead("ld_1")) == _known(self.live.lead("ld_1"))
        return routing.verdicts

    def close(self) -> None:
        """Close the files."""
        for each in self.leads:
            each.close()
        self.inquiries.close()


def _leads(file: Path) -> DiskDict[ReplayedLead]:
    return DiskDict(file, msgspec.msgpack.Decoder(ReplayedLead))


def _rows(routing: Routing) -> Iterator[RecordRow]:
    for verdict in routing.verdicts:
        recorded = msgspec.convert(msgspec.to_builtins(verdict.proof), RecordedVerdict)
        yield RecordRow(verdict.proof.seq, routing.now, verdict.lead.lead_id, recorded)
    for entry in routing.journal:
        assert isinstance(entry.body, ActivityRecorded)
        yield RecordRow(entry.seq, entry.at, fact=entry.body)


def _known(lead: Lead | None) -> object:
    assert lead is not None
    return (
        lead.state,
        lead.stage,
        lead.rep,
        lead.pool,
        lead.rule,
        lead.generation,
        lead.assigned_at if lead.state == "assigned" else None,
        lead.reopened_at,
        lead.previous_ended_at,
    )


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Reopening]:
    with closing(Reopening(tmp_path)) as router:
        yield router


def fact(kind: str, minutes: float, **changes: Any) -> ActivityRecorded:
    return activity(kind=kind, activity_id=f"{kind}{minutes}", accepted_at=after(minutes), outcome=None, **changes)


REJECTED = fact("rejected", 10, by="ann", reason="no_budget")
ACCEPTED = fact("accepted", 40, by="bob")


@pytest.mark.parametrize("together", [True, False])
def test_a_lead_that_is_accepted_after_its_rejection_is_its_owners_again_from_then_on(
    router: Reopening, together: bool
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
    assert verdict.proof.reason == "accepted by bob after it had been rejected; ann had it"
    assert router.state.reps["ann"].open == 1


def test_what_was_accepted_before_the_rejection_or_of_a_lead_that_ended_otherwise_reopens_nothing(
    router: Reopening,
) -> None:
    router.ask(inquiry())
    assert router.act(REJECTED, fact("accepted", 9)) == []
    assert router.act(fact("stage", 50, stage="sql"), fact("opportunity", 50)) == []
    router.ask(inquiry(2, accepted_at=after(61)), minutes=61)
    assert router.act(fact("lost", 62), fact("accepted", 63), minutes=63) == []
    router.ask(inquiry(3, accepted_at=after(64)), minutes=64)
    assert router.act(fact("rejected", 65), fact("consent_withdrawn", 66), fact("accepted", 67), minutes=67) == []


def test_what_ends_a_reopened_lead_comes_after_it_was_reopened(router: Reopening) -> None:
    router.ask(inquiry())
    assert len(router.act(REJECTED, ACCEPTED, fact("lost", 30))) == 1
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert lead.state == "assigned"
    assert router.act(fact("won", 70), minutes=70) == []
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert (lead.state, lead.stage) == ("closed", "customer")


def test_a_rejection_and_an_acceptance_at_one_instant_count_in_their_order(router: Reopening) -> None:
    router.ask(inquiry())
    [verdict] = router.act(fact("accepted", 10), REJECTED, fact("accepted", 10, text="again"))
    assert verdict.lead.assigned_at == after(10) + timedelta(microseconds=1)


def test_a_lead_can_be_rejected_and_reopened_again(router: Reopening) -> None:
    router.ask(inquiry())
    verdicts = router.act(REJECTED, fact("accepted", 20), fact("rejected", 30), ACCEPTED)
    assert [verdict.lead.assigned_at for verdict in verdicts] == [after(20), after(40)]
    assert router.state.reps["ann"].open == 1


def _without(rep: str, agreed: Agreement) -> Agreement:
    gone = dataclasses.replace(agreed.people[rep], active=False)
    return dataclasses.replace(agreed, people={**agreed.people, rep: gone})


def test_a_reopened_lead_whose_owner_has_left_is_routed_again_and_waits_if_nobody_is_there(router: Reopening) -> None:
    router.ask(inquiry())
    router.act(REJECTED)
    router.agreed = _without("ann", AGREED)
    [verdict] = router.act(ACCEPTED)
    assert isinstance(verdict.event, LeadReassigned)
    assert (verdict.event.rep.id, verdict.event.previous_rep) == ("bob", "ann")
    router.act(fact("rejected", 61), minutes=61)
    router.agreed = _without("bob", router.agreed)
    [verdict] = router.act(fact("accepted", 62), minutes=62)
    assert isinstance(verdict.event, LeadParked)
    assert (verdict.event.cycle, verdict.event.previous_ended_at) == (1, after(62) - timedelta(microseconds=1))
    assert router.state.waiting["benelux"] == 1


def test_a_lead_that_was_rejected_while_it_waited_gets_an_owner_for_whom_nothing_before_counts(
    router: Reopening,
) -> None:
    router.agreed = _without("ann", _without("bob", AGREED))
    router.ask(inquiry())
    router.act(REJECTED)
    router.agreed = AGREED
    [verdict] = router.act(ACCEPTED)
    assert isinstance(verdict.event, LeadAssigned)
    assert (verdict.event.rep.id, verdict.event.generation, verdict.event.because) == ("ann", 2, "reopened")


def test_the_next_inquiry_after_an_end_is_about_a_new_cycle_again(router: Reopening) -> None:
    router.ask(inquiry())
    router.act(REJECTED, ACCEPTED)
    router.act(fact("lost", 61), minutes=61)
    [verdict] = router.ask(inquiry(2, accepted_at=after(70)), minutes=70)
    assert (verdict.lead.cycle, verdict.lead.reopened_at) == (2, None)
    assert verdict.lead.previous_ended_at == after(61)


def test_an_earlier_copy_of_its_inquiry_leaves_the_start_of_a_reopened_lead(router: Reopening) -> None:
    router.ask(inquiry())
    [verdict] = router.act(REJECTED, ACCEPTED)
    before: datetime = after(-5)
    moved = backdated(verdict.lead, InquiryCopy("ld_1", "inq_1", before), after(0), after(61))
    assert moved is not None
    assert moved.previous_ended_at == verdict.lead.previous_ended_at
    assert replace(moved, received_at=after(0), version=verdict.lead.version, updated_at=verdict.lead.updated_at) == (
        verdict.lead
    )
