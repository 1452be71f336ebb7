"""What is announced, and when, as facts, owners and time come along."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from services.sla_monitor.domain import escalation
from services.sla_monitor.domain.ladder import Level, levels
from services.sla_monitor.domain.transitions import (
    apply_fact,
    move_on,
    open_window,
    release,
    settle,
    supersede,
)
from services.sla_monitor.domain.window import Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.events import (
    BreachRetracted,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    MoveRequested,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
    WindowWarned,
)
from tests.unit.services.sla_monitor.window_states import (
    ATTEMPTS,
    FIRST_RESPONSE,
    T0,
    agreement,
    at,
    fact,
    waiting,
    window,
)

LADDER = levels(agreement(), window())


def fresh(state: WindowState) -> WindowState:
    """The case as it is loaded again."""
    return WindowState(state.window, state.escalation)


def start(*facts: Fact, watched: Window | None = None) -> WindowState:
    return open_window(watched or window(), facts, LADDER)


def settled(
    state: WindowState,
    seconds: float,
    *facts: Fact,
    watermark: float | None = None,
    ladder: Sequence[Level] = LADDER,
) -> WindowState:
    now, complete = at(seconds), at(seconds if watermark is None else watermark)
    return settle(fresh(state), facts, ladder, agreement(), now=now, watermark=complete)


def types(state: WindowState) -> list[type]:
    return [type(envelope.event) for envelope in state.announced]


def raised(state: WindowState) -> list[EscalationRaised]:
    return [envelope.event for envelope in state.announced if isinstance(envelope.event, EscalationRaised)]


def breached(seconds: float = 903) -> WindowState:
    return settled(start(), seconds)


def test_a_window_opens_and_wants_its_first_look_at_the_warning() -> None:
    state = start()
    assert types(state) == [WindowOpened]
    assert state.window.look_at == at(602)


def test_a_fact_that_came_before_the_assignment_meets_the_window_at_once() -> None:
    state = start(fact("call", -1))
    assert types(state) == [WindowOpened, WindowMet]
    assert state.announced[1].time == at(-1)


def test_the_rep_is_warned_once_and_then_the_deadline_is_looked_at() -> None:
    state = settled(start(), 650)
    assert types(state) == [WindowWarned]
    assert [(f.level.level, f.outcome) for f in state.fired] == [(1, "warned")]
    assert state.window.look_at == state.window.verdict_at
    assert types(settled(state, 700)) == []


def test_a_warning_waits_for_the_facts_and_is_not_given_to_someone_who_answered() -> None:
    assert types(settled(start(), 650, watermark=601)) == []
    assert types(settled(start(), 650, fact("call", 599))) == [WindowMet]


def test_a_breach_raises_the_escalation_with_the_time_it_was_due_and_the_time_it_was_seen() -> None:
    state = settled(settled(start(), 650), 903)
    assert types(state) == [WindowBreached, EscalationRaised]
    breach, raised = (envelope.event for envelope in state.announced)
    assert isinstance(breach, WindowBreached)
    assert (breach.at, breach.detected_at, breach.fault) == (at(900), at(903), "rep")
    assert isinstance(raised, EscalationRaised)
    assert (raised.due_at, raised.at, raised.notify, raised.page) == (at(900), at(903), ("rep", "manager"), False)
    assert state.window.look_at == at(1802)


def test_after_a_long_absence_every_level_fires_once_in_order_with_its_true_time() -> None:
    state = settled(start(), 99_999)
    assert types(state) == [
        WindowWarned,
        WindowBreached,
        EscalationRaised,
        EscalationRaised,
        MoveRequested,
        EscalationRaised,
        EscalationRaised,
        EscalationRaised,
    ]
    assert [(e.level, (e.due_at - T0).total_seconds()) for e in raised(state)] == [
        (2, 900),
        (3, 1800),
        (4, 4500),
        (4, 6300),
        (4, 8100),
    ]
    assert len({envelope.id for envelope in state.announced}) == 8
    over = settled(fresh(state), 999_999)
    assert types(over) == [EscalationExhausted]
    assert over.window.look_at is None
    assert types(settled(fresh(over), 9_999_999)) == []


def test_only_the_outcomes_that_the_agreement_lists_meet_a_promise() -> None:
    listed = replace(FIRST_RESPONSE, outcomes={"call": ("connected", "voicemail")})
    for outcome, status in (("no_answer", "open"), ("bounced", "open"), ("voicemail", "met"), (None, "met")):
        call = msgspec.structs.replace(fact("call", 60), outcome=outcome)
        state = open_window(window(deal=agreement(listed)), [call], LADDER)
        assert state.window.state == status, outcome


def test_a_level_waits_until_no_answer_can_be_on_its_way() -> None:
    assert types(settled(breached(), 1803, watermark=1801)) == []
    assert types(settled(breached(), 1803, watermark=1802)) == [EscalationRaised, MoveRequested]


def test_a_move_names_the_generation_that_it_is_about() -> None:
    move = settled(breached(), 1803).announced[1].event
    assert isinstance(move, MoveRequested)
    assert (move.owner, move.generation, move.within) == ("ann", 1, "pool")


def test_a_late_answer_closes_the_escalation_and_stops_the_ladder() -> None:
    state = apply_fact(fresh(breached()), fact("call", 1000), at(1001))
    [closed] = [envelope.event for envelope in state.announced]
    assert isinstance(closed, EscalationClosed)
    assert (closed.reason, closed.at) == ("answered late", at(1000))
    assert (state.window.state, state.window.look_at) == ("breached", None)
    assert types(apply_fact(fresh(state), fact("call", 1100), at(1101))) == []


def test_an_answer_known_before_the_breach_notifies_nobody() -> None:
    assert types(settled(settled(start(), 650), 1000, fact("call", 950))) == [WindowBreached]


def test_an_acknowledgement_silences_levels_until_it_ends_but_not_the_move() -> None:
    state = breached()
    assert state.escalation is not None
    taken = WindowState(state.window, escalation.acknowledged(state.escalation, by="mia", until=at(2000)))
    later = settled(taken, 1803)
    assert types(later) == [MoveRequested]
    assert later.fired[0].outcome == "silenced"
    again = settled(later, 99_999)
    assert types(again) == [EscalationRaised] * 4
    assert again.escalation is not None
    assert again.escalation.state == "firing"


def test_a_level_that_asks_for_an_answer_is_not_silenced_and_leaves_the_escalation_in_hands() -> None:
    state = breached()
    assert state.escalation is not None
    taken = WindowState(state.window, escalation.acknowledged(state.escalation, by="mia", until=None))
    later = settled(taken, 4503)
    assert types(later) == [MoveRequested, EscalationRaised]
    assert later.escalation is not None
    assert later.escalation.state == "acknowledged"


def test_a_new_owner_cancels_what_is_not_due_yet() -> None:
    assert types(move_on(fresh(start()), at(500), at(501))) == [WindowCancelled]
    assert types(move_on(fresh(start()), at(902), at(903))) == [WindowCancelled]


@pytest.mark.parametrize("change", [move_on, supersede])
def test_a_move_or_end_by_the_deadline_that_is_read_after_the_breach_takes_it_back(
    change: Callable[..., WindowState],
) -> None:
    state = change(fresh(breached()), at(902), at(2000))
    assert types(state) == [BreachRetracted, EscalationClosed]
    [event] = [each.event for each in state.announced if isinstance(each.event, BreachRetracted)]
    assert (event.reason, event.met_by, event.at) == ("reassigned", "", at(902))
    assert (state.window.state, state.window.look_at) == ("cancelled", None)
    assert types(settled(fresh(state), 99_999)) == []


def moving(state: WindowState, *seconds: float) -> WindowState:
    """The lead moves at each of these times, and the new owners answer it no more than the first."""
    for second in seconds:
        state = move_on(fresh(settled(state, second)), at(second), at(second))
    return state


@pytest.mark.parametrize("moves", [(), (1000,), (1803,), (1803, 2500, 4400)])
def test_however_often_a_lead_moves_ops_is_paged_an_hour_after_its_first_deadline(moves: tuple[float, ...]) -> None:
    state = settled(moving(breached(), *moves), 4503)
    [paged] = [event for event in raised(state) if event.page]
    assert (paged.due_at, paged.told, paged.owner) == (at(4500), ("ops",), "ann")
    assert state.escalation is not None
    assert (state.escalation.state, state.window.state) == ("firing", "breached")


def test_the_ladder_of_a_lead_that_has_moved_asks_for_no_other_move_and_warns_no_one() -> None:
    assert types(settled(moving(breached(), 1000), 1803)) == []
    state = settled(move_on(fresh(start()), at(903), at(903)), 4503)
    assert types(state) == [WindowBreached, EscalationRaised, EscalationRaised]
    assert [(event.level, event.told) for event in raised(state)] == [(2, ("rep", "manager")), (4, ("ops",))]


def test_an_acknowledgement_outlasts_a_move() -> None:
    state = breached()
    assert state.escalation is not None
    taken = WindowState(state.window, escalation.acknowledged(state.escalation, by="mia", until=None))
    later = moving(taken, 1803)
    assert later.escalation is not None
    assert (later.escalation.state, later.escalation.acknowledged_by) == ("acknowledged", "mia")


def test_the_answer_of_a_later_owner_stops_the_ladder_of_a_promise_by_the_owner() -> None:
    watched = window(deal=agreement(replace(FIRST_RESPONSE, by="owner")))
    state = settled(start(watched=watched), 903, fact("call", 100, by="bob"))
    assert types(state) == [WindowWarned, WindowBreached, EscalationRaised]
    assert types(apply_fact(moving(state, 1803), fact("call", 2000, by="bob"), at(2001))) == [EscalationClosed]


@pytest.mark.parametrize("kind", ["call", "rejected"])
def test_an_answer_or_an_end_after_a_move_stops_what_is_left_of_the_ladder(kind: str) -> None:
    state = apply_fact(moving(breached(), 1803), fact(kind, 4000), at(4001))
    assert types(state) == [EscalationClosed]
    assert types(settled(state, 99_999)) == []


def test_the_end_of_a_lead_after_the_deadline_does_not_undo_the_breach_but_nobody_is_chased_for_it() -> None:
    assert types(supersede(fresh(breached()), at(1900), at(1901))) == [EscalationClosed]
    state = supersede(fresh(start()), at(903), at(903))
    assert types(state) == []
    assert types(settled(state, 905)) == [WindowBreached]
    assert settled(state, 905).window.look_at is None


def test_a_fact_that_disproves_a_breach_retracts_it_with_the_same_id() -> None:
    state = breached()
    back = apply_fact(fresh(state), fact("call", 800), at(5000))
    assert types(back) == [BreachRetracted, EscalationClosed]
    assert isinstance(back.announced[0].event, BreachRetracted)
    assert back.announced[0].event.breach_id == state.window.breach_id
    assert (back.window.state, back.window.met_by) == ("met", "call@800")
    assert types(apply_fact(fresh(back), fact("call", 700), at(5001))) == []


def trying(*facts: Fact) -> WindowState:
    return start(*facts, watched=window(deal=agreement(ATTEMPTS)))


def test_a_count_includes_what_came_before_the_assignment_and_is_stored_between_facts() -> None:
    state = trying(fact("call", -1))
    assert (types(state), state.window.done) == ([WindowOpened], 1)
    state = apply_fact(fresh(state), fact("call", 10), at(11))
    assert (types(state), state.window.done) == ([], 2)
    state = apply_fact(fresh(state), fact("email", 20), at(21))
    assert types(state) == [WindowMet]
    assert isinstance(state.announced[0].event, WindowMet)
    assert (state.announced[0].event.met_by, state.announced[0].event.at) == ("email@20", at(20))


def test_two_attempts_of_three_are_warned_about_breached_and_closed_by_the_third() -> None:
    state = trying(fact("call", 1), fact("call", 2))
    assert types(settled(state, 650)) == [WindowWarned]
    assert settled(state, 650, fact("call", 3)).window.done == 3
    state = settled(state, 903)
    assert types(state) == [WindowWarned, WindowBreached, EscalationRaised]
    assert types(apply_fact(fresh(state), fact("call", 2), at(904))) == []
    assert types(apply_fact(fresh(state), fact("note", 950), at(951))) == []
    assert types(apply_fact(fresh(state), fact("call", 950), at(951))) == [EscalationClosed]
    assert types(apply_fact(fresh(state), fact("call", 3), at(951))) == [BreachRetracted, EscalationClosed]


def test_a_lead_that_was_assigned_too_late_is_a_breach_that_nobody_is_chased_for() -> None:
    state = apply_fact(start(watched=waiting()), fact("assigned", 910), at(911))
    state = settled(fresh(state), 940)
    assert types(state) == [WindowWarned, WindowBreached]
    assert state.window.look_at is None
    retracted = apply_fact(fresh(settled(start(watched=waiting()), 940)), fact("assigned", 800), at(950))
    assert types(retracted) == [BreachRetracted, EscalationClosed]


def test_an_end_before_the_deadline_says_why() -> None:
    state = supersede(fresh(start()), at(500), at(501), "it is lead ld_2 now")
    [cancelled] = [envelope.event for envelope in state.announced]
    assert isinstance(cancelled, WindowCancelled)
    assert cancelled.reason == "it is lead ld_2 now"


@pytest.mark.parametrize("seconds", [650, 99_999])
def test_a_window_on_hold_waits_and_goes_on_when_released(seconds: float) -> None:
    held = start(watched=msgspec.structs.replace(window(), hold="a record could not be read"))
    assert types(settled(held, seconds)) == []
    assert WindowWarned in types(settled(release(fresh(held)), seconds))
    assert types(apply_fact(fresh(held), fact("call", 5), at(6))) == [WindowMet]
