"""Days off from calendar files: whatever the file holds, they are read or refused with a reason."""

from contextlib import suppress
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.api import calendar_file
from services.router.domain.availability import Leave
from shared.calendar_events import MAX_EVENTS, MAX_LINES
from shared.domain.errors import Refused

days_off = partial(calendar_file.days_off, zone=ZoneInfo("Europe/Brussels"), today=date(2026, 11, 27))


def file(*lines: str, events: int = 1) -> bytes:
    event = "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])
    return "\r\n".join(["BEGIN:VCALENDAR", *[event] * events, "END:VCALENDAR", ""]).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART;VALUE=DATE:00010101"],
        ["DTSTART;VALUE=DATE:99991231"],
        ["DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:99991231"],
        ["DTSTART;VALUE=DATE:20260101", "DURATION:P99999999D"],
        ["DTSTART;VALUE=DATE:20260101", "DURATION:P99999999999999D"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=SECONDLY;UNTIL=99991231"],
        ["DTSTART;VALUE=DATE:20260101", "DTSTART;VALUE=DATE:20260102"],
        ["DTSTART;VALUE=TIME:101010"],
        ["DTSTART;VALUE=PERIOD:20260101T000000Z/P1D"],
        ["DTSTART:garbage"],
        ["DTSTART;TZID=Europe:20260101T000000"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;INTERVAL=0"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=WEEKLY", "RRULE:FREQ=DAILY"],
        ["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;BYSETPOS=0"],
        ["DTSTART:20261201T000000Z", "RDATE;VALUE=PERIOD:20261203T000000Z/P1D"],
        ["DTSTART:20261201T000000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20261201T000000Z"],
        ["SUMMARY:no beginning"],
    ],
)
def test_an_event_that_can_not_be_an_absence_is_refused_with_a_reason(lines: list[str]) -> None:
    with pytest.raises(Refused):
        days_off(file(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART;VALUE=DATE:20260101", "DTEND:20260102T000000Z"],
        ["DTSTART:20260101T000000Z", "DTEND;VALUE=DATE:20260102"],
        ["DTSTART:20260101T000000Z", "DTEND:20260102T000000"],
        ["DTSTART;TZID=Nowhere/At_All:20260101T000000"],
        ["DTSTART:20260101T000000", "DURATION:-P9D"],
    ],
)
def test_dates_and_times_of_different_kinds_in_one_event_are_read(lines: list[str]) -> None:
    assert len(days_off(file(*lines))) == 1


def off(*days: str) -> tuple[Leave, ...]:
    """Days off as `12-24`, `12-24..12-26` or `12-24 morning`."""
    found = []
    for each in days:
        span, _, half = each.partition(" ")
        first, _, last = span.partition("..")
        both = [date.fromisoformat(f"2026-{day}") for day in (first, last or first)]
        found.append(Leave(both[0], both[1], half or None))  # type: ignore[arg-type]
    return tuple(found)


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        (["DTSTART:20261223T230000Z", "DTEND:20261224T230000Z"], off("12-24")),
        (["DTSTART:20261224T000000", "DTEND:20261225T000000"], off("12-24")),
        (["DTSTART:20261224T080000Z", "DTEND:20261224T110000Z"], off("12-24 morning")),
        (["DTSTART:20261224T110000Z", "DTEND:20261224T160000Z"], off("12-24 afternoon")),
        (["DTSTART;TZID=America/New_York:20261223T180000", "DURATION:P1D"], off("12-24")),
        (["DTSTART;VALUE=DATE:20261224", "DTEND:20261225T000000Z"], off("12-24")),
        (["DTSTART;VALUE=DATE:20261224", "DTEND:20261225T120000Z"], off("12-24..12-25")),
        (["DTSTART:20261223T230000Z", "DTEND;VALUE=DATE:20261226"], off("12-24..12-25")),
        (["DTSTART;VALUE=DATE:20261224", "STATUS:cancelled"], ()),
        (["DTSTART;VALUE=DATE:20261224", "STATUS:TENTATIVE"], ()),
        (["DTSTART;VALUE=DATE:20261224", "TRANSP:transparent"], ()),
        (["DTSTART;VALUE=DATE:20261224", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"], ()),
        (["DTSTART;VALUE=DATE:20261224", "STATUS:CONFIRMED", "TRANSP:OPAQUE"], off("12-24")),
        (["DTSTART;VALUE=DATE:20261204", "RRULE:FREQ=WEEKLY;COUNT=3"], off("12-04", "12-11", "12-18")),
        (["DTSTART;VALUE=DATE:20261113", "RRULE:FREQ=WEEKLY;UNTIL=20261204"], off("11-27", "12-04")),
        (
            ["DTSTART:20261203T230000Z", "RRULE:FREQ=WEEKLY;UNTIL=20261210T230000Z", "DURATION:P1D"],
            off("12-04", "12-11"),
        ),
        (
            ["DTSTART;VALUE=DATE:20261204", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20261205,20261206"],
            off("12-04", "12-07"),
        ),
        (["DTSTART;VALUE=DATE:20261204", "RDATE;VALUE=DATE:20261208,20261204"], off("12-04", "12-08")),
        (["DTSTART:20261203T230000Z", "DURATION:P1D", "RDATE:20261207T230000Z"], off("12-04", "12-08")),
    ],
)
def test_an_event_is_off_on_the_dates_of_the_reps_zone(lines: list[str], days: tuple[Leave, ...]) -> None:
    assert days_off(file(*lines)) == days


def test_a_changed_date_of_an_event_that_repeats_replaces_that_date() -> None:
    weekly = ["UID:a", "DTSTART:20261203T230000Z", "DURATION:P1D", "RRULE:FREQ=WEEKLY;COUNT=3"]
    moved = ["UID:a", "RECURRENCE-ID;TZID=Europe/Brussels:20261211T000000", "DTSTART;VALUE=DATE:20261214"]
    ended = ["UID:a", "RECURRENCE-ID:20261217T230000Z", "DTSTART:20261217T230000Z", "STATUS:CANCELLED"]
    events = [line for lines in (weekly, moved, ended) for line in ("BEGIN:VEVENT", *lines, "END:VEVENT")]
    assert days_off("\r\n".join(["BEGIN:VCALENDAR", *events, "END:VCALENDAR", ""]).encode()) == off("12-04", "12-14")


def test_a_refusal_names_the_event() -> None:
    with pytest.raises(Refused, match="The event 'Hiking' lasts from"):
        days_off(file("SUMMARY:Hiking", "DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20280101"))


def test_a_file_with_too_many_events_is_refused() -> None:
    with pytest.raises(Refused, match="at most 500"):
        days_off(file("DTSTART;VALUE=DATE:20260101", events=MAX_EVENTS + 1))


def test_a_file_with_too_many_lines_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused, match="more than 10,000 lines"):
        days_off(file(*["X-NOTE:a"] * MAX_LINES))


@given(
    st.lists(st.text(max_size=40) | st.sampled_from(["BEGIN:VEVENT", "DTSTART:20260101", "END:VEVENT"]), max_size=20)
)
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    with suppress(Refused):
        days_off("\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR"]).encode(errors="replace"))
