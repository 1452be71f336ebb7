"""When the levels of a ladder fall due."""

from datetime import UTC, datetime

from services.sla_monitor.domain.ladder import levels
from shared.domain.agreement import Duration, Ladder, Promise, Step
from tests.unit.services.sla_monitor.window_states import FIRST_RESPONSE, T0, agreement, assigned, at, waiting, window


def seconds(*steps: Step, repeats: int = 0, every_s: int = 0) -> list[float]:
    deal = agreement(ladder=Ladder("response", steps, repeats, every_s))
    return [(level.due_at - T0).total_seconds() for level in levels(deal, window(deal=deal))]


def test_levels_are_counted_from_the_deadline_and_the_last_one_repeats() -> None:
    found = levels(agreement(), window())
    assert [(level.loop, level.level, (level.due_at - T0).total_seconds()) for level in found] == [
        (0, 1, 600),
        (0, 2, 900),
        (0, 3, 1800),
        (0, 4, 4500),
        (1, 4, 6300),
        (2, 4, 8100),
    ]
    assert [level.warning for level in found] == [True] + [False] * 5
    assert found[4].tell == ("ops",)
    assert found[4].page


def test_a_warning_from_before_the_window_opened_is_left_out() -> None:
    assert seconds(Step(1, -901, tell=("rep",)), Step(2, 0, tell=("rep",))) == [900]
    assert seconds(Step(1, -900, tell=("rep",)), Step(2, 0, tell=("rep",))) == [0, 900]


def test_a_repeat_never_moves_the_lead_again() -> None:
    deal = agreement(ladder=Ladder("response", (Step(1, 0, tell=("rep",), move_within="pool"),), 1, 60))
    assert [level.move_within for level in levels(deal, window(deal=deal))] == ["pool", None]
    assert seconds(Step(1, 0, move_within="pool"), repeats=3, every_s=60) == [900]


def test_business_offsets_count_in_the_owners_calendar() -> None:
    friday_1650 = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)
    steps = (
        Step(1, -1200, True, tell=("rep",)),
        Step(2, 0, tell=("rep",)),
        Step(3, 1800, True, tell=("ops",)),
        Step(4, 1800, tell=("ops",)),
    )
    promise = Promise("first_response", Duration(1800, True), ("call",), "response")
    deal = agreement(promise, ladder=Ladder("response", steps))
    opened = window(assigned(assigned_at=friday_1650), deal)
    assert [f"{level.due_at:%a %H:%M} {level.level}" for level in levels(deal, opened)] == [
        "Mon 09:00 1",
        "Mon 09:20 2",
        "Mon 09:50 3",
        "Mon 09:50 4",
    ]


def test_business_days_on_a_ladder_are_dates_of_the_owners_calendar_before_and_after_the_deadline() -> None:
    steps = (
        Step(1, 0, True, after_days=-1, tell=("rep",)),
        Step(2, 0, tell=("rep",)),
        Step(3, 0, True, after_days=1, tell=("manager",)),
    )
    promise = Promise("disposition", Duration(0, True, days=3), ("accepted",), "response")
    deal = agreement(promise, ladder=Ladder("response", steps, 2, 3600))
    opened = window(assigned(assigned_at=datetime(2026, 11, 20, 16, 30, tzinfo=UTC)), deal)
    assert [(f"{level.due_at:%a %H:%M}", level.level, level.warning) for level in levels(deal, opened)] == [
        ("Tue 16:30", 1, True),
        ("Wed 16:30", 2, False),
        ("Thu 16:30", 3, False),
        ("Fri 09:30", 3, False),
        ("Fri 10:30", 3, False),
    ]


def test_a_promise_of_operations_climbs_its_ladder_without_moving_the_lead() -> None:
    found = levels(agreement(), waiting())
    assert [(level.level, (level.due_at - T0).total_seconds()) for level in found] == [
        (1, 600),
        (2, 900),
        (4, 4500),
        (4, 6300),
        (4, 8100),
    ]
    assert {level.move_within for level in found} == {None}
    both = Ladder("response", (Step(1, 0, tell=("rep",), move_within="pool"),))
    [roles] = levels(agreement(ladder=both), waiting())
    assert (roles.tell, roles.move_within) == (("rep",), None)


def test_a_window_whose_promise_has_no_ladder_has_no_levels() -> None:
    deal = agreement(Promise("first_response", Duration(60), ("call",), "other", "wall"))
    assert levels(deal, window(deal=deal)) == []
    assert levels(agreement(FIRST_RESPONSE), window(assigned(assigned_at=at(1))))
