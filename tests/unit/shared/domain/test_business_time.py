"""Business time answers as the collected cases say, and as its own rules say where no case reaches."""

import doctest
import json
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain import business_time, calendar, open_time
from shared.domain.business_time import (
    NeverCloses,
    NeverOpens,
    Pause,
    add_business_days,
    before,
    deadline,
    elapsed,
    intervals,
    is_open,
    last_open,
    next_close,
    next_open,
    next_open_strict,
    prev_open,
)
from shared.domain.calendar import ALWAYS, Calendar, Span
from shared.domain.errors import Refused

DATA = Path(__file__).parents[3] / "data" / "business_time_cases.jsonl"
CASES = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
H = 3600
NIGHTS = {key: [(22 * H, 6 * H)] for key in range(5)}
OFFICE = Calendar("office", "UTC", {key: [(9 * H, 17 * H)] for key in range(5)})


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def seconds(text: str) -> int:
    if text == "24:00":
        return 24 * H
    at = time.fromisoformat(text)
    return at.hour * H + at.minute * 60 + at.second


def spans(listed: list[list[str]]) -> list[Span]:
    return [(seconds(opens), seconds(closes)) for opens, closes in listed]


def calendar_of(schedule: dict[str, Any]) -> Calendar:
    return Calendar(
        name="case",
        zone=schedule["timezone"],
        weekly={WEEKDAYS.index(day): spans(listed) for day, listed in schedule["weekly"].items()},
        holidays={date.fromisoformat(day) for day in schedule["holidays"]},
        breaks={date.fromisoformat(d): spans(listed) for d, listed in schedule.get("breaks", {}).items()},
        shifts={date.fromisoformat(d): spans(listed) for d, listed in schedule.get("shifts", {}).items()},
    )


ANSWERS: dict[str, Callable[[Calendar, datetime, dict[str, Any], list[Pause]], Any]] = {
    "deadline": lambda cal, start, case, pauses: deadline(cal, start, case["duration_s"], pauses),
    "before": lambda cal, start, case, pauses: before(cal, start, case["duration_s"], pauses),
    "elapsed": lambda cal, start, case, pauses: elapsed(cal, start, instant(case["end"]), pauses),
    "is_open": lambda cal, start, case, pauses: is_open(cal, start),
    "next_open": lambda cal, start, case, pauses: next_open(cal, start),
    "next_open_strict": lambda cal, start, case, pauses: next_open_strict(cal, start),
    "next_close": lambda cal, start, case, pauses: next_close(cal, start),
    "last_open": lambda cal, start, case, pauses: last_open(cal, start),
    "prev_open": lambda cal, start, case, pauses: prev_open(cal, start),
    "intervals": lambda cal, start, case, pauses: intervals(cal, start, case["count"]),
    "add_business_days": lambda cal, start, case, pauses: add_business_days(cal, start, case["n"]),
}


def read_expected(value: Any) -> Any:
    if isinstance(value, str):
        return instant(value)
    if isinstance(value, list):
        return [(instant(opening), instant(close)) for opening, close in value]
    return value


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_answers_as_the_collected_case_says(case: dict[str, Any]) -> None:
    pauses: list[Pause] = [(instant(begin), instant(stop)) for begin, stop in case.get("pauses", [])]
    subject, start, answer = calendar_of(case["schedule"]), instant(case["start"]), ANSWERS[case["op"]]
    expected = read_expected(case.get("expected_canonical", case["expected"]))
    if expected is None:
        with pytest.raises(NeverOpens):
            answer(subject, start, case, pauses)
    else:
        assert answer(subject, start, case, pauses) == expected


