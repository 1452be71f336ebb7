"""What a rep owes, and by when."""

from datetime import UTC, datetime

import pytest

from shared.domain.agreement import Agreement, Duration, Mql, Person, Promise
from shared.domain.calendar import Calendar
from shared.domain.errors import Refused
from shared.domain.promises import owed

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


def test_somebody_without_a_calendar_is_on_duty_around_the_clock() -> None:
    (one,) = owed(agreement(respond()), rep="mia", score=0, assigned_at=FRIDAY_1650)
    assert one.due_at == datetime(2026, 11, 20, 17, 5, tzinfo=UTC)


@pytest.mark.parametrize(("score", "seconds"), [(81, 900), (80, 900), (79, 3600)])
def test_a_lead_below_the_score_is_owed_the_other_duration(score: int, seconds: int) -> None:
    promise = respond(at_least_score=80, otherwise=Duration(3600))
    (one,) = owed(agreement(promise), rep="ann", score=score, assigned_at=FRIDAY_1650)
    assert one.within.seconds == seconds


def test_a_lead_below_the_score_is_owed_nothing_when_nothing_else_was_promised() -> None:
    assert owed(agreement(respond(at_least_score=80)), rep="ann", score=79, assigned_at=FRIDAY_1650) == ()


def test_every_promise_is_owed_in_the_order_of_the_agreement() -> None:
    other = Promise("disposition", Duration(60), ("accepted",), "gentle", "wall")
    found = owed(agreement(respond(), other), rep="ann", score=0, assigned_at=FRIDAY_1650)
    assert [one.promise.name for one in found] == ["first_response", "disposition"]


def test_an_unknown_rep_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="no person 'zoe'"):
        owed(agreement(respond()), rep="zoe", score=0, assigned_at=FRIDAY_1650)
