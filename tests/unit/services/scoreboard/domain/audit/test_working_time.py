"""The auditor's arithmetic and that by which promises run come to the same, though they share nothing."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from services.scoreboard.domain.audit.working_time import NotChecked, add, due_at, open_on, step_due_at, subtract
from shared.domain import follow_up
from shared.domain.agreement import Agreement, Duration, Promise, Step
from shared.domain.business_time import NeverOpens, before, deadline
from shared.domain.calendar import EPOCH, Calendar
from shared.domain.calendar import open_on as open_for_promises
from shared.domain.event import LeaveInterval
from shared.domain.promises import owed_by
from tests.kit.agreements import agreement

DAY = timedelta(days=1)
ZONES = ["UTC", "Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]
HOUR = 3600
SPAN = st.tuples(st.integers(0, 47).map(lambda n: n * 1800), st.integers(1, 48).map(lambda n: n * 1800))
SPANS = st.lists(SPAN, min_size=1, max_size=2)
# Around the clock changes of 2026.
DATES = st.one_of(st.dates(date(2026, 3, 20), date(2026, 4, 10)), st.dates(date(2026, 10, 20), date(2026, 11, 8)))
INSTANTS = st.builds(
    lambda day, second: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second, microseconds=7),
    DATES,
    st.integers(0, 86399),
)
CALENDARS = st.builds(
    Calendar,
    st.just("any"),
    st.sampled_from(ZONES),
    st.dictionaries(st.integers(0, 6), SPANS, min_size=1),
    st.frozensets(DATES, max_size=3),
    st.dictionaries(DATES, SPANS, max_size=2),
    st.dictionaries(DATES, st.one_of(st.just([]), SPANS), max_size=2),
)
LEAVE = st.lists(
    st.tuples(INSTANTS, st.integers(1, 200)).map(lambda each: LeaveInterval(each[0], each[0] + each[1] * DAY / 8)),
    max_size=2,
)


@given(CALENDARS, DATES)
@settings(max_examples=150)
def test_both_name_the_same_open_hours_of_each_date(calendar: Calendar, day: date) -> None:
    theirs = [
        (EPOCH + timedelta(microseconds=o), EPOCH + timedelta(microseconds=c))
        for o, c in open_for_promises(calendar, day)
    ]
    assert open_on(calendar, day) == theirs


@given(CALENDARS, INSTANTS, st.integers(0, 100 * HOUR))
@settings(max_examples=150)
@example(Calendar("mondays", "UTC", {0: [(0, 1800)]}), datetime(2026, 3, 20, tzinfo=UTC), 60 * 1800)
def test_both_count_to_the_same_instant_forward_and_backward(calendar: Calendar, at: datetime, seconds: int) -> None:
    assert _or_none(add, calendar, at, seconds) == _or_none(deadline, calendar, at, seconds)
    assert _or_none(subtract, calendar, at, seconds) == _or_none(before, calendar, at, seconds)


@given(CALENDARS, INSTANTS, LEAVE, st.integers(1, 9), st.booleans(), st.booleans())
@settings(max_examples=150)
@example(
    Calendar("office", "Europe/Brussels", {day: [(9 * HOUR, 17 * HOUR)] for day in range(5)}),
    datetime(2026, 10, 23, 14, tzinfo=UTC),
    [LeaveInterval(datetime(2026, 10, 23, 14, 30, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))],
    3,
    False,
    True,
)
def test_both_name_the_same_deadline_with_leave(
    calendar: Calendar, at: datetime, leave: list[LeaveInterval], length: int, days: bool, business: bool
) -> None:
    within = Duration(0, True, days=length) if days else Duration(length * HOUR, business)
    try:
        mine = due_at(within, calendar, at, leave, wall=True)
    except NotChecked:
        return
    assert mine == _owed(calendar, within, at, leave)


@given(CALENDARS, INSTANTS, st.integers(-20, 20), st.booleans(), st.integers(0, 5))
@settings(max_examples=100)
def test_both_name_the_same_instants_of_a_ladder(
    calendar: Calendar, due: datetime, hours: int, business: bool, later: int
) -> None:
    step, later_s = Step(1, hours * HOUR, business), later * HOUR if hours >= 0 else 0
    mine = _or_none(step_due_at, step, calendar, due, later_s)
    assert mine == _or_none(follow_up.step_at, step, due, calendar, timedelta(seconds=later_s))


def test_what_starts_in_a_repeated_hour_is_said_not_to_be_checked() -> None:
    night = Calendar("night", "Europe/Brussels", {day: [(0, 86400)] for day in range(7)})
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(NotChecked, match="clocks repeat"):
        due_at(Duration(0, True, days=1), night, second_half_past_two, (), wall=False)


def _owed(calendar: Calendar, within: Duration, at: datetime, leave: list[LeaveInterval]) -> datetime:
    deal: Agreement = agreement(within="1 hour", warn="1 minute", move="1 hour", page="1 hour")
    people = {"ann": dataclasses.replace(deal.people["ann"], calendar=calendar)}
    promise = Promise("triage", within, ("assigned",), "", clock="wall")
    return owed_by(dataclasses.replace(deal, people=people), promise, owner="ann", since_at=at, leave=leave).due_at


def _or_none(count: Any, *arguments: Any) -> datetime | None:
    try:
        found: datetime = count(*arguments)
    except (NotChecked, NeverOpens):
        return None
    return found
