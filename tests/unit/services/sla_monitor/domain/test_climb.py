"""Acknowledged and forgotten, or never answered: the ladder fires again by itself, and says when it is over."""

from dataclasses import replace

import pytest

from services.sla_monitor.domain.climb import acknowledge
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.transitions import apply_fact, move_on, open_window, settle
from services.sla_monitor.domain.window import Fact
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Ladder, Step
from shared.domain.duty import Duty, Shift
from shared.domain.events import (
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    NextStep,
    Recipient,
    WindowWarned,
)
from tests.unit.services.sla_monitor.window_states import agreement, at, fact, window

STEPS = (
    Step(1, 0, tell=("rep",)),
    Step(2, 900, tell=("manager",)),
    Step(3, 3600, tell=("ops",), page=True),
)
DEAL = agreement(ladder=Ladder("response", STEPS))
NO_END = None


def settled(state: WindowState, *seconds: float, facts: tuple[Fact, ...] = (), deal: Agreement = DEAL) -> WindowState:
    """What these looks add, each at a time by which all facts are known."""
    state = WindowState(state.window, state.escalation)
    for second in seconds:
        ladder = levels(deal, state.window)
        state = settle(state, facts, ladder, deal, now=at(second), watermark=at(second))
    return state


def breached(deal: Agreement = DEAL) -> WindowState:
    return settled(open_window(window(), (), levels(deal, window())), 903, deal=deal)


def taken(state: WindowState, *, at_: float, until: float | None, deal: Agreement = DEAL) -> WindowState:
    ladder = levels(deal, state.window)
    until_at = at(until) if until is not None else None
    fresh = WindowState(state.window, state.escalation)
    return acknowledge(fresh, ladder, deal, by="mia", until=until_at, now=at(at_))


def fired(state: WindowState) -> list[tuple[int, tuple[str, ...], str | None]]:
    events = [each.event for each in state.announced if isinstance(each.event, EscalationRaised)]
    return [(event.level, event.notify, event.because) for event in events]


def states(state: WindowState) -> str:
    assert state.escalation is not None
    return state.escalation.state


def test_a_step_says_what_follows_it() -> None:
    steps = (Step(1, -300, tell=("rep",)), *STEPS[:1], Step(3, 600, move_within="pool"), Step(4, 3600, page=True))
    deal = agreement(ladder=Ladder("response", steps))
    state, events = open_window(window(), (), levels(deal, window())), []
    for second in (602, 903, 1502, 4502):
        state = settled(state, second, deal=deal)
        events += [each.event for each in state.announced]
    steps_of = [event for event in events if isinstance(event, WindowWarned | EscalationRaised)]
    assert [event.next_step for event in steps_of] == [
        NextStep(at(900), notify=("rep",)),
        NextStep(at(1500), moves=True),
        NextStep(at(4500), page=True),
        None,
    ]


def test_a_lead_that_has_moved_does_not_move_again() -> None:
    deal = agreement(ladder=Ladder("response", (*STEPS[:1], Step(2, 600, move_within="pool"), *STEPS[2:])))
    moved = move_on(breached(deal), at(910), at(911), "reassigned", missed=False)
    [event] = [each.event for each in settled(taken(moved, at_=950, until=1000, deal=deal), 1002, deal=deal).announced]
    assert isinstance(event, EscalationRaised)
    assert event.next_step == NextStep(at(4500), notify=("ops",), page=True)


def test_a_step_that_follows_notifies_but_does_not_move_a_lead_that_has_moved() -> None:
    step = Step(2, 600, tell=("manager",), move_within="pool")
    deal = agreement(ladder=Ladder("response", (*STEPS[:1], step, *STEPS[2:])))
    moved = move_on(breached(deal), at(910), at(911), "reassigned", missed=False)
    [event] = [each.event for each in settled(taken(moved, at_=950, until=1000, deal=deal), 1002, deal=deal).announced]
    assert isinstance(event, EscalationRaised)
    assert event.next_step == NextStep(at(1500), notify=("manager",))


def test_an_acknowledgement_that_runs_out_notifies_the_last_level_again_once_and_the_ladder_goes_on() -> None:
    state = taken(breached(), at_=950, until=1500)
    assert state.window.look_at == at(1502)
    assert fired(settled(state, 1501)) == []
    again = settled(state, 1502)
    assert fired(again) == [(1, ("rep",), "acknowledgement_ended")]
    [event] = [each.event for each in again.announced]
    assert isinstance(event, EscalationRaised)
    assert (event.to, event.due_at, event.at) == ((Recipient("rep", "ann"),), at(1500), at(1502))
    assert (states(again), again.window.look_at) == ("firing", at(1802))
    assert fired(settled(again, 1503, 1802, 4502)) == [(2, ("manager",), None), (3, ("ops",), None)]


