"""What the auditor says about promises, from facts alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.domain.agreement import Duration, Pause, Segment
from shared.domain.conditions import Condition
from shared.domain.events import Event, LeaveInterval, PromiseSegment
from tests.kit.audits import DEAL, HAND_OFF, audited, window
from tests.kit.events import (
    activity,
    after,
    assigned,
    lead_rescheduled,
    merged,
    reassigned,
    rejected,
)


def test_a_call_in_time_keeps_a_promise_and_one_that_bounced_or_came_late_does_not() -> None:
    for call, right in (
        (activity(accepted_at=after(5)), "met"),
        (activity(accepted_at=after(5), outcome="bounced"), "breached"),
        (activity(accepted_at=after(16)), "breached"),
    ):
        [(status, expected, _)] = audited([assigned(**HAND_OFF), call], window(state="met"))
        assert (status, expected) == ("right" if right == "met" else "different", right)


def test_only_the_outcomes_that_the_agreement_lists_keep_a_promise() -> None:
    first = replace(DEAL.promises["first_response"], outcomes={"call": ("connected", "voicemail")})
    deal = replace(DEAL, promises={"first_response": first})
    for outcome, right in (("voicemail", "met"), ("no_answer", "breached"), (None, "met")):
        events = [assigned(**HAND_OFF), activity(accepted_at=after(5), outcome=outcome)]
        [(_, expected, _)] = audited(events, window(state=right), deal=deal)
        assert expected == right


def test_the_deadline_is_that_of_the_segment_which_the_router_stated() -> None:
    by_size = Segment(Duration(300), when=Condition(">=", "company.employees", 100))
    first = replace(DEAL.promises["first_response"], segments=(by_size, Segment(Duration(600), 90)))
    deal = replace(DEAL, promises={"first_response": first})
    for number, score, minutes in ((1, 65, 5), (2, 65, 10), (None, 90, 10)):
        stated = () if number is None else (PromiseSegment("first_response", number),)
        events = [assigned(**HAND_OFF, segments=stated, score=score), activity(accepted_at=after(7))]
        right = "met" if minutes == 10 else "breached"
        due_at = after(minutes)
        found = window(state=right, due_at=due_at, decide_at=due_at + timedelta(seconds=2))
        assert audited(events, found, deal=deal) == [("right", right, right)]
    for stated in ((PromiseSegment("first_response", 0),), ()):
        events = [assigned(**HAND_OFF, segments=stated)]
        assert audited(events, deal=deal) == []
        assert audited(events, window(state="breached"), deal=deal)[0][:2] == ("different", "no window")


def test_a_call_that_a_trusted_sender_dates_counts_from_then() -> None:
    for happened, right in ((5, "met"), (16, "breached"), (-5, "breached")):
        call = activity(accepted_at=after(40), happened_at=after(happened))
        [(status, expected, _)] = audited([assigned(**HAND_OFF), call], window(state="met"))
        assert (status, expected) == ("right" if right == "met" else "different", right)


def test_a_call_that_is_known_only_under_a_later_owner_counts_for_them_since_the_lead_came_in() -> None:
    moved = reassigned(**HAND_OFF | {"assigned_at": after(16)}, generation=2, lead_version=2, because="missed")
    second: dict[str, Any] = {"generation": 2, "owner": moved.rep.id, "opened_at": after(16)}
    for happened, right in ((5, "met"), (-5, "breached")):
        call = activity(accepted_at=after(20), happened_at=after(happened))
        found = audited([assigned(**HAND_OFF), moved, call], window(state="met", **second))
        assert ("right" if right == "met" else "different", right) in [each[:2] for each in found]


def test_where_an_answer_and_an_end_came_in_time_either_verdict_is_right() -> None:
    events = [
        assigned(**HAND_OFF),
        activity(accepted_at=after(5)),
        rejected(decided_at=after(6), agreement=DEAL.ref, lead_version=2),
    ]
    for state in ("met", "cancelled"):
        assert audited(events, window(state=state)) == [("right", "cancelled or met", state)]
    [(status, _, _)] = audited(events, window(state="breached"))
    assert status == "different"


def test_what_was_reported_under_another_id_of_the_person_counts() -> None:
    join = merged("ld_2", into="ld_1", was=None, decided_at=after(20), agreement=DEAL.ref)
    events = [assigned(**HAND_OFF), join, activity("ld_2", accepted_at=after(5))]
    assert audited(events, window(state="met")) == [("right", "met", "met")]
    assert audited(events[::2], window(state="met"))[0][:2] == ("different", "breached")


def test_how_sales_ended_one_of_two_leads_ends_the_other_only_since_both_are_one_person() -> None:
    join = merged(
        "ld_2", into="ld_1", was="assigned", decided_at=after(8), one_person_since=after(7), agreement=DEAL.ref,
        lead_version=2,
    )  # fmt: skip
    both = [assigned(**HAND_OFF), assigned("ld_2", **HAND_OFF), join]
    for minutes, right in ((5, "breached"), (9, "cancelled")):
        events = [*both, activity("ld_2", kind="rejected", reason="no_budget", accepted_at=after(minutes))]
        assert audited(events, window(state="cancelled"))[0][1] == right
    call = activity("ld_2", accepted_at=after(5))
    assert audited([*both, call], window(state="met")) == [("right", "met", "met")]
    assert audited([*both, call], window("ld_2", state="met"), lead="ld_2")[0][0] == "right"


def test_a_promise_that_goes_on_when_the_score_rises_has_no_second_window() -> None:
    risen = reassigned(
        **HAND_OFF | {"assigned_at": after(3)}, generation=2, lead_version=2, because="rescored", previous_rep="ann",
        rep=assigned().rep,
    )  # fmt: skip
    events = [assigned(**HAND_OFF), risen, activity(accepted_at=after(5))]
    assert audited(events, window(state="met")) == [("right", "met", "met")]
    second = window(generation=2, opened_at=after(3))
    assert ("different", "no window", "met") in audited(events, window(state="met"), second)


def test_a_promise_on_a_lead_that_had_ended_before_need_not_have_begun() -> None:
    risen = reassigned(
        **HAND_OFF | {"assigned_at": after(3)}, generation=2, lead_version=2, because="rescored", previous_rep="ann",
        rep=assigned().rep,
    )  # fmt: skip
    for ended_after, found in ((2, ("right", "nothing", "never opened")), (4, None)):
        events = [assigned(**HAND_OFF), risen, activity(kind="lost", accepted_at=after(ended_after))]
        both = audited(events, window(state="cancelled"))
        assert both == [("right", "cancelled", "cancelled"), *([found] if found else [])]


def test_leave_moves_the_deadline() -> None:
    leave = LeaveInterval(after(10), after(600))
    changed = lead_rescheduled(
        changed_at=after(2), owner_leave=(leave,), rep=assigned().rep, generation=1, lead_version=2
    )
    events = [assigned(**HAND_OFF), changed, activity(accepted_at=after(603))]
    moved = window(state="met", due_at=after(605), decide_at=after(605) + timedelta(seconds=2))
    assert audited(events, moved)[0][1:] == ("met", "met")
    assert audited(events, window(state="breached"))[0][:2] == ("different", "met")


def test_a_promise_that_ended_has_the_deadline_that_was_known_by_then() -> None:
    first = replace(DEAL.promises["first_response"], pause=Pause(Duration(3600), 1))
    deal = replace(DEAL, promises={"first_response": first})
    assigned_to = assigned(**HAND_OFF)

    def differs(due_min: float, *events: Event) -> bool:
        met = window(state="met", due_at=after(due_min), decide_at=after(due_min) + timedelta(seconds=2))
        [(status, _, _)] = audited([assigned_to, *events], met, deal=deal)
        return bool(status == "different")

    paused, called, resumed = (
        activity(kind=kind, activity_id=kind, accepted_at=after(minute))
        for kind, minute in (("paused", 2), ("call", 5), ("resumed", 10))
    )
    assert [differs(due, paused, called, resumed) for due in (15, 23, 30, 75)] == [False, False, True, False]
    resumed_first = activity(kind="resumed", activity_id="resumed", accepted_at=after(4))
    away = LeaveInterval(after(13), after(600))
    planned = lead_rescheduled(
        changed_at=after(12), owner_leave=(away,), rep=assigned_to.rep, generation=1, lead_version=2
    )
    assert [differs(due, paused, resumed_first, called, planned) for due in (17, 19, 604)] == [False, True, False]


def test_leave_counts_that_was_entered_while_a_pause_had_moved_the_deadline() -> None:
    first = replace(DEAL.promises["first_response"], pause=Pause(Duration(3600), 1))
    deal = replace(DEAL, promises={"first_response": first}, ladders={})
    assigned_to = assigned(**HAND_OFF)
    paused = activity(kind="paused", activity_id="paused", accepted_at=after(5))
    leave = LeaveInterval(after(70), after(600))
    answer = activity(accepted_at=after(300))
    for minute, due, state in ((30, 605, "met"), (80, 75, "breached")):
        planned = lead_rescheduled(
            changed_at=after(minute), owner_leave=(leave,), rep=assigned_to.rep, generation=1, lead_version=2
        )
        found = window(state=state, due_at=after(due), decide_at=after(due) + timedelta(seconds=2))
        assert audited([assigned_to, paused, planned, answer], found, deal=deal) == [("right", state, state)]


def test_a_pause_under_another_id_moves_the_deadline_once_both_are_known_to_be_one_person() -> None:
    first = replace(DEAL.promises["first_response"], pause=Pause(Duration(3600), 1))
    deal = replace(DEAL, promises={"first_response": first}, ladders={})
    join = merged("ld_2", into="ld_1", was=None, decided_at=after(300), agreement=DEAL.ref)
    paused = activity("ld_2", kind="paused", activity_id="paused", accepted_at=after(3))
    for minute, state, due, right in (
        (5, "met", 15, True),
        (5, "met", 50, False),
        (5, "met", 75, True),
        (20, "met", 75, True),
        (20, "breached", 15, False),
    ):
        found = window(state=state, due_at=after(due), decide_at=after(due) + timedelta(seconds=2))
        events = [assigned(**HAND_OFF), join, paused, activity(accepted_at=after(minute))]
        [(status, _, _)] = audited(events, found, deal=deal)
        assert (status == "right") is right, (minute, state, due)


def test_what_can_not_be_worked_out_is_said_with_the_reason() -> None:
    assert audited([], window()) == [("not checked", "", "the assignment is not in the timeline any more")]
    marketing = window(side="marketing", promise="mql_volume", generation=0)
    assert audited([], marketing) == [("not checked", "", "a promise of marketing")]
    assert audited([assigned(**HAND_OFF)], window(hold="a record could not be read"))[0][0] == "not checked"


def test_before_the_deadline_a_promise_is_undecided_and_a_breach_of_it_is_named() -> None:
    events = [assigned(**HAND_OFF)]
    assert audited(events, window(state="open"), now=after(9)) == [("undecided", "open", "open")]
    assert audited(events, window(state="breached"), now=after(14))[0][0] == "different"
    assert audited(events, window(state="open"), now=after(16))[0][:2] == ("different", "breached")
    assert audited(events, now=after(0.1)) == [("undecided", "open", "not there yet")]
