"""The laws of business time hold for any calendar, zone, instant and set of pauses."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.business_time import (
    NeverCloses,
    Pause,
    before,
    business_days_after,
    deadline,
    elapsed,
    intervals,
    is_open,
    last_open,
    next_close,
    next_open,
    prev_open,
)
from shared.domain.calendar import DAY_S, Calendar, Span

ZONES = [
    "UTC",
    "Europe/Brussels",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "America/Nuuk",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
MICROSECOND = timedelta(microseconds=1)
LAWS = settings(database=None, max_examples=60)

quarter_hours = st.integers(0, 95).map(lambda quarter: quarter * 900)
spans: st.SearchStrategy[list[Span]] = st.lists(
    st.tuples(quarter_hours, st.one_of(quarter_hours, st.just(DAY_S))), max_size=3
)
instants = st.datetimes(
    datetime(2010, 1, 1),  # noqa: DTZ001
    datetime(2030, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
durations = st.one_of(
    st.integers(0, 60 * 3600).map(float), st.integers(0, 10_000_000_000).map(lambda us: us / 1_000_000)
)


@st.composite
def working(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar with some hours each week, and an instant near its special dates."""
    at = draw(instants)
    near = st.integers(-10, 10).map(lambda offset: at.date() + timedelta(days=offset))
    weekly = draw(st.dictionaries(st.integers(0, 6), spans, max_size=7))
    weekly[draw(st.integers(0, 6))] = [(9 * 3600, 12 * 3600)]
    return Calendar(
        name="any",
        zone=draw(st.sampled_from(ZONES)),
        weekly=weekly,
        holidays=draw(st.frozensets(near, max_size=3)),
        breaks=draw(st.dictionaries(near, spans, max_size=3)),
        shifts=draw(st.dictionaries(near, spans, max_size=3)),
    ), at


@st.composite
def pauses_around(draw: st.DrawFn, at: datetime) -> list[Pause]:
    offsets = st.integers(-5 * DAY_S, 15 * DAY_S)
    drawn = draw(st.lists(st.tuples(offsets, st.integers(0, 3 * DAY_S)), max_size=4))
    begins = [at + timedelta(seconds=offset) for offset, _ in drawn]
    return [(begin, begin + timedelta(seconds=s)) for begin, (_, s) in zip(begins, drawn, strict=True)]


@LAWS
@given(working(), durations)
def test_the_open_time_up_to_a_deadline_is_the_duration(case: tuple[Calendar, datetime], duration: float) -> None:
    calendar, start = case
    due = deadline(calendar, start, duration)
    assert elapsed(calendar, start, due) == duration
    assert not duration or elapsed(calendar, start, due - MICROSECOND) < duration


@LAWS
@given(working(), durations, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_a_later_start_is_never_due_earlier(case: tuple[Calendar, datetime], duration: float, later: timedelta) -> None:
    calendar, start = case
    assert deadline(calendar, start, duration) <= deadline(calendar, start + later, duration)


@LAWS
@given(working(), durations, durations)
def test_a_duration_may_be_counted_in_two_parts(case: tuple[Calendar, datetime], first: float, second: float) -> None:
    calendar, start = case
    half_way = deadline(calendar, start, int(first))
    assert deadline(calendar, half_way, int(second)) == deadline(calendar, start, int(first) + int(second))


@LAWS
@given(working(), durations)
def test_a_deadline_is_in_hours_or_at_their_close(case: tuple[Calendar, datetime], duration: float) -> None:
    calendar, start = case
    assume(duration > 0)
    due = deadline(calendar, start, duration)
    assert is_open(calendar, due - MICROSECOND)
    assert last_open(calendar, due) == due
    assert is_open(calendar, before(calendar, start, duration))


@LAWS
@given(working(), durations)
def test_before_and_deadline_undo_each_other(case: tuple[Calendar, datetime], duration: float) -> None:
    calendar, at = case
    assume(duration > 0)
    due = deadline(calendar, at, duration)
    assert before(calendar, due, duration) == next_open(calendar, at)
    since = before(calendar, at, duration)
    assert elapsed(calendar, since, at) == duration
    assert deadline(calendar, since, duration) == last_open(calendar, at)


@LAWS
@given(working(), durations, st.data())
def test_pauses_take_away_exactly_the_open_time_they_cover(
    case: tuple[Calendar, datetime], duration: float, data: st.DataObject
) -> None:
    calendar, at = case
    assume(duration > 0)
    pauses = data.draw(pauses_around(at))
    due, since = deadline(calendar, at, duration, pauses), before(calendar, at, duration, pauses)
    assert elapsed(calendar, at, due, pauses) == duration
    assert elapsed(calendar, at, due - MICROSECOND, pauses) < duration
    assert elapsed(calendar, since, at, pauses) == duration
    assert elapsed(calendar, since + MICROSECOND, at, pauses) < duration


@LAWS
@given(working(), st.lists(st.timedeltas(timedelta(-30), timedelta(30)), min_size=3, max_size=3))
def test_elapsed_adds_up_and_is_nothing_when_reversed(
    case: tuple[Calendar, datetime], offsets: list[timedelta]
) -> None:
    calendar, at = case
    first, middle, last = sorted(at + offset for offset in offsets)
    parts = elapsed(calendar, first, middle) + elapsed(calendar, middle, last)
    assert elapsed(calendar, first, last) == pytest.approx(parts, abs=1e-6)
    assert elapsed(calendar, last, first) == 0


@LAWS
@given(working())
def test_the_ways_to_look_around_agree(case: tuple[Calendar, datetime]) -> None:
    calendar, at = case
    try:
        found = intervals(calendar, at, 4)
    except NeverCloses:
        assume(False)
    assert found[0] == (next_open(calendar, at), next_close(calendar, at))
    assert is_open(calendar, at) == (found[0][0] == at)
    for (_, close), (opening, _) in pairwise(found):
        assert close < opening
        assert not is_open(calendar, close)
        assert last_open(calendar, opening) == close
        assert prev_open(calendar, opening + MICROSECOND) == opening


@LAWS
@given(working(), st.integers(1, 6), st.integers(0, 3 * DAY_S * 1_000_000))
def test_a_promise_in_business_days_that_starts_later_is_never_due_earlier(
    working: tuple[Calendar, datetime], days: int, later_us: int
) -> None:
    calendar, start = working
    later = start + timedelta(microseconds=later_us)
    due, later_due = business_days_after(calendar, start, days), business_days_after(calendar, later, days)
    assert next_open(calendar, start) < due <= later_due


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("month", [3, 4, 9, 10, 11])
def test_no_start_around_a_change_of_the_clocks_is_due_before_an_earlier_one(zone: str, month: int) -> None:
    around_the_clock = Calendar("all", zone, {day: [(0, DAY_S)] for day in range(7)})
    first = datetime(2025, month, 1, tzinfo=UTC)
    dues = [business_days_after(around_the_clock, first + timedelta(minutes=15 * n), 1) for n in range(31 * 96)]
    assert dues == sorted(dues)
