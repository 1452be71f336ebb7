"""Leave is no working time, whatever the clock, and never changes what has passed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.business_time import NeverOpens
from shared.domain.calendar import EPOCH, Calendar
from shared.domain.event import LeaveInterval
from shared.domain.leave import MAX_INTERVALS, ahead, changed, without_leave
from shared.domain.promises import owed, owed_by
from tests.unit.shared.domain.test_promises import OFFICE, agreement, respond

US = timedelta(microseconds=1)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
THREE_WEEKS = LeaveInterval(MONDAY, MONDAY + timedelta(days=21))
WITHIN = st.one_of(
    st.integers(0, 20 * 3600).map(Duration),
    st.integers(0, 20 * 3600).map(lambda seconds: Duration(seconds, business=True)),
    st.integers(1, 6).map(lambda days: Duration(0, business=True, days=days)),
)
HOURS = st.integers(-200, 1500).map(lambda hour: MONDAY + timedelta(hours=hour))
LEAVE = st.lists(
    st.tuples(HOURS, st.integers(1, 400)).map(lambda each: LeaveInterval(each[0], each[0] + timedelta(hours=each[1]))),
    max_size=5,
).map(lambda found: ahead(found, MONDAY - timedelta(days=30)))


def due(promise: Promise, since_at: datetime, leave: Sequence[LeaveInterval]) -> datetime:
    (one,) = owed(agreement(promise), rep="ann", score=0, assigned_at=since_at, leave=leave)
    return one.due_at


def promised(within: Duration, clock: str) -> Promise:
    return Promise("first_response", within, ("call",), "response", clock)  # type: ignore[arg-type]


def hour(day: int, at: float) -> datetime:
    return MONDAY + timedelta(days=day, hours=at)


@pytest.mark.parametrize(
    ("within", "clock", "since_at", "due_at"),
    [
        (Duration(900), "rep_calendar", hour(1, 10), hour(21, 9.25)),
        (Duration(900), "wall", hour(1, 10), hour(21, 0.25)),
        (Duration(900, business=True), "wall", hour(1, 10), hour(21, 9.25)),
        (Duration(0, business=True, days=1), "rep_calendar", hour(1, 10), hour(22, 9)),
        (Duration(3600), "rep_calendar", hour(-3, 16.5), hour(21, 9.5)),
        (Duration(900), "rep_calendar", hour(21, 9), hour(21, 9.25)),
    ],
)
def test_no_clock_runs_while_the_owner_is_on_leave(
    within: Duration, clock: str, since_at: datetime, due_at: datetime
) -> None:
    assert due(promised(within, clock), since_at, [THREE_WEEKS]) == due_at


def test_what_an_owner_owes_to_operations_waits_too() -> None:
    found = owed_by(agreement(respond()), respond(), owner="ann", since_at=hour(1, 10), leave=[THREE_WEEKS])
    assert found.due_at == hour(21, 9.25)


@settings(database=None)
@given(WITHIN, st.sampled_from(["rep_calendar", "wall"]), HOURS, LEAVE, LEAVE)
def test_with_more_leave_a_promise_is_never_due_earlier(
    within: Duration, clock: str, since_at: datetime, leave: Sequence[LeaveInterval], more: Sequence[LeaveInterval]
) -> None:
    promise = promised(within, clock)
    both = ahead([*leave, *more], datetime.min.replace(tzinfo=UTC))
    assert due(promise, since_at, ()) <= due(promise, since_at, leave) <= due(promise, since_at, both)


@settings(database=None)
@given(WITHIN, HOURS, LEAVE)
def test_a_promise_is_due_as_in_a_calendar_without_the_leave(
    within: Duration, since_at: datetime, leave: Sequence[LeaveInterval]
) -> None:
    away = tuple([((each.starts_at - EPOCH) // US, (each.ends_at - EPOCH) // US) for each in leave])
    same = owed_by(
        agreement_with(replace(OFFICE, away=away)), promised(within, "rep_calendar"), owner="ann", since_at=since_at
    )
    assert due(promised(within, "rep_calendar"), since_at, leave) == same.due_at


def test_leads_that_are_given_to_someone_during_one_leave_share_a_calendar() -> None:
    found = {
        id(without_leave(OFFICE, [LeaveInterval(hour(1, at), hour(day, 0))], hour(1, at)))
        for day in (21, 400)
        for at in (9, 9.5, 10)
    }
    assert len(found) == 2


@settings(database=None)
@given(WITHIN, st.sampled_from(["rep_calendar", "wall"]), HOURS, LEAVE, LEAVE, HOURS)
def test_changed_leave_neither_excuses_what_is_overdue_nor_makes_anything_overdue(
    within: Duration,
    clock: str,
    since_at: datetime,
    known: Sequence[LeaveInterval],
    new: Sequence[LeaveInterval],
    at: datetime,
) -> None:
    promise = promised(within, clock)
    before, after = due(promise, since_at, known), due(promise, since_at, changed(known, new, at))
    assert after == before if before < at else after >= at


def test_adjoining_leave_is_one_and_only_so_much_of_it_is_known() -> None:
    days = [LeaveInterval(hour(day, 0), hour(day + 1, 0)) for day in range(3)]
    assert ahead([days[2], days[0], days[1]], hour(0, 12)) == (LeaveInterval(hour(0, 0), hour(3, 0)),)
    assert ahead(days, hour(5, 0)) == ()
    single = [LeaveInterval(hour(day, 0), hour(day, 12)) for day in range(80)]
    assert ahead(single, MONDAY) == tuple(single[:MAX_INTERVALS])


def test_leave_of_years_still_leaves_a_deadline() -> None:
    years = LeaveInterval(MONDAY, MONDAY + timedelta(days=2000))
    assert due(respond(), MONDAY, [years]) == datetime(2027, 9, 20, 9, 15, tzinfo=UTC)
    closed = Calendar("summer", "UTC", {}, shifts={MONDAY.date(): [(0, 3600)]})
    with pytest.raises(NeverOpens):
        owed_by(agreement_with(closed), respond(), owner="ann", since_at=hour(3, 0), leave=[years])
    assert owed_by(agreement_with(closed), respond(), owner="ann", since_at=MONDAY, leave=[years]).due_at == hour(
        0, 0.25
    )


def agreement_with(calendar: Calendar) -> Agreement:
    found = agreement(respond())
    return replace(found, people={"ann": replace(found.people["ann"], calendar=calendar)})


def test_a_calendar_without_leave_is_the_same_calendar() -> None:
    assert without_leave(OFFICE, [], MONDAY) is OFFICE
    away = without_leave(OFFICE, [THREE_WEEKS], MONDAY)
    assert (away == OFFICE, away.version == OFFICE.version) == (False, False)
