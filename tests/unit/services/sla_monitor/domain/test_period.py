"""Periods of promises about all leads: their bounds, how far through one is, and what keeps the promise."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.sla_monitor.domain.period import Figures, on_pace, outcome, part_over, period_at, period_name, progress
from shared.domain.agreement import Commitment
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.event import Progress

BRUSSELS = "Europe/Brussels"
ZONES = (BRUSSELS, "America/Havana", "Asia/Beirut", "Pacific/Apia", "America/St_Johns", "Atlantic/Azores", "UTC")
OFFICE = Calendar("office", BRUSSELS, {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
VOLUME = Commitment("volume", Decimal(400), "month", "commitments")
SHARE = Commitment("accepted_share", Decimal("0.6"), "month", "commitments")
COMPLETE = Commitment("completeness", Decimal("0.8"), "week", "commitments", ("contact.phone",))
LATENCY = Commitment("hand_off_latency", Decimal(120), "day", "commitments")
PER = st.sampled_from(["day", "week", "month", "quarter"])
INSTANTS = st.datetimes(datetime(1985, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("per", "starts", "ends", "name"),
    [
        ("day", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", "2026-10-25"),
        ("week", "2026-10-19T00:00+02:00", "2026-10-26T00:00+01:00", "2026-W43"),
        ("month", "2026-10-01T00:00+02:00", "2026-11-01T00:00+01:00", "2026-10"),
        ("quarter", "2026-10-01T00:00+02:00", "2027-01-01T00:00+01:00", "2026-Q4"),
    ],
)
def test_a_period_lasts_from_local_midnight_to_local_midnight_across_clock_changes(
    per: str, starts: str, ends: str, name: str
) -> None:
    period = period_at(per, at("2026-10-25T02:30+01:00"), BRUSSELS)
    assert (period.starts_at, period.ends_at, period_name(period, BRUSSELS)) == (at(starts), at(ends), name)


@given(PER, INSTANTS, st.sampled_from(ZONES))
@example("day", datetime(2010, 11, 7, 2, 45, tzinfo=UTC), "America/St_Johns")  # 23:15 again, after midnight
def test_periods_tile_time_without_gap_or_overlap(per: str, instant: datetime, zone: str) -> None:
    period = period_at(per, instant, zone)
    assert period.starts_at <= instant < period.ends_at
    following = period_at(per, period.ends_at, zone)
    assert following.starts_at == period.ends_at
    assert (
        period_at(per, period.starts_at, zone) == period == period_at(per, period.ends_at - timedelta.resolution, zone)
    )


def test_the_business_days_of_a_period_count_and_a_day_that_has_begun_counts_by_its_hours() -> None:
    week = period_at("week", at("2026-11-25T12:00+01:00"), BRUSSELS)
    moments = ("2026-11-23T08:00", "2026-11-23T13:00", "2026-11-25T20:00", "2026-11-29T12:00")
    parts = [part_over(week, OFFICE, at(f"{moment}+01:00")) for moment in moments]
    assert parts == [0, Fraction(1, 10), Fraction(3, 5), 1]


@given(PER, INSTANTS, st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([OFFICE, ALWAYS]))
def test_the_part_that_is_over_grows_from_nothing_to_all(
    per: str, instant: datetime, one: int, other: int, calendar: Calendar
) -> None:
    period = period_at(per, instant, BRUSSELS)
    length = (period.ends_at - period.starts_at) / 10**9
    earlier, later = (part_over(period, calendar, period.starts_at + length * each) for each in sorted((one, other)))
    assert 0 <= earlier <= later <= 1
    assert part_over(period, calendar, period.starts_at) == 0
    assert part_over(period, calendar, period.ends_at) == 1


def test_the_pace_of_a_volume_is_what_the_period_comes_to_on_its_business_days() -> None:
    figures = Figures(handed=200, accepted=155)
    assert progress(VOLUME, figures, Fraction(1, 2)) == Progress(155, 200, 400.0, 310.0)
    assert progress(VOLUME, figures, Fraction(0)) == Progress(155, 200, 400.0, None)
    assert not on_pace(VOLUME, figures, Fraction(1, 2))
    assert on_pace(VOLUME, figures, Fraction(155, 400))
    assert on_pace(VOLUME, Figures(), Fraction(0))


@pytest.mark.parametrize(
    ("commitment", "figures", "kept"),
    [
        (VOLUME, Figures(accepted=400), "kept"),
        (VOLUME, Figures(accepted=399), "missed"),
        (VOLUME, Figures(), "missed"),
        (SHARE, Figures(accepted=6, rejected=4), "kept"),
        (SHARE, Figures(accepted=599, rejected=401), "missed"),
        (SHARE, Figures(handed=7), "no data"),
        (COMPLETE, Figures(handed=5, complete=4), "kept"),
        (COMPLETE, Figures(handed=4, complete=3), "missed"),
        (COMPLETE, Figures(), "no data"),
        (LATENCY, Figures(timed=20, in_time=19), "kept"),
        (LATENCY, Figures(timed=19, in_time=18), "missed"),
        (LATENCY, Figures(handed=3), "no data"),
    ],
)
def test_a_promise_is_kept_exactly_from_its_target_on(commitment: Commitment, figures: Figures, kept: str) -> None:
    assert outcome(commitment, figures) == kept


def test_the_progress_of_a_share_is_its_value_and_that_of_the_hand_off_its_seconds() -> None:
    assert progress(SHARE, Figures(accepted=2, rejected=1), Fraction(1)) == Progress(2, 3, 0.6, 0.6667)
    assert progress(LATENCY, Figures(timed=4, in_time=3, p95_s=130.5), Fraction(1)) == Progress(3, 4, 120.0, 130.5)
    assert progress(COMPLETE, Figures(), Fraction(1)) == Progress(0, 0, 0.8, None)
