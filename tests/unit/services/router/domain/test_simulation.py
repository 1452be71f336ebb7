"""What is compared, what counts as a difference, and which promises were missed."""

import dataclasses
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from services.router.domain.decision import decide
from services.router.domain.lead import Lead
from services.router.domain.proof import ReassignReason
from services.router.domain.routing_state import RoutingState
from services.router.domain.simulation_promises import (
    LadderMove,
    SalesFact,
    due_promises,
    ladder_moves,
    missed_of,
    still_due,
)
from services.router.simulation.record_reader import RecordedTurn, RecordedVerdict
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.report import page, text
from services.router.simulation.storage import DiskDict, ReplayedLead
from services.router.simulation.summary import NOTHING, LeadOutcome, Summary, reason_text
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.opening import Watch, opened
from shared.domain.agreement import Agreement, Duration, Pause
from shared.domain.events import ActivityRecorded, InquiryReceived, LeadAssigned
from shared.domain.lead import Consent, Contact
from tests.kit.agreements import agreement

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AGREED = agreement()
TOLERANCE = timedelta(seconds=2)
DUE = NOW + timedelta(minutes=15)


def assigned(agreed: Agreement = AGREED) -> tuple[Lead, LeadAssigned]:
    inquiry = InquiryReceived(
        lead_id="ld_1",
        inquiry_id="inq_1",
        source="website",
        kind="demo_request",
        accepted_at=NOW - timedelta(seconds=5),
        contact=Contact(email="jo@example.com"),
        consent=Consent(basis="opt_in"),
    )
    verdict = decide(RoutingState(), agreed, inquiry, NOW)
    assert isinstance(verdict.event, LeadAssigned)
    return verdict.lead, verdict.event


def found(
    *facts: SalesFact, ended_at: datetime | None = None, now: datetime = NOW + timedelta(days=9)
) -> tuple[str, ...]:
    return missed_of(
        due_promises([(AGREED, assigned()[0])], facts, tolerance=TOLERANCE, ended_at=ended_at, now=now), facts
    )


def call(after: timedelta, kind: str = "call") -> SalesFact:
    return SalesFact(kind, NOW + after)


@pytest.mark.parametrize(
    ("facts", "breached"),
    [
        ((), ("first_response",)),
        ((call(timedelta(minutes=15, seconds=2)),), ()),
        ((call(timedelta(minutes=15, seconds=3)),), ("first_response",)),
        ((call(timedelta(seconds=-3)),), ()),
        ((call(timedelta(seconds=-9)),), ("first_response",)),
        ((call(timedelta(minutes=5), "note"),), ("first_response",)),
        ((call(timedelta(minutes=5), "lost"),), ()),
        ((call(timedelta(minutes=20), "lost"),), ("first_response",)),
    ],
)
def test_a_promise_is_missed_when_nothing_met_or_ended_it_in_time(
    facts: tuple[SalesFact, ...], breached: tuple[str, ...]
) -> None:
    assert found(*facts) == breached


def test_a_promise_is_not_missed_by_an_owner_who_no_longer_had_the_lead_nor_before_its_time() -> None:
    assert found(ended_at=DUE) == ()
    assert found(ended_at=DUE + timedelta(minutes=1)) == ("first_response",)
    assert found(now=DUE + timedelta(seconds=1)) == ()
    assert found(now=DUE + timedelta(seconds=3)) == ("first_response",)


def test_a_later_owner_is_not_helped_by_what_was_done_before() -> None:
    lead = replace(assigned()[0], generation=2)
    answered = [SalesFact("call", NOW - TOLERANCE - timedelta(microseconds=1))]
    later = NOW + timedelta(days=1)
    assert missed_of(
        due_promises([(AGREED, lead)], answered, tolerance=TOLERANCE, ended_at=None, now=later), answered
    ) == ("first_response",)


@pytest.mark.parametrize("move", ["15 minutes", "2 business hours", "3 days"])
def test_a_replay_moves_leads_when_the_monitor_asks_for_it(move: str) -> None:
    agreed = agreement(move=move, page="9 days")
    lead, event = assigned(agreed)
    [watched] = opened(event, agreed, Watch(0, NOW, TOLERANCE))
    asked = [level.due_at + watched.tolerance for level in levels(agreed, watched) if level.move_within]
    assert [move.at for move in ladder_moves(agreed, lead, TOLERANCE)] == asked
    assert len(asked) == 1


def test_a_replay_moves_a_lead_later_by_the_time_that_its_clock_was_paused() -> None:
    pausing = replace_promises(AGREED, Pause(Duration(3600)))
    lead, _ = assigned(pausing)
    facts = [call(timedelta(minutes=5), "paused"), call(timedelta(minutes=10), "resumed")]
    [move] = ladder_moves(pausing, lead, TOLERANCE)
    [later] = ladder_moves(pausing, lead, TOLERANCE, facts)
    assert later.at - move.at == timedelta(minutes=5)
    due = due_promises([(pausing, lead)], facts, tolerance=TOLERANCE, ended_at=None, now=NOW + timedelta(days=9))
    assert [each.due_at for each in due] == [DUE + timedelta(minutes=5)]


def replace_promises(agreed: Agreement, pause: Pause) -> Agreement:
    promises = {name: dataclasses.replace(each, pause=pause) for name, each in agreed.promises.items()}
    return dataclasses.replace(agreed, promises=promises)


