"""Silences: steps are recorded and notify nobody; at the end, a breach without an answer notifies after all."""

from dataclasses import replace

import pytest

from services.sla_monitor.domain.arrangements import Arrangements
from services.sla_monitor.domain.climb import acknowledge, over
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.transitions import apply_fact, open_window, settle
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Ladder, Pool, Step
from shared.domain.duty import Duty, Shift
from shared.domain.events import EscalationRaised, MoveRequested, Recipient, WindowBreached, WindowWarned
from shared.domain.silences import Silence, silenced_by
from tests.unit.services.sla_monitor.window_states import agreement, at, fact, window

LADDER = Ladder(
    "response",
    (
        Step(1, -300, tell=("rep",)),
        Step(2, 0, tell=("rep",)),
        Step(3, 900, tell=("manager",), page=True, move_within="pool"),
        Step(4, 3600, tell=("ops",)),
    ),
)
DEAL = agreement(ladder=LADDER)


def silence(start: float, end: float, silence_id: str | None = "si_1", **matches: str) -> Silence:
    return Silence(at(start), at(end), "the CRM moves", silence_id=silence_id, **matches)


def settled(
    state: WindowState, *seconds: float, silences: tuple[Silence, ...] = (), deal: Agreement = DEAL
) -> WindowState:
    state = WindowState(state.window, state.escalation)
    for second in seconds:
        ladder, arranged = levels(deal, state.window), Arrangements(silences)
        state = settle(state, (), ladder, deal, now=at(second), watermark=at(second), arranged=arranged)
    return state


def start() -> WindowState:
    return open_window(window(), (), levels(DEAL, window()))


def fired(state: WindowState) -> list[tuple[int, tuple[str, ...], bool, str | None, str | None]]:
    events = [each.event for each in state.announced if isinstance(each.event, EscalationRaised)]
    return [(event.level, event.notify, event.page, event.skipped, event.because) for event in events]


SILENCED = "silenced: the CRM moves"


def test_a_silenced_step_is_announced_and_notifies_nobody_while_windows_are_judged_and_leads_move() -> None:
    state = settled(start(), 602, 902.1, 1802, silences=(silence(0, 5000),))
    kinds = [type(each.event) for each in state.announced]
    assert kinds == [WindowWarned, WindowBreached, EscalationRaised, EscalationRaised, MoveRequested]
    assert fired(state) == [(2, (), False, SILENCED, None), (3, (), False, SILENCED, None)]
    [warning] = [each.event for each in state.announced if isinstance(each.event, WindowWarned)]
    assert (warning.to, warning.notify, warning.skipped) == ((), (), SILENCED)
    assert [step.outcome for step in state.fired] == ["silenced"] * 3
    assert state.escalation is not None
    assert (state.escalation.state, state.window.state) == ("firing", "breached")


def test_at_the_end_of_a_silence_those_whose_steps_came_due_are_notified_once_and_the_ladder_goes_on() -> None:
    state = settled(start(), 602, 902.1, 1802, silences=(silence(0, 3000),))
    assert state.window.look_at == at(3002)
    assert fired(settled(state, 3001)) == []
    loud = settled(state, 3002)
    assert fired(loud) == [(3, ("rep", "manager"), True, None, "silence_ended")]
    [event] = [each.event for each in loud.announced if isinstance(each.event, EscalationRaised)]
    assert (event.due_at, event.to) == (at(3000), (Recipient("rep", "ann"), Recipient("manager", None)))
    assert fired(settled(loud, 3003, 4502)) == [(4, ("ops",), False, None, None)]


def test_an_answer_during_a_silence_leaves_it_at_that() -> None:
    state = settled(start(), 602, 902.1, silences=(silence(0, 3000),))
    answered = apply_fact(WindowState(state.window, state.escalation), fact("call", 2000), at(2001))
    assert settled(answered, 99_999).announced == ()
    ended = over(WindowState(answered.window, answered.escalation), "si_1", at(2500))
    assert settled(ended, 99_999).announced == ()


def test_what_is_looked_at_only_after_the_silence_notifies_at_once() -> None:
    assert fired(settled(start(), 3500, silences=(silence(0, 3000),)))[0] == (2, ("rep",), False, None, None)


def test_a_silence_that_follows_another_goes_on_keeping_it_quiet() -> None:
    both = (silence(0, 3000), silence(2900, 6000, "si_2"))
    state = settled(start(), 602, 902.1, silences=both)
    state = settled(state, 3002, silences=both)
    assert (fired(state)[1:], state.window.look_at) == ([], at(4502))
    later = settled(state, 4502, silences=both)
    assert fired(settled(later, 6002, silences=both)) == [(4, ("rep", "manager", "ops"), True, None, "silence_ended")]


