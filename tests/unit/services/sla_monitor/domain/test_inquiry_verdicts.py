"""An inquiry and its verdict come to the same end, whichever is read first and however late."""

from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from services.sla_monitor.domain import transitions
from services.sla_monitor.domain.inquiry_verdicts import (
    LEFT_TO_THE_ROUTER,
    Arrival,
    arrival,
    first_look,
    in_time,
    paired,
    promised,
    verdict_fact,
    verdict_in,
    window_on,
)
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Promise
from tests.kit import events
from tests.unit.services.sla_monitor.window_states import TOLERANCE, agreement, assigned, at

DEAL = agreement()
INQUIRY = events.inquiry(accepted_at=at(0))
WAITS = arrival(INQUIRY, DEAL, at(122), at(1))


def owed() -> Promise:
    found = promised(DEAL)
    assert found is not None
    return found


def window() -> Window:
    return window_on(WAITS, DEAL, owed(), known_at=at(1), tolerance=TOLERANCE)


def verdict(seconds: float) -> Arrival:
    found = verdict_in(assigned(assigned_at=at(seconds), inquiry_id=INQUIRY.inquiry_id), at(seconds))
    assert found is not None
    return found


@pytest.mark.parametrize(("seconds", "kept"), [(0.1, True), (122, True), (122.1, False)])
def test_a_verdict_within_the_time_and_the_tolerance_leaves_nothing(seconds: float, kept: bool) -> None:
    assert in_time(paired(WAITS, verdict(seconds), at(200)), owed(), TOLERANCE) is kept


@pytest.mark.parametrize(
    ("seconds", "state", "announced"),
    [
        (60, "met", {"baton.window.opened.v1", "baton.window.breached.v1", "baton.breach.retracted.v1"}),
        (300, "breached", {"baton.window.opened.v1", "baton.window.breached.v1"}),
    ],
)
def test_in_whatever_order_the_deadline_and_the_verdict_are_read_the_state_is_the_same(
    seconds: float, state: str, announced: set[str]
) -> None:
    given = verdict(seconds)
    fact = verdict_fact(str(given.verdict_id), at(seconds), INQUIRY.accepted_at)

    def read(found: WindowState) -> WindowState:
        return transitions.apply_fact(found, fact, at(400))

    def look(found: WindowState) -> WindowState:
        return transitions.settle(found, (), (), DEAL, now=at(500), watermark=at(500))

    ends = []
    for steps in permutations([read, look]):
        found = transitions.open_window(window(), (), ())
        for step in steps:
            found = step(found)
        ends.append(found)
    assert {(each.window.state, each.window.look_at) for each in ends} == {(state, None)}
    assert {each.event.TYPE for each in ends[1].announced} == announced


def test_a_verdict_is_never_older_than_its_inquiry() -> None:
    assert verdict_fact("as_1", at(-3), at(0)).accepted_at == at(0)


def test_an_inquiry_that_a_clock_dates_ahead_counts_from_when_it_was_read() -> None:
    assert arrival(msgspec.structs.replace(INQUIRY, accepted_at=at(900)), DEAL, at(1), at(1)).accepted_at == at(1)


def test_what_is_read_after_its_deadline_is_left_to_the_router_for_a_moment() -> None:
    late = msgspec.structs.replace(window(), known_at=at(500))
    assert first_look(window(), ()) == window().verdict_at
    assert first_look(window(), [at(60)]) == at(62)
    assert first_look(late, ()) == at(500) + LEFT_TO_THE_ROUTER


def test_the_promise_belongs_to_operations_and_a_breach_is_the_pipelines_fault() -> None:
    found = window()
    assert (found.side, found.owner, found.fault, found.due_at) == ("operations", "ops", "pipeline", at(120))
    assert found.opened_at == at(0)
    assert found.decide_at == at(120) + TOLERANCE
    assert promised(agreement(hand_off_within=None)) is None


def test_no_other_event_is_a_verdict() -> None:
    assert verdict_in(events.activity(), at(0)) is None
    assert verdict_in(INQUIRY, at(0)) is None
    parked = verdict_in(events.parked(decided_at=at(5)), at(6))
    assert parked is not None
    assert (parked.decided_at, parked.look_at) == (at(5), at(6) + timedelta(seconds=10))