@pytest.mark.parametrize("module", [calendar, open_time, business_time], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_are_true(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


def test_a_start_in_another_zone_is_the_same_instant_and_the_answer_is_utc() -> None:
    due = deadline(OFFICE, datetime.fromisoformat("2026-11-20T17:00+01:00"), 2 * H)
    assert due.isoformat() == "2026-11-23T10:00:00+00:00"
    assert due.tzinfo is UTC


def test_fractions_of_a_second_survive() -> None:
    start = instant("2026-11-20T16:59:59.250001Z")
    assert deadline(OFFICE, start, 1) == instant("2026-11-23T09:00:00.250001Z")
    assert elapsed(OFFICE, start, instant("2026-11-23T09:00:00.5Z")) == 1.249999
    assert deadline(OFFICE, instant("2026-11-20T12:00Z"), 0.1) == instant("2026-11-20T12:00:00.1Z")


@pytest.mark.parametrize("length", [-1, -0.001, float("nan"), float("inf"), 1e12])
def test_a_duration_that_cannot_be_meant_is_refused(length: float) -> None:
    for move in (deadline, before):
        with pytest.raises(Refused, match="a duration is 0 to"):
            move(OFFICE, instant("2026-11-20T12:00Z"), length)


def test_zero_is_due_at_once_even_when_the_calendar_never_opens_or_the_clock_is_paused() -> None:
    start = instant("2026-11-21T12:00:00.5Z")
    never = Calendar("never", "UTC", {})
    assert deadline(never, start, 0) == before(never, start, 0) == start
    assert deadline(OFFICE, start, 0, [(start, None)]) == start


def test_a_calendar_that_never_opens_says_so_instead_of_looping() -> None:
    start = instant("2026-11-20T12:00Z")
    never = Calendar("leavers", "Europe/Brussels", {})
    for move in (next_open, next_open_strict, next_close, last_open, prev_open):
        with pytest.raises(NeverOpens, match="leavers"):
            move(never, start)
    for days in (-1, 0, 1):
        with pytest.raises(NeverOpens, match="leavers"):
            add_business_days(never, start, days)
    for count in (deadline, before):
        with pytest.raises(NeverOpens, match="give it hours"):
            count(never, start, 1)
    assert not is_open(never, start)
    assert elapsed(never, start, start + timedelta(days=400)) == 0


def test_a_calendar_that_has_closed_for_good_still_knows_its_past() -> None:
    gone = Calendar("gone", "UTC", {}, shifts={date(2026, 1, 5): [(9 * H, 17 * H)]})
    assert before(gone, instant("2026-11-20T12:00Z"), H) == instant("2026-01-05T16:00Z")
    assert last_open(gone, instant("2026-11-20T12:00Z")) == instant("2026-01-05T17:00Z")
    with pytest.raises(NeverOpens):
        deadline(gone, instant("2026-01-05T16:00Z"), H + 1)


def test_an_opening_just_under_a_year_away_is_found() -> None:
    rare = Calendar("rare", "UTC", {}, shifts={date(2027, 11, 20): [(9 * H, 17 * H)]})
    assert deadline(rare, instant("2026-11-20T12:00Z"), H) == instant("2027-11-20T10:00Z")
    assert next_open(rare, instant("2026-11-20T12:00Z")) == instant("2027-11-20T09:00Z")


def test_always_open_counts_wall_time_and_has_no_close() -> None:
    start = instant("2026-10-24T12:00Z")
    brussels = Calendar("round the clock", "Europe/Brussels", ALWAYS.weekly)
    for around in (ALWAYS, brussels):
        assert around.always
        assert deadline(around, start, 25 * H) == start + timedelta(hours=25)
        assert before(around, start, 25 * H) == start - timedelta(hours=25)
        assert elapsed(around, start, start + timedelta(days=2)) == 2 * 24 * H
        assert next_open(around, start) == last_open(around, start) == start
        for move in (next_close, next_open_strict, prev_open):
            with pytest.raises(NeverCloses):
                move(around, start)


def test_one_holiday_is_enough_to_stop_being_always_open() -> None:
    feast = Calendar("feast", "Europe/Brussels", ALWAYS.weekly, holidays={date(2026, 12, 25)})
    assert not feast.always
    assert next_close(feast, instant("2026-12-01T00:00Z")) == instant("2026-12-24T23:00Z")
    assert prev_open(feast, instant("2027-03-01T00:00Z")) == instant("2026-12-25T23:00Z")


def test_hours_written_as_one_whole_day_from_any_time_are_around_the_clock() -> None:
    odd = Calendar("odd", "Europe/Brussels", {key: [(9 * H, 9 * H)] for key in range(7)})
    start = instant("2026-10-24T12:00Z")
    assert deadline(odd, start, 30 * H) == start + timedelta(hours=30)


def test_a_holiday_cuts_only_the_hours_of_a_night_that_fall_on_it() -> None:
    night = Calendar("night", "UTC", NIGHTS, holidays={date(2026, 11, 18)})
    assert intervals(night, instant("2026-11-17T12:00Z"), 2) == [
        (instant("2026-11-17T22:00Z"), instant("2026-11-18T00:00Z")),
        (instant("2026-11-19T00:00Z"), instant("2026-11-19T06:00Z")),
    ]


def test_a_holiday_wins_over_a_shift_on_the_same_date() -> None:
    rota = Calendar(
        "rota", "UTC", OFFICE.weekly, holidays={date(2026, 11, 20)}, shifts={date(2026, 11, 20): [(8 * H, 9 * H)]}
    )
    assert next_open(rota, instant("2026-11-20T00:00Z")) == instant("2026-11-23T09:00Z")


def test_a_shift_replaces_the_hours_of_its_date_and_what_spills_into_it() -> None:
    rota = Calendar("rota", "UTC", NIGHTS, shifts={date(2026, 11, 18): [(9 * H, 12 * H)]})
    assert intervals(rota, instant("2026-11-17T12:00Z"), 3) == [
        (instant("2026-11-17T22:00Z"), instant("2026-11-18T00:00Z")),
        (instant("2026-11-18T09:00Z"), instant("2026-11-18T12:00Z")),
        (instant("2026-11-19T22:00Z"), instant("2026-11-20T06:00Z")),
    ]


def test_an_overnight_shift_and_an_overnight_break_run_into_the_next_date() -> None:
    rota = Calendar(
        "rota",
        "UTC",
        {},
        shifts={date(2026, 11, 18): [(20 * H, 8 * H)]},
        breaks={date(2026, 11, 18): [(23 * H, 1 * H)]},
    )
    assert intervals(rota, instant("2026-11-17T12:00Z"), 2) == [
        (instant("2026-11-18T20:00Z"), instant("2026-11-18T23:00Z")),
        (instant("2026-11-19T01:00Z"), instant("2026-11-19T08:00Z")),
    ]


def test_an_empty_shift_closes_its_date() -> None:
    off = Calendar("off", "UTC", OFFICE.weekly, shifts={date(2026, 11, 20): []})
    assert next_open(off, instant("2026-11-20T09:30Z")) == instant("2026-11-23T09:00Z")


def test_hours_that_a_clock_change_pushes_into_a_holiday_do_not_count() -> None:
    # Nuuk went from 23:00 on Saturday 30 March 2024 straight to Sunday 00:00.
    late = {5: [(20 * H, 23 * H + 1800)]}
    assert next_close(Calendar("n", "America/Nuuk", late), instant("2024-03-30T23:00Z")) == instant("2024-03-31T01:30Z")
    closed = Calendar("n", "America/Nuuk", late, holidays={date(2024, 3, 31)})
    assert next_close(closed, instant("2024-03-30T23:00Z")) == instant("2024-03-31T01:00Z")


def test_a_date_that_the_zone_skipped_has_no_hours() -> None:
    apia = Calendar("apia", "Pacific/Apia", {key: [(9 * H, 17 * H)] for key in range(7)})
    thursday = instant("2011-12-30T02:00Z")
    assert deadline(apia, thursday, 2 * H) == instant("2011-12-30T20:00Z")
    assert add_business_days(apia, instant("2011-12-29T20:00Z"), 1) == instant("2011-12-30T20:00Z")


def test_the_hours_of_a_skipped_date_do_not_move_to_the_next() -> None:
    # There was no Friday 30 December 2011 in Apia; Saturday is closed here.
    fridays = Calendar("apia", "Pacific/Apia", {4: [(9 * H, 17 * H)]})
    assert next_open(fridays, instant("2011-12-29T20:00Z")) == instant("2012-01-05T19:00Z")


def test_a_business_day_later_keeps_the_fraction_of_the_second() -> None:
    start = instant("2026-11-20T12:00:00.250001Z")
    assert add_business_days(OFFICE, start, 1) == instant("2026-11-23T12:00:00.250001Z")


def test_counting_back_to_the_end_of_a_pause_stops_there() -> None:
    pauses: list[Pause] = [(instant("2026-11-20T10:00Z"), instant("2026-11-20T11:00Z"))]
    assert before(OFFICE, instant("2026-11-20T12:00Z"), H, pauses) == instant("2026-11-20T11:00Z")


def test_overlapping_unordered_pauses_count_once() -> None:
    start = instant("2026-11-20T10:00Z")
    pauses: list[Pause] = [
        (instant("2026-11-20T11:00Z"), instant("2026-11-20T12:00Z")),
        (instant("2026-11-20T10:30Z"), instant("2026-11-20T11:30Z")),
        (instant("2026-11-20T10:45Z"), instant("2026-11-20T10:50Z")),
        (instant("2026-11-20T10:10Z"), instant("2026-11-20T10:05Z")),
        (instant("2026-11-20T20:00Z"), instant("2026-11-21T20:00Z")),
    ]
    due = instant("2026-11-20T13:30Z")
    assert deadline(OFFICE, start, 2 * H, pauses) == due
    assert elapsed(OFFICE, start, due, pauses) == 2 * H
    assert before(OFFICE, due, 2 * H, pauses) == start


def test_a_pause_moves_a_deadline_only_when_it_begins_before_it() -> None:
    start = instant("2026-11-20T10:00Z")
    assert deadline(OFFICE, start, H, [(instant("2026-11-20T11:00Z"), None)]) == instant("2026-11-20T11:00Z")
    with pytest.raises(NeverOpens, match="paused from 2026-11-20T10:59:59"):
        deadline(OFFICE, start, H, [(instant("2026-11-20T10:59:59Z"), None)])


def test_an_open_ended_pause_stops_the_count_of_elapsed_time() -> None:
    pauses: list[Pause] = [(instant("2026-11-20T11:00Z"), None)]
    assert elapsed(OFFICE, instant("2026-11-20T10:00Z"), instant("2026-11-27T10:00Z"), pauses) == H
    assert before(OFFICE, instant("2026-11-27T10:00Z"), H, pauses) == instant("2026-11-20T10:00Z")


def test_equal_content_is_one_calendar_with_one_version() -> None:
    first = Calendar("a", "UTC", {0: [(9 * H, 12 * H), (13 * H, 17 * H)]}, {date(2026, 1, 1), date(2026, 12, 25)})
    again = Calendar(
        "a", "UTC", {1: [], 0: [(13 * H, 17 * H), (9 * H, 12 * H)]}, {date(2026, 12, 25), date(2026, 1, 1)}
    )
    assert first == again
    assert hash(first) == hash(again)
    assert first.version == again.version
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301


@pytest.mark.parametrize(
    "change",
    [
        {"zone": "Europe/Brussels"},
        {"weekly": {0: [(9 * H, 17 * H + 1)]}},
        {"weekly": {1: [(9 * H, 17 * H)]}},
        {"holidays": {date(2026, 12, 25)}},
        {"breaks": {date(2026, 12, 24): [(12 * H, 24 * H)]}},
        {"shifts": {date(2026, 12, 24): [(12 * H, 24 * H)]}},
        {"shifts": {date(2026, 12, 24): []}},
    ],
    ids=str,
)
def test_every_change_of_the_hours_is_a_new_version(change: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"name": "a", "zone": "UTC", "weekly": {0: [(9 * H, 17 * H)]}}
    assert Calendar(**(plain | change)).version != Calendar(**plain).version


def test_a_new_name_keeps_the_version_and_later_edits_of_the_input_do_not_reach_the_value() -> None:
    hours = {0: [(9 * H, 17 * H)]}
    first = Calendar("a", "UTC", hours)
    hours[1] = [(9 * H, 17 * H)]
    assert first.version == Calendar("b", "UTC", {0: [(9 * H, 17 * H)]}).version
    assert next_open(first, instant("2026-11-24T10:00Z")) == instant("2026-11-30T09:00Z")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"zone": "Mars/Base"}, "'Mars/Base' is not a time zone"),
        ({"zone": "../etc/passwd"}, "is not a time zone"),
        ({"zone": ""}, "is not a time zone"),
        ({"weekly": {7: [(0, H)]}}, "weekdays are 0"),
        ({"weekly": {0: [(24 * H, H)]}}, "weekday 0"),
        ({"weekly": {0: [(H, 25 * H)]}}, "weekday 0"),
        ({"breaks": {date(2026, 1, 1): [(-1, H)]}}, "break on 2026-01-01"),
        ({"shifts": {date(2026, 1, 1): [(0, -1)]}}, "shift on 2026-01-01"),
    ],
    ids=str,
)
def test_a_calendar_that_makes_no_sense_is_refused_with_the_place(wrong: dict[str, Any], says: str) -> None:
    plain: dict[str, Any] = {"name": "desk", "zone": "UTC", "weekly": {}}
    with pytest.raises(Refused, match=says) as refusal:
        Calendar(**(plain | wrong))
    assert "desk" in str(refusal.value)


def test_the_cache_of_weeks_is_bounded() -> None:
    assert open_time.week.cache_info().maxsize == 16_384
