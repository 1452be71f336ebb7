"""Instants and dates: a range that is checked where they come in, and arithmetic that can't overflow on stored ones."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.availability import Hold, Leave, RepState, absence, free_at, why_not
from shared.domain.agreement import Person, Pool
from shared.domain.business_time import NeverOpens, add_business_days, before, deadline, elapsed, is_open, next_open
from shared.domain.calendar import Calendar
from shared.domain.errors import Refused
from shared.domain.instants import EARLIEST, LATEST, bounded, bounded_day, clamped, clamped_day

OFFICE = Calendar("office", "Pacific/Auckland", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
ANN = Person("ann", "ann@acme.example", OFFICE, max_new_per_day=1)
POOL = Pool("field", {"ann": 1}, only_in_hours=True)
FAR = [
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
]
instants = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Adak")]))


@pytest.mark.parametrize("at", FAR)
def test_an_instant_out_of_range_is_refused_with_the_range(at: datetime) -> None:
    with pytest.raises(Refused, match="from 1970-01-01 to 2100-01-01"):
        bounded(at, pointer="/until")
    with pytest.raises(Refused, match="from 1970-01-01 to 2100-01-01"):
        bounded_day(at.date())
    assert clamped(at) in (EARLIEST, LATEST)
    assert clamped_day(at.date()) in (EARLIEST.date(), LATEST.date())


@given(instants)
def test_business_time_has_an_answer_or_says_that_there_is_none_for_every_instant(at: datetime) -> None:
    for count in (
        lambda: deadline(OFFICE, at, 3600, [(at, None), (at, at)]),
        lambda: before(OFFICE, at, 3600),
        lambda: add_business_days(OFFICE, at, 366),
        lambda: add_business_days(OFFICE, at, -366),
        lambda: next_open(OFFICE, at),
        lambda: elapsed(OFFICE, at, at),
        lambda: is_open(OFFICE, at),
    ):
        try:
            count()
        except NeverOpens:
            continue


def test_a_search_for_a_deadline_ends_when_a_calendar_has_too_few_hours() -> None:
    minute = Calendar("minute", "UTC", {0: [(0, 60)]})
    with pytest.raises(NeverOpens, match="too few hours"):
        deadline(minute, datetime(2026, 11, 23, tzinfo=UTC), 366 * 86_400)


@given(instants, st.dates(), st.dates(), st.sampled_from([None, "morning", "afternoon"]))
def test_an_absence_that_was_stored_without_a_bound_stops_nobody(
    until: datetime, first: date, last: date, half: Literal["morning", "afternoon"] | None
) -> None:
    now = datetime(2026, 11, 23, 3, tzinfo=UTC)
    state = RepState(1, "2026-11-23", 1, Hold(now, until), (Leave(first, last, half), Leave(date.max, date.min)))
    why_not(ANN, state, POOL, now)
    free_at(ANN, state, POOL, now)
    away = absence(ANN, state, now)
    assert away is None or away.until is None or EARLIEST <= away.until <= LATEST + timedelta(days=2)
