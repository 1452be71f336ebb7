"""Windows and escalations: what ended stays ended."""

from itertools import permutations
from typing import Any

from services.scoreboard.domain.promises import EscalationRow, WindowRow, climb, counts_for, run, standing
from tests.kit.events import (
    acknowledged,
    after,
    breached,
    cancelled,
    closed,
    exhausted,
    met,
    opened,
    raised,
    retracted,
    warned,
    window_paused,
    window_rescheduled,
    window_resumed,
)


def window(*events: Any) -> WindowRow:
    found = WindowRow(window_id="wi_ld_1")
    for event in events:
        found = run(found, event)
    return found


def escalation(*events: Any) -> EscalationRow:
    found = EscalationRow(escalation_id="es_ld_1")
    for event in events:
        found = climb(found, event)
    return found


def test_a_deadline_that_leave_moves_is_the_latest_word_in_any_order() -> None:
    events = (opened(), window_rescheduled(), window_rescheduled(at=after(7), due_at=after(99)))
    for order in permutations(events):
        found = window(*order)
        assert (found.due_at, found.state) == (after(99), "open")
    assert window(*events, met()).state == "met"


def test_a_clock_that_was_paused_and_runs_again_is_shown_so_in_any_order() -> None:
    assert window(opened(), window_paused()).paused_until == after(1445)
    for order in permutations((opened(), window_paused(), window_resumed())):
        found = window(*order)
        assert (found.due_at, found.paused_until, found.state) == (after(20), None, "open")


def test_a_pause_that_is_read_after_one_that_began_later_moves_the_deadline_too() -> None:
    later = window_paused(at=after(60), until=after(1445), due_at=after(1500), noted_at=after(61))
    earlier = window_paused(at=after(10), until=after(20), due_at=after(1510), noted_at=after(90))
    for order in permutations((opened(), later, earlier)):
        found = window(*order)
        assert found.due_at == after(1510)
    assert window(opened(), later, earlier).paused_until == after(1445)


def test_a_window_opens_and_is_met() -> None:
    found = window(opened(), met())
    assert (found.state, found.opened_at, found.ended_at) == ("met", after(0.1), after(5))


def test_a_met_window_does_not_reopen_when_its_opening_comes_late() -> None:
    found = window(met(), opened())
    assert (found.state, found.opened_at) == ("met", after(0.1))


def test_a_warning_keeps_the_window_open() -> None:
    assert window(opened(), warned()).state == "open"


def test_a_breach_says_whose_fault_it_is_and_can_be_taken_back() -> None:
    assert window(opened(), breached(fault="pipeline")).fault == "pipeline"
    assert window(opened(), breached(), retracted()).state == "met"
    assert window(opened(), breached(), retracted(reason="reassigned")).state == "cancelled"


def test_a_cancelled_window_counts_neither_as_answered_nor_as_missed() -> None:
    gone = window(opened(), cancelled())
    assert list(counts_for(gone)) == []


def test_only_first_responses_are_in_the_funnel() -> None:
    assert {name for _, name in counts_for(window(opened(promise="disposition")))} == {"windows_open"}
    assert {name for _, name in counts_for(window(opened(), met()))} == {"responded"}
    assert {name for _, name in counts_for(window(opened(), breached()))} == {"breached"}


def test_an_escalation_fires_is_taken_on_and_closes_for_good() -> None:
    taken = escalation(raised(), acknowledged())
    assert (taken.state, taken.acknowledged_by, taken.raised_at) == ("acknowledged", "mia", after(15))
    assert escalation(raised(), acknowledged(), closed(), raised(at=after(40))).state == "closed"


def test_a_higher_level_fires_again_after_an_acknowledgement() -> None:
    found = escalation(raised(), acknowledged(), raised(level=3, due_at=after(50), at=after(60)))
    assert (found.state, found.level, found.raised_at) == ("firing", 3, after(15))


def test_a_level_that_fell_due_while_someone_had_taken_it_on_leaves_it_in_their_hands() -> None:
    found = escalation(raised(), acknowledged(), raised(level=3, due_at=after(49), at=after(49)))
    assert (found.state, found.level) == ("acknowledged", 3)


def test_an_acknowledgement_that_has_run_out_is_shown_as_firing() -> None:
    taken = escalation(raised(), acknowledged())
    assert [standing(taken, after(minutes)).state for minutes in (49, 50)] == ["acknowledged", "firing"]
    assert standing(escalation(raised(), acknowledged(until=None)), after(9999)).state == "acknowledged"
    assert standing(escalation(raised(), acknowledged(), closed()), after(60)).state == "closed"


def test_an_older_level_that_comes_late_does_not_undo_an_acknowledgement() -> None:
    found = escalation(acknowledged(), raised())
    assert (found.state, found.raised_at) == ("acknowledged", after(15))


def test_an_exhausted_escalation_is_still_open_until_someone_takes_it_on_or_it_closes() -> None:
    over = escalation(raised(), exhausted())
    assert (over.state, standing(over, after(9999)).state) == ("exhausted", "exhausted")
    assert escalation(raised(), exhausted(), acknowledged(at=after(80), until=None)).state == "acknowledged"
    assert escalation(raised(), exhausted(), closed(at=after(80))).state == "closed"


def test_whose_fault_a_breach_is_stays_with_its_escalation_in_any_order() -> None:
    for order in permutations((raised(fault="pipeline"), acknowledged(), raised(fault=None, at=after(70), level=4))):
        assert escalation(*order).fault == "pipeline"
