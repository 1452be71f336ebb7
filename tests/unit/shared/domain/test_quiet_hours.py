"""Quiet hours: until when a notice waits, in the person's zone, also when the clock changes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agreement import Agreement, Person
from shared.domain.calendar import Calendar, Span
from shared.domain.quiet_hours import not_before
from shared.domain.silences import QuietHours
from tests.unit.services.sla_monitor.window_states import agreement

BRUSSELS, TOKYO = ZoneInfo("Europe/Brussels"), ZoneInfo("Asia/Tokyo")
NIGHT: tuple[Span, ...] = ((20 * 3600, 7 * 3600),)
HANA = Person("hana", "hana@acme.example", Calendar("tokyo", "Asia/Tokyo", {0: [(0, 3600)]}))
MIA = Person("mia", "mia@acme.example")


def deal(hours: Mapping[str, tuple[Span, ...]], *, except_page: bool = True) -> Agreement:
    people = {"hana": HANA, "mia": MIA}
    quiet = QuietHours(hours, except_page=except_page)
    return replace(agreement(), timezone="Europe/Brussels", people=people, quiet_hours=quiet)


def in_brussels(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).astimezone(UTC)


def waits(text: str, hours: tuple[Span, ...] = NIGHT, *, page: bool = False) -> str:
    ends_at = not_before(deal({"rep": hours}), "rep", "mia", in_brussels(text), page=page)
    return f"{ends_at.astimezone(BRUSSELS):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-27T19:59", "11-27 19:59"),
        ("2026-11-27T20:00", "11-28 07:00"),
        ("2026-11-27T23:30", "11-28 07:00"),
        ("2026-11-28T06:59", "11-28 07:00"),
        ("2026-11-28T07:00", "11-28 07:00"),
    ],
)
def test_quiet_hours_are_from_their_begin_until_their_end_over_midnight(at: str, until: str) -> None:
    assert waits(at) == until


def test_a_page_breaks_quiet_hours_only_if_the_agreement_says_so() -> None:
    at = in_brussels("2026-11-27T23:30")
    assert not_before(deal({"rep": NIGHT}), "rep", "mia", at, page=True) == at
    assert not_before(deal({"rep": NIGHT}, except_page=False), "rep", "mia", at, page=True) > at


def test_they_are_in_the_zone_of_the_persons_calendar_else_in_the_agreements() -> None:
    at = datetime(2026, 11, 27, 12, tzinfo=UTC)  # 21:00 in Tokyo, 13:00 in Brussels
    quiet = deal({"rep": NIGHT})
    assert not_before(quiet, "rep", "hana", at, page=False) == datetime(2026, 11, 28, 7, tzinfo=TOKYO)
    assert not_before(quiet, "rep", "mia", at, page=False) == at
    assert not_before(quiet, "rep", None, at, page=False) == at


def test_those_of_a_person_win_over_those_of_the_role_and_others_have_none() -> None:
    quiet = deal({"rep": NIGHT, "mia": ((12 * 3600, 13 * 3600),)})
    noon, night = in_brussels("2026-11-27T12:30"), in_brussels("2026-11-27T22:00")
    assert not_before(quiet, "rep", "mia", noon, page=False) == in_brussels("2026-11-27T13:00")
    assert not_before(quiet, "rep", "mia", night, page=False) == night
    assert not_before(quiet, "ops", "tom", night, page=False) == night
    assert not_before(agreement(), "rep", "mia", night, page=False) == night


def test_times_that_touch_or_overlap_are_one() -> None:
    assert (
        waits("2026-11-27T20:30", ((20 * 3600, 22 * 3600), (22 * 3600, 6 * 3600), (5 * 3600, 8 * 3600)))
        == "11-28 08:00"
    )


@pytest.mark.parametrize(
    ("at", "hours", "until"),
    [
        # On 29 March the clock goes from 02:00 to 03:00, on 25 October from 03:00 back to 02:00.
        ("2026-03-28T23:00", (20 * 3600, 7 * 3600), "2026-03-29T05:00Z"),
        ("2026-03-29T01:00", (0, 2 * 3600 + 1800), "2026-03-29T01:30Z"),
        ("2026-10-24T23:00", (20 * 3600, 7 * 3600), "2026-10-25T06:00Z"),
        ("2026-10-25T01:00", (0, 2 * 3600 + 1800), "2026-10-25T00:30Z"),
    ],
)
def test_the_end_is_a_time_of_the_local_clock_also_when_it_changes(at: str, hours: Span, until: str) -> None:
    found = not_before(deal({"rep": (hours,)}), "rep", "mia", in_brussels(at), page=False)
    assert found == datetime.fromisoformat(until)


times = st.integers(0, 86_399)


@given(
    st.lists(st.tuples(times, times).filter(lambda span: span[0] != span[1]), max_size=3),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_notice_waits_less_than_three_days_and_never_into_quiet_hours(spans: list[Span], at: datetime) -> None:
    covered = {(begins + n) % 86_400 for begins, ends in spans for n in range(0, (ends - begins) % 86_400, 60)}
    if len(covered) > 1_300:  # the parser refuses hours that leave no time of the day
        return
    quiet = deal({"rep": tuple(spans)})
    found = not_before(quiet, "rep", "mia", at, page=False)
    assert at <= found < at + timedelta(days=3)
    assert not_before(quiet, "rep", "mia", found, page=False) == found
