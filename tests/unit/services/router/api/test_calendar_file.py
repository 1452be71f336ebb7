"""Days off from calendar files: whatever the file holds, they are read or refused with a reason."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.api.calendar_file import MAX_EVENTS, MAX_LINES, days_off
from shared.domain.errors import Refused


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
