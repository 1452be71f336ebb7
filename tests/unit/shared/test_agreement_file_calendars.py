"""Dates with other hours, and dates that are closed in part, as an agreement file writes them; and promises of feedback
and pauses."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.agreement_file import AgreementRefused, parse
from shared.agreement_text.diff import differences
from shared.agreement_text.explain import explained
from shared.domain.agreement import Agreement, Duration, Pause
from shared.domain.business_time import deadline
from shared.domain.calendar import Calendar
from tests.kit.agreements import agreement_text

CASES = Path(__file__).parents[2] / "data" / "business_time_cases.jsonl"
SCHEDULES = [
    each["schedule"]
    for each in map(json.loads, CASES.read_text(encoding="utf-8").splitlines())
    if each["schedule"].get("breaks") or each["schedule"].get("shifts")
]
TEXT = agreement_text()
OFFICE = next(line for line in TEXT.split("\n") if "hours:" in line)
H = 3600


def read(calendar: str, text: str = TEXT) -> Agreement:
    return parse(text.replace(OFFICE, f"  always: {calendar}"), "deal.yaml").agreement


def office(more: str) -> Calendar:
    return read(f"{{timezone: Europe/Brussels, hours: {{mon-fri: [09:00-17:00]}}, {more}}}").calendars["always"]


def refusal_of(more: str) -> str:
    with pytest.raises(AgreementRefused) as refused:
        office(more)
    [finding] = refused.value.findings
    return str(finding)


def test_every_collected_schedule_with_breaks_or_shifts_can_be_written_and_means_the_same() -> None:
    assert len(SCHEDULES) > 10
    for schedule in SCHEDULES:
        shifts = [{"on": on, "hours": _hours(spans)} for on, spans in schedule.get("shifts", {}).items() if spans]
        breaks = [{"on": on, "hours": _hours(spans)} for on, spans in schedule.get("breaks", {}).items()]
        off = [on for on, spans in schedule.get("shifts", {}).items() if not spans]
        written = {
            "timezone": schedule["timezone"],
            "hours": {day: _hours(spans) for day, spans in schedule["weekly"].items() if spans},
            "closed": [*{*schedule.get("holidays", []), *off} - {each["on"] for each in shifts}, *breaks],
            "open": shifts,
        }
        holidays = {date.fromisoformat(on) for on in written["closed"] if isinstance(on, str)}
        found = read(json.dumps(written)).calendars["always"]
        assert found.holidays == holidays
        assert {str(on): _hours_of(spans) for on, spans in found.breaks.items()} == {
            each["on"]: each["hours"] for each in breaks
        }
        assert {str(on): _hours_of(spans) for on, spans in found.shifts.items()} == {
            each["on"]: each["hours"] for each in shifts
        }


def _hours(spans: list[list[str]]) -> list[str]:
    return sorted(f"{opens[:5]}-{closes[:5]}" for opens, closes in spans)


def _hours_of(spans: Any) -> list[str]:
    return [f"{a // H:02}:{a // 60 % 60:02}-{b // H:02}:{b // 60 % 60:02}" for a, b in spans]


@pytest.mark.parametrize(
    ("closed", "breaks"),
    [
        ('{on: 2026-12-24, from: "12:00"}', [(12 * H, 24 * H)]),
        ("{on: 2026-12-24, to: 12:00}", [(0, 12 * H)]),
        ("{on: 2026-12-24, from: 12:00, to: 13:30}", [(12 * H, 13 * H + 1800)]),
        ("{on: 2026-12-24, hours: [10:00-11:00, 15:00-16:00]}", [(10 * H, 11 * H), (15 * H, 16 * H)]),
        ("{on: 2026-12-24, from: 12:00}, {on: 2026-12-24, to: 10:00}", [(0, 10 * H), (12 * H, 24 * H)]),
    ],
)
def test_part_of_a_date_is_closed(closed: str, breaks: list[tuple[int, int]]) -> None:
    found = office(f"closed: [{closed}]")
    assert found.breaks == {date(2026, 12, 24): tuple(breaks)}
    assert found.holidays == frozenset()


def test_a_date_alone_and_one_without_hours_are_closed_all_day() -> None:
    found = office("closed: [2026-12-24, {on: 2026-12-25}, {on: 2026-12-26, from: 00:00, to: 24:00}]")
    assert found.holidays == {date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)}
    assert found.breaks == {}


def test_a_clock_stops_in_a_closed_afternoon_and_runs_in_the_hours_of_an_open_saturday() -> None:
    found = office("closed: [{on: 2026-12-24, from: 12:00}], open: [{on: 2026-12-26, hours: [10:00-11:00]}]")
    thursday = datetime(2026, 12, 24, 10, 30, tzinfo=UTC)  # 11:30 in Brussels
    assert deadline(found, thursday, 3600) == datetime(2026, 12, 25, 8, 30, tzinfo=UTC)
    friday = datetime(2026, 12, 25, 15, 30, tzinfo=UTC)
    assert deadline(found, friday, 3600) == datetime(2026, 12, 26, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("closed: [{from: 12:00}]", "write the date and what is closed on it"),
        ("closed: [{on: 2026-12-24, form: 12:00}]", "write the date and what is closed on it"),
        ("closed: [{on: 2026-12-24, from: 12:00, to: 09:00}]", "`from` must come before `to` on the same date"),
        ("closed: [{on: 2026-12-24, from: 25:00}]", "`25:00` is no time of day: write it like `12:00`"),
        ("closed: [{on: 2026-12-24, from: 12:00, hours: [10:00-11:00]}]", "write `hours`, or `from` and `to`"),
        ("closed: [{on: 2026-12-24, hours: []}]", "list the hours that are closed"),
        ("closed: [2026-12-24], open: [{on: 2026-12-24, hours: [09:00-12:00]}]", "is listed under `closed` as well"),
        ("open: [{on: 2026-12-24, hours: []}]", "`hours` is empty: write at least one"),
        (
            "open: [{on: 2026-12-19, hours: [09:00-12:00]}, {on: 2026-12-19, hours: [13:00-14:00]}]",
            "2026-12-19 is listed twice",
        ),
    ],
)
def test_dates_that_make_no_sense_are_refused_with_what_would_be_right(more: str, says: str) -> None:
    assert says in refusal_of(more)


def test_hours_on_a_public_holiday_have_no_effect_and_the_check_says_so() -> None:
    calendar = "{hours: {mon-fri: [09:00-17:00]}, holidays: [BE], open: [{on: 2026-12-25, hours: [10:00-11:00]}]}"
    loaded = parse(TEXT.replace(OFFICE, f"  always: {calendar}"), "deal.yaml")
    assert any("2026-12-25 is a public holiday" in str(warning) for warning in loaded.warnings)
    assert date(2026, 12, 25) in loaded.agreement.calendars["always"].holidays


def test_what_changed_about_single_dates_is_said_in_words() -> None:
    usual = "{hours: {mon-fri: [09:00-17:00]}}"
    other = "{hours: {mon-fri: [09:00-17:00]}, closed: [{on: 2026-12-24, from: 12:00}]}"
    [news] = [each for each in differences(read(usual), read(other)) if "24 December" in str(each)]
    assert "the breaks of 24 December 2026 is now 12:00–24:00" in str(news)


def test_sales_promises_feedback_which_an_objection_of_the_buyer_keeps_too() -> None:
    feedback = "    feedback: {within: 5 business days, met_by: [accepted, rejected, objection], ladder: response}\n"
    found = read(OFFICE.partition(":")[2], TEXT.replace("  sales:\n", "  sales:\n" + feedback)).promises["feedback"]
    assert found.met_by == ("accepted", "rejected", "objection")
    assert found.within.days == 5
    calls = feedback.replace("accepted, rejected, objection", "call")
    with pytest.raises(AgreementRefused, match="`feedback` is met by what sales says about the lead"):
        read(OFFICE.partition(":")[2], TEXT.replace("  sales:\n", "  sales:\n" + calls))


PAUSABLE = """    attempts: {at_least: 3, within: 5 business days, met_by: [call], ladder: response}
    disposition: {within: 3 business days, met_by: [accepted, rejected], ladder: response}