def test_a_silence_that_is_ended_early_notifies_then() -> None:
    state = settled(start(), 602, 902.1, silences=(silence(0, 90_000),))
    ended = over(WindowState(state.window, state.escalation), "si_1", at(1000))
    assert ended.window.look_at == at(1000)
    assert fired(settled(ended, 1002)) == [(2, ("rep",), False, None, "silence_ended")]
    assert over(state, "si_2", at(1000)) is state


def test_an_acknowledgement_that_runs_out_during_a_silence_notifies_at_its_end() -> None:
    state = settled(start(), 602, 902.1)
    ladder = levels(DEAL, state.window)
    fresh = WindowState(state.window, state.escalation)
    taken = acknowledge(fresh, ladder, DEAL, by="mia", until=at(1500), now=at(950))
    quiet = settled(taken, 1502, silences=(silence(1000, 1700),))
    assert fired(quiet) == [(2, (), False, SILENCED, "acknowledgement_ended")]
    assert fired(settled(quiet, 1702)) == [(2, ("rep",), False, None, "silence_ended")]


def test_who_takes_on_what_is_silenced_is_left_in_peace_until_that_runs_out() -> None:
    state = settled(start(), 602, 902.1, silences=(silence(0, 3000),))
    ladder = levels(DEAL, state.window)
    taken = acknowledge(
        WindowState(state.window, state.escalation), ladder, DEAL, by="mia", until=at(9000), now=at(950)
    )
    assert fired(settled(taken, 1802, 3002, 4502)) == []
    again = settled(taken, 1802, 3002, 4502, 9002)
    assert fired(again) == [(4, ("rep", "manager", "ops"), True, None, "acknowledgement_ended")]


def test_a_level_in_spite_of_an_acknowledgement_is_not_lost_in_a_silence() -> None:
    steps = (Step(1, 0, tell=("rep",)), Step(2, 900, tell=("ops",), page=True, if_unanswered=True))
    deal = agreement(ladder=Ladder("response", steps))
    state = settled(open_window(window(), (), levels(deal, window())), 903, deal=deal)
    ladder = levels(deal, state.window)
    taken = acknowledge(WindowState(state.window, state.escalation), ladder, deal, by="mia", until=None, now=at(950))
    quiet = settled(taken, 1802, silences=(silence(0, 3000),), deal=deal)
    assert fired(quiet) == [(2, (), False, SILENCED, None)]
    loud = settled(quiet, 3002, deal=deal)
    assert fired(loud) == [(2, ("ops",), True, None, "silence_ended")]
    assert loud.escalation is not None
    assert loud.escalation.state == "acknowledged"


def test_nobody_on_duty_and_a_silence_are_not_mixed_up() -> None:
    steps = (Step(1, 0, tell=("ops",)), Step(2, 3600, tell=("rep",)))
    deal = replace(
        agreement(ladder=Ladder("response", steps)), duty={"ops": Duty(overrides=(Shift("mia", at(0), at(1)),))}
    )
    state = open_window(window(), (), levels(deal, window()))
    assert [each[3] for each in fired(settled(state, 903, deal=deal))] == ["nobody on duty", None]
    silent = settled(state, 903, silences=(silence(0, 2000),), deal=deal)
    assert [each[3] for each in fired(silent)] == [SILENCED]
    assert [each[3] for each in fired(settled(silent, 2002, deal=deal))] == ["nobody on duty", None]


@pytest.mark.parametrize(
    ("matches", "applies"),
    [
        ({}, True),
        ({"promise": "first_response", "owner": "ann", "side": "sales", "pool": "benelux"}, True),
        ({"promise": "attempts"}, False),
        ({"owner": "bob"}, False),
        ({"side": "operations"}, False),
        ({"pool": "nordics"}, False),
        ({"pool": "gone"}, False),
    ],
)
def test_a_silence_applies_to_the_promises_that_match(matches: dict[str, str], applies: bool) -> None:
    pools = {"benelux": Pool("benelux", {"ann": 1}), "nordics": Pool("nordics", {"bob": 1})}
    deal = replace(DEAL, pools=pools, silences=(silence(0, 3000, None, **matches),))
    state = settled(open_window(window(), (), levels(deal, window())), 602, 902.1, deal=deal)
    assert (fired(state)[0][3] == SILENCED) is applies


def test_a_silence_begins_at_its_start_and_is_over_at_its_end() -> None:
    def applies(seconds: float) -> bool:
        found = silenced_by([silence(10, 20)], {}, promise="p", owner="o", side="sales", at=at(seconds))
        return found is not None

    assert [applies(seconds) for seconds in (9, 10, 19, 20)] == [False, True, True, False]
