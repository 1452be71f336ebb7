"""Pauses: what stops the clock of a promise, for how long, and what becomes of the deadline."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agreement import Duration, Pause, Promise
from shared.domain.business_time import deadline, elapsed
from shared.domain.calendar import Calendar
from shared.domain.event import LeaveInterval
from shared.domain.pauses import PAUSED, RESUMED, due_after, pauses_of
from shared.domain.promises import owed, respond_by
from tests.unit.services.sla_monitor.window_states import FIRST_RESPONSE, OFFICE, agreement, fact
from tests.unit.services.sla_monitor.window_states import at as seconds_after

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
RULE = Pause(Duration(0, business=True, days=2), times=2)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return seconds_after(hours * 3600)


def span(start: float, end: float) -> LeaveInterval:
    return LeaveInterval(at(start), at(end))


def moved(due: float, *pauses: LeaveInterval, calendar: Calendar = OFFICE, since: float = 0) -> datetime:
    return due_after(calendar, at(since), at(due), pauses)


def test_the_clock_stands_still_until_it_is_resumed_or_the_pause_has_run_out() -> None:
    assert seconds_after(0) == MONDAY, "the times below count from a Monday at nine"
    resumed = [fact(PAUSED, 3600), fact(RESUMED, 7200)]
    assert pauses_of(RULE, OFFICE, resumed) == (span(1, 2),)
    assert pauses_of(RULE, OFFICE, resumed[:1]) == (span(1, 49),)
    assert pauses_of(Pause(Duration(3600)), OFFICE, resumed[:1]) == (span(1, 2),)
    assert pauses_of(Pause(Duration(3600, business=True)), OFFICE, [fact(PAUSED, 7.5 * 3600)]) == (span(7.5, 24.5),)


def test_facts_in_any_order_mean_the_same_pauses_and_only_so_many_count() -> None:
    facts = [
        fact(PAUSED, 60),
        fact(PAUSED, 90),
        fact(RESUMED, 120),
        fact(PAUSED, 180),
        fact(RESUMED, 240),
        fact(PAUSED, 300),
    ]
    for order in permutations(facts):
        assert [(each.starts_at, each.ends_at) for each in pauses_of(RULE, OFFICE, order)] == [
            (seconds_after(60), seconds_after(120)),
            (seconds_after(180), seconds_after(240)),
        ]


def test_the_deadline_moves_by_the_working_time_of_the_pauses() -> None:
    assert moved(4, span(1, 2)) == at(5)
    assert moved(4, span(1, 2), span(1.5, 3)) == at(6)
    assert moved(4, span(3, 6)) == at(7)
    assert moved(8, span(7, 8)) == at(25), "an hour is left when the office opens on Tuesday"
    assert moved(7.5, span(7, 25)) == at(25.5)


def test_a_pause_outside_working_hours_or_from_the_deadline_on_moves_nothing() -> None:
    assert moved(28, span(9, 20)) == at(28)
    assert moved(4, span(4, 6)) == at(4)
    assert moved(4, span(5, 6)) == at(4)
    assert moved(24, span(9, 20)) == at(24), "due at an opening, and still so"


def test_a_pause_that_the_first_one_moves_the_deadline_behind_counts_as_well() -> None:
    assert moved(4, span(3, 4), span(4.5, 6)) == at(6.5)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 100)), max_size=4), st.integers(1, 40))
def test_what_is_left_to_do_is_as_long_with_pauses_as_without(spans: list[tuple[int, int]], hours: int) -> None:
    due_at = deadline(OFFICE, MONDAY, hours * 3600)
    pauses = [span(start, start + length) for start, length in spans]
    found = due_after(OFFICE, MONDAY, due_at, pauses)
    listed = [(each.starts_at, each.ends_at) for each in pauses]
    assert elapsed(OFFICE, MONDAY, found, listed) == hours * 3600
    assert found == deadline(OFFICE, MONDAY, hours * 3600, listed)


def test_a_promise_in_business_days_moves_by_the_hours_of_a_pause() -> None:
    days = Promise("disposition", Duration(0, business=True, days=3), ("accepted",), "response", pause=RULE)
    deal = agreement(FIRST_RESPONSE, days)
    facts = [fact(PAUSED, 24 * 3600), fact(RESUMED, 28 * 3600)]
    first, disposition = owed(deal, rep="ann", score=0, assigned_at=MONDAY, facts=facts)
    assert (first.pauses, first.due_at) == ((), MONDAY + HOUR / 4)
    assert (disposition.pauses, disposition.due_at) == ((span(24, 28),), at(76))


def test_the_deadline_to_respond_is_that_of_a_promise_that_cannot_be_paused() -> None:
    soon = Promise("disposition", Duration(60), ("accepted",), "response", "wall", pause=RULE)
    found = owed(agreement(FIRST_RESPONSE, soon), rep="ann", score=0, assigned_at=MONDAY)
    assert respond_by(found) == MONDAY + HOUR / 4


def test_leave_and_a_pause_together_are_no_working_time_and_count_once() -> None:
    promise = Promise("disposition", Duration(6 * 3600, business=True), ("accepted",), "response", pause=RULE)
    facts, leave = [fact(PAUSED, 3600), fact(RESUMED, 7200)], [span(1.5, 24)]
    [found] = owed(agreement(promise), rep="ann", score=0, assigned_at=MONDAY, leave=leave, facts=facts)
    assert found.due_at == at(29)


@pytest.mark.parametrize("calendar", [OFFICE, Calendar("always", "UTC", {day: [(0, 86_400)] for day in range(7)})])
def test_a_pause_without_a_length_changes_nothing(calendar: Calendar) -> None:
    assert moved(4, span(1, 1), calendar=calendar) == at(4)
