"""What a rep owes, and by when."""

from datetime import UTC, datetime

import pytest

from shared.domain.agreement import Agreement, Duration, Mql, Person, Promise, PromiseClock, Segment
from shared.domain.calendar import Calendar
from shared.domain.errors import Refused
from shared.domain.promises import owed, owed_by, respond_by

OFFICE = Calendar("office", "UTC", {day: [(9 * 3600, 17 * 3600)] for day in range(5)})
FRIDAY_1650 = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)


def agreement(*promises: Promise) -> Agreement:
    return Agreement(
        name="emea",
        version=3,
        hash="sha256:x",
        text="",
        timezone="UTC",
        effective_from=FRIDAY_1650,
        calendars={"office": OFFICE},
        mql=Mql(),
        scoring=(),
        people={
            "ann": Person("ann", "ann@acme.example", OFFICE),
            "mia": Person("mia", "mia@acme.example", role="manager"),
        },
        pools={},
        routing=(),
        promises={promise.name: promise for promise in promises},
        ladders={},
    )


def respond(clock: str = "rep_calendar", *, seconds: int = 900, business: bool = False, **more: object) -> Promise:
    return Promise("first_response", Duration(seconds, business), ("call",), "response", clock, **more)  # type: ignore[arg-type]


def test_plain_minutes_under_the_reps_calendar_count_working_time_only() -> None:
    (one,) = owed(agreement(respond()), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    assert one.calendar == OFFICE


def test_the_wall_clock_runs_through_the_weekend() -> None:
    (one,) = owed(agreement(respond("wall")), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 20, 17, 5, tzinfo=UTC)


def test_business_time_is_working_time_even_when_the_promise_runs_on_the_wall_clock() -> None:
    (one,) = owed(agreement(respond("wall", business=True)), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)


def test_someone_without_a_calendar_is_on_duty_around_the_clock() -> None:
    (one,) = owed(agreement(respond()), rep="mia", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 20, 17, 5, tzinfo=UTC)


@pytest.mark.parametrize(("score", "seconds"), [(81, 900), (80, 900), (79, 3600)])
def test_a_lead_below_the_score_is_owed_the_other_duration(score: int, seconds: int) -> None:
    promise = respond(segments=(Segment(Duration(900), 80), Segment(Duration(3600))))
    (one,) = owed(agreement(promise), rep="ann", score=score, assigned_at=FRIDAY_1650)
    assert one.within.seconds == seconds


def test_a_lead_below_the_score_is_owed_nothing_when_nothing_else_was_promised() -> None:
    assert (
        owed(agreement(respond(segments=(Segment(Duration(900), 80),))), rep="ann", score=79, assigned_at=FRIDAY_1650)
        == ()
    )


def test_every_promise_is_owed_in_the_order_of_the_agreement() -> None:
    other = Promise("disposition", Duration(60), ("accepted",), "gentle", "wall")
    found = owed(agreement(respond(), other), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert [one.promise.name for one in found] == ["first_response", "disposition"]


@pytest.mark.parametrize("clock", ["rep_calendar", "wall"])
def test_business_days_are_dates_with_hours_at_the_same_time_of_day(clock: PromiseClock) -> None:
    promise = Promise("attempts", Duration(0, True, "2 business days", days=2), ("call",), "gentle", clock, at_least=6)
    (one,) = owed(agreement(promise), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 24, 16, 50, tzinfo=UTC)


@pytest.mark.parametrize("start", ["2026-11-20T17:00Z", "2026-11-20T18:30Z", "2026-11-21T08:00Z", "2026-11-22T20:00Z"])
def test_business_days_from_outside_hours_count_from_the_next_opening(start: str) -> None:
    promise = Promise("disposition", Duration(0, True, days=1), ("accepted",), "gentle")
    (one,) = owed(agreement(promise), rep="ann", score=0, assigned_at=datetime.fromisoformat(start))
    assert one.due_at == datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_plain_days_on_the_wall_clock_are_days_of_24_hours() -> None:
    (one,) = owed(agreement(respond("wall", seconds=2 * 86400)), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 22, 16, 50, tzinfo=UTC)


def test_what_does_not_depend_on_a_score_is_owed_by_anyone() -> None:
    triage = Promise("triage", Duration(0, True, days=1), ("assigned",), "gentle", side="operations")
    one = owed_by(agreement(), triage, owner="ann", since_at=FRIDAY_1650)
    assert (one.promise, one.due_at) == (triage, datetime(2026, 11, 23, 16, 50, tzinfo=UTC))
    with pytest.raises(Refused, match="no person 'zoe'"):
        owed_by(agreement(), triage, owner="zoe", since_at=FRIDAY_1650)


def test_a_rep_gets_the_earliest_deadline_that_one_fact_can_meet() -> None:
    attempts = Promise("attempts", Duration(60), ("call",), "gentle", "wall", at_least=6)
    acceptance = Promise("acceptance", Duration(600), ("accepted", "rejected"), "gentle", "wall")
    found = owed(agreement(respond("wall"), attempts, acceptance), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert respond_by(found) == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    assert respond_by(found[1:2]) is None
    assert respond_by(()) is None


def test_an_unknown_rep_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="no person 'zoe'"):
        owed(agreement(respond()), rep="zoe", score=0, assigned_at=FRIDAY_1650)