def test_an_answer_however_late_keeps_the_lead_where_it_is() -> None:
    lead = assigned()[0]
    [move] = ladder_moves(AGREED, lead, TOLERANCE)
    assert move == LadderMove(DUE + timedelta(minutes=15) + TOLERANCE, "first_response")
    assert still_due(AGREED, lead, [], move, timedelta())
    assert not still_due(AGREED, lead, [call(timedelta(minutes=20))], move, timedelta())
    assert still_due(AGREED, lead, [call(timedelta(minutes=31))], move, timedelta())


HAD = LeadOutcome("assigned", "mql", "ann", "benelux", "everyone else", DUE, (), "her turn")


def compared(*pairs: tuple[LeadOutcome, LeadOutcome]) -> Summary:
    summary = Summary("as recorded", "test version 2", None, NOW)
    lead = assigned()[0]
    for before, after in pairs:
        summary.compare(lead, before, after)
    return summary


def test_differences_are_counted_by_what_differs_and_groups_on_both_sides() -> None:
    turn = replace(HAD, owner="bob")
    refused = LeadOutcome("rejected", "inquiry", None, None, None, None, (), "score")
    late = replace(HAD, breached=("first_response",))
    summary = compared((HAD, HAD), (HAD, turn), (HAD, refused), (HAD, late))
    assert (summary.leads, summary.differ, summary.turn_only) == (4, 3, 1)
    assert summary.differing == {"owner": 2, "state": 1, "stage": 1, "pool": 1, "deadline": 1, "breach": 1}
    assert (summary.reps["ann"].before.leads, summary.reps["ann"].after.leads) == (4, 2)
    assert (summary.total.before.qualified, summary.total.after.qualified) == (4, 3)
    assert (summary.total.before.breached, summary.total.after.breached) == (0, 1)
    assert set(summary.stages) == {"mql", "rejected"}


def test_a_rule_with_another_name_or_reason_is_no_difference() -> None:
    assert compared((HAD, replace(HAD, rule="all others", why="otherwise put"))).differ == 0


def test_an_id_that_ceased_both_times_is_no_lead_and_one_that_ceased_once_differs() -> None:
    merged = replace(HAD, state="merged", owner=None)
    assert compared((merged, merged)).leads == 0
    assert compared((HAD, merged)).differ == 1
    assert compared((HAD, NOTHING)).differ == 1


def test_reasons_keep_what_people_wrote_to_themselves() -> None:
    given_back = RecordedVerdict(
        verdict="reassigned",
        agreement=AGREED.ref,
        decided_at=NOW,
        reason="ann gave the lead back: Jo Peeters is my cousin; bob is next",
        ask=ReassignReason("declined", by="ann", reason="Jo Peeters is my cousin"),
        rule="everyone else",
        rep="bob",
        turn=RecordedTurn("benelux", "next by weighted turns"),
    )
    assert reason_text(given_back) == ("its owner gave it back; rule 'everyone else': bob is next by weighted turns")
    owned = replace(
        given_back,
        reason="ann owns the company (peeters.example)",
        ask=None,
        rule="known account",
        rep="ann",
        turn=None,
    )
    assert "peeters" not in reason_text(owned)


def test_a_page_escapes_what_comes_from_outside() -> None:
    summary = compared((HAD, replace(HAD, owner="<b>bob</b>")))
    assert "<b>bob</b>" in text(summary)
    assert "<b>bob</b>" not in page(summary)
    assert "&lt;b&gt;bob&lt;/b&gt;" in page(summary)


@pytest.mark.parametrize(
    ("called_after", "breached"), [(4, ()), (None, ("first_response",)), (12, ()), (17, ("first_response",))]
)
def test_when_the_score_rises_no_clock_moves_later_and_what_was_kept_is_owed_again(
    called_after: int | None, breached: tuple[str, ...]
) -> None:
    before, _ = assigned()
    risen = replace(before, score=90, generation=2, assigned_at=NOW + timedelta(minutes=10))
    facts = [call(timedelta(minutes=called_after))] if called_after is not None else []
    if called_after == 4:
        facts.append(call(timedelta(minutes=24)))
    late = NOW + timedelta(days=9)
    held = [(AGREED, before), (AGREED, risen)]
    due = due_promises(held, facts, tolerance=TOLERANCE, ended_at=None, now=late)
    assert missed_of(due, facts) == breached
    if called_after == 4:
        due = due_promises(held, facts[:1], tolerance=TOLERANCE, ended_at=None, now=late)
        assert missed_of(due, facts[:1]) == ("first_response",)


@pytest.mark.parametrize(("split", "breached"), [(False, ()), (True, ("first_response",))])
def test_what_was_reported_under_a_split_id_counts_for_promises_from_before_the_split_only(
    tmp_path: Path, *, split: bool, breached: tuple[str, ...]
) -> None:
    lead, _ = assigned()
    link = replace(lead, lead_id="ld_2", generation=0, state="merged", rep=None, into="ld_1")
    with closing(DiskDict(tmp_path / "leads.db", msgspec.msgpack.Decoder(ReplayedLead))) as leads:
        state = ReplayState(leads, TOLERANCE)
        state.agreements[AGREED.hash] = AGREED
        state.change(lead, NOW)
        state.change(link, NOW)
        state.add_fact(
            ActivityRecorded(lead_id="ld_2", activity_id="a", kind="lost", accepted_at=NOW + timedelta(minutes=5))
        )
        late = NOW + timedelta(hours=3)
        if split:
            state.change(replace(link, into=None, state="received"), late)
        state.change(replace(lead, rep="bob", generation=2, assigned_at=late), late)
        [known] = [known for lead_id, known in leads.items() if lead_id == "ld_1"]
        assert state.outcome(known, late + timedelta(hours=3)).breached == breached
