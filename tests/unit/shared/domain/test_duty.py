"""Who is on duty: one person at a time, in equal turns that begin at the same local time all year."""

import doctest
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain import duty
from shared.domain.duty import Duty, OnDuty, Rota, Shift, gaps, on_duty

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
ZONES = ("Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Africa/Casablanca")
WEEKLY = Rota(("lea", "tom"), 7 * 86_400, datetime.fromisoformat("2026-01-05T09:00"), "Europe/Brussels")
YEAR = datetime(2026, 1, 5, 8, tzinfo=UTC)

people = st.lists(st.sampled_from(["ann", "bob", "cleo"]), min_size=1, max_size=5).map(tuple)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
turns = st.one_of(st.sampled_from([86_400, 7 * 86_400]), st.integers(3_600, 40 * 86_400))
rotas = st.builds(
    Rota,
    people,
    turns,
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)


@st.composite
def shifts(draw: st.DrawFn) -> tuple[Shift, ...]:
    """Shifts in order that do not overlap."""
    edges = sorted(draw(st.lists(instants, max_size=8, unique=True)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Shift(draw(st.sampled_from(["ann", "bob"])), *pair) for pair in pairs)


@st.composite
def duties(draw: st.DrawFn) -> Duty:
    """A role that is filled in any of the three ways, with overrides."""
    overrides = draw(shifts())
    kind = draw(st.sampled_from(["always", "rota", "calendar"]))
    if kind == "always":
        return Duty(always="mia", overrides=overrides)
    if kind == "rota":
        return Duty(rota=draw(rotas), overrides=overrides)
    return Duty(calendar="rota.ics", shifts=draw(shifts()), overrides=overrides)


def now(whose: Duty, at: datetime, *overrides: Shift) -> OnDuty:
    return on_duty({"ops": whose}, "ops", at, overrides)


def handovers(rota: Rota, since_at: datetime, count: int) -> list[tuple[datetime, str | None]]:
    """The first changes of turn after an instant, each with who comes on duty."""
    found, at = list[tuple[datetime, str | None]](), since_at
    for _ in range(count):
        until_at = now(Duty(rota=rota), at).until_at
        assert until_at is not None
        at = until_at
        found.append((at, now(Duty(rota=rota), at).person))
    return found


def test_the_examples_in_the_docstrings_are_true() -> None:
    results = doctest.testmod(duty)
    assert results.attempted
    assert not results.failed


def test_nobody_is_a_role_that_no_one_has_and_one_person_may_always_be_it() -> None:
    assert on_duty({}, "ops", YEAR) == OnDuty()
    assert now(Duty(always="mia"), YEAR) == OnDuty("mia")


def test_nobody_is_on_duty_before_the_first_turn() -> None:
    first_at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert now(Duty(rota=WEEKLY), first_at - timedelta(microseconds=1)) == OnDuty(None, first_at)
    assert now(Duty(rota=WEEKLY), first_at - 52 * WEEK) == OnDuty(None, first_at)
    assert now(Duty(rota=WEEKLY), first_at) == OnDuty("lea", first_at + WEEK)


@pytest.mark.parametrize("zone", ["Europe/Brussels", "America/New_York", "Australia/Lord_Howe"])
def test_weekly_turns_begin_at_the_same_local_time_across_both_clock_changes(zone: str) -> None:
    rota = Rota(WEEKLY.people, WEEKLY.turn_s, WEEKLY.starts, zone)
    year = handovers(rota, YEAR - 2 * WEEK, 53)
    assert {at.astimezone(ZoneInfo(zone)).strftime("%a %H:%M") for at, _ in year} == {"Mon 09:00"}
    assert [person for _, person in year[:4]] == ["lea", "tom", "lea", "tom"]
    lengths = {after - before for (before, _), (after, _) in pairwise(year)}
    half = timedelta(minutes=30) if zone == "Australia/Lord_Howe" else HOUR
    assert lengths == {WEEK, WEEK - half, WEEK + half}


def test_a_turn_in_the_hour_that_comes_twice_begins_once() -> None:
    rota = Rota(("lea", "tom"), 86_400, datetime.fromisoformat("2026-10-24T02:30"), "Europe/Brussels")
    first_pass = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in summer time
    assert now(Duty(rota=rota), first_pass - timedelta(seconds=1)).person == "lea"
    for minutes in range(0, 24 * 60, 10):
        assert now(Duty(rota=rota), first_pass + timedelta(minutes=minutes)).person == "tom"


def test_a_turn_in_the_hour_that_the_clock_skips_begins_an_hour_later() -> None:
    rota = Rota(("lea", "tom"), 86_400, datetime.fromisoformat("2026-03-28T02:30"), "Europe/Brussels")
    assert handovers(rota, datetime(2026, 3, 28, 12, tzinfo=UTC), 2) == [
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "tom"),
        (datetime(2026, 3, 30, 0, 30, tzinfo=UTC), "lea"),
    ]