"""


def pausing(written: str, more: str = PAUSABLE) -> Agreement:
    text = TEXT.replace("  sales:\n", f"  sales:\n{more}    pause: {written}\n")
    return parse(text, "deal.yaml").agreement


def test_promises_after_the_first_response_may_be_paused() -> None:
    found = {name: promise.pause for name, promise in pausing("{at_most: 5 business days, times: 2}").promises.items()}
    pause = Pause(Duration(0, True, "5 business days", 5), 2)
    assert found == {"first_response": None, "attempts": pause, "disposition": pause}
    some = pausing("{at_most: 30 minutes, promises: [attempts]}").promises
    assert [name for name, promise in some.items() if promise.pause] == ["attempts"]
    assert some["attempts"].pause == Pause(Duration(1800, False, "30 minutes"))


@pytest.mark.parametrize(
    ("written", "more", "says"),
    [
        ("{times: 2}", PAUSABLE, "`at_most` is missing here"),
        ("{at_most: 61 business days}", PAUSABLE, "too long for a pause"),
        ("{at_most: 91 days}", PAUSABLE, "too long for a pause"),
        ("{at_most: 1 hour, times: 10}", PAUSABLE, "`times` should be 9 or less"),
        ("{at_most: 1 hour, promises: [first_response]}", PAUSABLE, "use attempts, disposition or feedback"),
        ("{at_most: 1 hour, promises: [feedback]}", PAUSABLE, "unknown promise `feedback`"),
        ("{at_most: 1 hour}", "", "there is no promise to pause"),
    ],
)
def test_a_pause_without_a_bound_or_a_promise_is_refused(written: str, more: str, says: str) -> None:
    with pytest.raises(AgreementRefused) as refused:
        pausing(written, more)
    assert says in str(refused.value.findings[0])


def test_a_pause_is_explained_and_compared_in_words() -> None:
    lines = [line for section in explained(pausing("{at_most: 5 business days}")) for line in section.sentences]
    assert any("Its clock may stand still for 1 pause of 5 working days at most." in line for line in lines)
    news = differences(pausing("{at_most: 1 hour}"), pausing("{at_most: 5 business days, times: 2}"))
    changed = "how long it may be paused is now 2 times 5 working days at most (was 1 time 1 hour at most)"
    assert any(changed in str(each) for each in news)