def test_those_whose_level_came_due_meanwhile_are_notified_when_the_acknowledgement_runs_out() -> None:
    state = settled(taken(breached(), at_=950, until=9000), 1802, 4502)
    assert fired(state) == []
    assert state.window.look_at == at(9002)
    again = settled(state, 9002)
    assert fired(again) == [(3, ("rep", "manager", "ops"), "acknowledgement_ended")]
    [event] = [each.event for each in again.announced]
    assert isinstance(event, EscalationRaised)
    assert event.page


def test_an_acknowledgement_of_a_ladder_that_is_through_fires_again_too() -> None:
    state = taken(settled(breached(), 1802, 4502), at_=5000, until=9000)
    assert state.window.look_at == at(9002)
    assert fired(settled(state, 9002)) == [(3, ("ops",), "acknowledgement_ended")]


def test_an_acknowledgement_that_is_renewed_or_has_no_end_does_not_run_out() -> None:
    state = taken(taken(breached(), at_=950, until=1500), at_=1400, until=NO_END)
    later = settled(state, 1502, 99_999)
    assert (fired(later), states(later), later.window.look_at) == ([], "acknowledged", None)


def test_an_answer_that_came_before_the_acknowledgement_ran_out_keeps_it_quiet() -> None:
    state = taken(breached(), at_=950, until=1500)
    answered = apply_fact(state, fact("call", 1499), at(1600))
    assert isinstance(answered.announced[-1].event, EscalationClosed)
    assert settled(answered, 99_999).announced == ()


def test_what_is_looked_at_late_fires_again_before_the_levels_behind_it_and_each_once() -> None:
    state = taken(breached(), at_=950, until=2000)
    late = settled(state, 50_000)
    assert fired(late) == [(2, ("rep", "manager"), "acknowledgement_ended"), (3, ("ops",), None)]
    assert len({each.id for each in late.announced}) == len(late.announced)
    assert {each.id for each in settled(state, 50_000).announced} == {each.id for each in late.announced}


def test_an_acknowledgement_runs_out_on_a_lead_that_has_moved_as_well() -> None:
    state = move_on(taken(breached(), at_=950, until=1500), at(1000), at(1001))
    assert fired(settled(state, 1502)) == [(1, ("rep",), "acknowledgement_ended")]


@pytest.mark.parametrize("ladder", [Ladder("response", STEPS, 2, 600), Ladder("response", STEPS)])
def test_an_escalation_that_nobody_answers_is_exhausted_after_the_wait_of_the_last_level(
    ladder: Ladder,
) -> None:
    deal, over_at = agreement(ladder=ladder), 6300
    state = settled(breached(deal), 1802, 4502, 5102, 5702, over_at + 1, deal=deal)
    assert states(state) == "firing"
    over = settled(state, over_at + 4, deal=deal)
    [event] = [each.event for each in over.announced]
    assert isinstance(event, EscalationExhausted)
    assert (event.level, event.notify, event.at) == (3, ("rep", "manager", "ops"), at(over_at + 4))
    assert (event.to, event.page, event.skipped) == ((Recipient("ops"),), True, None)
    assert (event.agreement, event.promise_due_at) == (over.window.agreement, over.window.due_at)
    assert (states(over), over.window.look_at, over.window.state) == ("exhausted", None, "breached")
    assert settled(over, 99_999, deal=deal).announced == ()


def test_those_who_were_notified_late_have_their_wait_before_the_ladder_is_over() -> None:
    state = settled(breached(), 50_000)
    assert (states(state), state.window.look_at) == ("firing", at(51_802))
    assert states(settled(state, 51_802)) == "exhausted"


def test_an_exhausted_escalation_closes_with_an_answer_and_can_be_taken_on() -> None:
    over = settled(breached(), 1802, 4502, 9000)
    answered = apply_fact(over, fact("call", 9500), at(9501))
    assert isinstance(answered.announced[-1].event, EscalationClosed)
    assert states(answered) == "closed"
    state = taken(over, at_=9600, until=10_000)
    again = settled(state, 10_002)
    assert fired(again) == [(3, ("ops",), "acknowledgement_ended")]
    twice = settled(again, 11_804)
    ids = {each.id for each in (*over.announced, *twice.announced) if isinstance(each.event, EscalationExhausted)}
    assert (states(twice), len(ids)) == ("exhausted", 2)


def test_nobody_is_exhausted_while_someone_has_taken_it_on() -> None:
    state = settled(taken(breached(), at_=950, until=NO_END), 1802, 4502, 99_999)
    assert (states(state), state.announced) == ("acknowledged", ())


def test_if_nobody_is_on_duty_when_it_fires_again_the_next_level_fires_at_once() -> None:
    steps = (Step(1, 0, tell=("sales_lead",)), Step(2, 3600, tell=("rep",)))
    night = {"sales_lead": Duty(overrides=(Shift("mia", at(0), at(1200)),))}
    deal = replace(agreement(ladder=Ladder("response", steps)), duty=night)
    state = taken(breached(deal), at_=950, until=1500, deal=deal)
    again = settled(state, 1502, deal=deal)
    assert fired(again) == [(1, (), "acknowledgement_ended"), (2, ("rep",), None)]