def test_an_override_wins_and_a_later_one_wins_over_an_earlier_one() -> None:
    whose = Duty(rota=WEEKLY, overrides=(Shift("eve", YEAR + HOUR, YEAR + 5 * HOUR),))
    newest = Shift("max", YEAR + 2 * HOUR, YEAR + 3 * HOUR)
    assert [now(whose, YEAR + hour * HOUR, newest).person for hour in range(6)] == [
        *("lea", "eve", "max", "eve", "eve", "lea")
    ]
    assert [now(whose, YEAR + hour * HOUR, newest).until_at for hour in (0, 1, 2, 3, 5)] == [
        *(YEAR + hour * HOUR for hour in (1, 2, 3, 5)),
        YEAR + WEEK,
    ]


def test_an_override_fills_a_gap() -> None:
    before = YEAR - WEEK
    whose = Duty(rota=WEEKLY, overrides=(Shift("eve", before + HOUR, before + 2 * HOUR),))
    assert list(gaps({"ops": whose}, "ops", before, YEAR + WEEK)) == [
        (before, before + HOUR),
        (before + 2 * HOUR, YEAR),
    ]


@pytest.mark.parametrize("turn_s", [60, 3_600, 7 * 86_400])
@pytest.mark.parametrize("at", [datetime.min, datetime(2099, 12, 31), datetime.max])  # noqa: DTZ001, DTZ901
def test_any_instant_and_any_turn_take_bounded_work(turn_s: int, at: datetime) -> None:
    whose = Duty(rota=Rota(("lea", "tom"), turn_s, WEEKLY.starts, "Europe/Brussels"))
    began_s = time.process_time()
    found = now(whose, at.replace(tzinfo=UTC))
    assert time.process_time() - began_s < 0.5
    assert (found.person is None) == (at.year < 2026)


@given(duties(), instants, shifts())
def test_who_is_on_duty_stays_so_until_it_may_change(whose: Duty, at: datetime, stored: tuple[Shift, ...]) -> None:
    found = now(whose, at, *stored)
    if found.until_at is None:
        assert now(whose, datetime(2099, 1, 1, tzinfo=UTC), *stored).person == found.person
        return
    assert found.until_at > at
    last_at = found.until_at - timedelta(microseconds=1)
    for part in (0.1, 0.5, 0.9):
        assert now(whose, at + (last_at - at) * part, *stored) == found
    assert now(whose, last_at, *stored) == found
    edges = {edge for shift in (*whose.shifts, *whose.overrides, *stored) for edge in (shift.starts_at, shift.ends_at)}
    assert whose.rota or found.until_at in edges


@given(duties(), instants, shifts())
def test_overrides_win(whose: Duty, at: datetime, stored: tuple[Shift, ...]) -> None:
    covering = [each for each in (*whose.overrides, *stored) if each.starts_at <= at < each.ends_at]
    assume(covering)
    assert now(whose, at, *stored).person == covering[-1].person


@given(rotas, st.integers(1, 6))
def test_everyone_has_an_equal_share_of_turns_in_their_order(rota: Rota, rounds: int) -> None:
    begins_at = rota.starts.replace(tzinfo=ZoneInfo(rota.zone)).astimezone(UTC)
    turns = len(rota.people) * rounds
    taken = [person for _, person in handovers(rota, begins_at - timedelta(microseconds=1), turns)]
    assume(len(taken) == turns)
    # A turn of an hour may fall into the hour that the clock skips.
    assume(rota.turn_s > 7_200)
    assert taken == list(rota.people) * rounds
    assert Counter(taken) == {person: rounds * rota.people.count(person) for person in rota.people}


@given(rotas, instants)
def test_a_turn_begins_at_its_local_time(rota: Rota, at: datetime) -> None:
    until_at = now(Duty(rota=rota), at).until_at
    assert until_at is not None
    local = until_at.astimezone(ZoneInfo(rota.zone)).replace(tzinfo=None)
    off = (local - rota.starts) % timedelta(seconds=rota.turn_s)
    assert min(off, timedelta(seconds=rota.turn_s) - off) in (timedelta(), timedelta(minutes=30), HOUR)
    if off:  # only where the clock skips that time
        assert (local - off).replace(tzinfo=ZoneInfo(rota.zone)).astimezone(UTC) == until_at


@given(duties(), instants, instants)
def test_gaps_are_all_the_times_at_which_nobody_is_on_duty(whose: Duty, since_at: datetime, at: datetime) -> None:
    until_at = since_at + timedelta(days=90)
    found = list(gaps({"ops": whose}, "ops", since_at, until_at))
    times = [edge for gap in found for edge in gap]
    assert times == sorted(set(times))
    assert all(since_at <= edge <= until_at for edge in times)
    at = since_at + (at - datetime(2026, 1, 1, tzinfo=UTC)) % (until_at - since_at)
    assert (now(whose, at).person is None) == any(begins_at <= at < ends_at for begins_at, ends_at in found)
