"""Each promise of operations and marketing broken once, by hand: the checker finds it, and calls it by its name.
Without any service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from tests.torture.ledger import Evidence, Ledger, PeriodRow
from tests.torture.periods import hand_off_findings, period_findings, window_of
from tests.torture.windows import facts_of
from tests.torture.world import ESCALATIONS, RULES, World, assign, at, inquire, merge, report

_RULES = replace(
    RULES,
    hand_off_within_s=3.0,
    commitments={
        "volume": Fraction(2),
        "accepted_share": Fraction(1, 2),
        "completeness": Fraction(3, 4),
        "hand_off_latency": Fraction(2),
    },
)
_DAY = (at(-3600), at(3600))


class Day:
    """Pat is known by two ids, and was accepted after a rejection; `slow` waited nine seconds, which was called a
    breach; nobody knows the address of `rejected`. All of it is counted in one period.
    """

    def __init__(self) -> None:
        self.world = World(Ledger(), Evidence())
        world = self.world
        for lead_id, person in (("phone", "pat"), ("mail", "pat"), ("slow", ""), ("rejected", "")):
            inquire(world, lead_id, person)
        for lead_id, seconds in (("phone", 1), ("mail", 2), ("slow", 9), ("rejected", 1)):
            contact = {} if lead_id == "rejected" else {"email": f"{lead_id}@example.com"}
            assign(world, lead_id, "ann", generation=1, seconds=seconds, contact=contact)
        merge(world, "mail", "phone", seconds=3)
        report(world, "rejected", "mail", 10, "pat")
        report(world, "accepted", "phone", 12, "pat")
        report(world, "accepted", "slow", 12)
        report(world, "rejected", "rejected", 12)
        world.add(ESCALATIONS, "late", "window.breached", "slow", promise="hand_off", window_id=window_of("inq-slow"))
        self.periods = [
            self.row("volume", "met", 2, 3),
            self.row("accepted_share", "met", 2, 3),
            self.row("completeness", "breached", 2, 3),
            self.row("hand_off_latency", "breached", 2, 3),
        ]

    def row(self, measure: str, state: str, counted: int, of: int) -> PeriodRow:
        return PeriodRow(measure, *_DAY, state, counted, of, counted_late=False)

    def change(self, measure: str, **changes: object) -> None:
        made = [replace(row, **changes) if row.measure == measure else row for row in self.periods]  # type: ignore[arg-type]
        self.periods = made

    def found(self) -> set[str]:
        records, ledger = self.world.evidence.records, self.world.ledger
        periods = period_findings(ledger, records, facts_of(records, ledger), self.periods, _RULES)
        return {finding.kind for finding in (*hand_off_findings(records, _RULES), *periods)}


def test_a_day_that_is_counted_right_gives_no_findings() -> None:
    assert Day().found() == set()


def count_each_id(day: Day) -> None:
    day.change("hand_off_latency", counted=3, of=4)


def count_a_rejection_that_was_taken_back(day: Day) -> None:
    day.change("accepted_share", of=4)


def forget_an_acceptance(day: Day) -> None:
    day.change("volume", counted=1, state="breached")


def judge_nothing(day: Day) -> None:
    day.change("completeness", state="open")


def excuse_what_was_missed(day: Day) -> None:
    day.change("completeness", state="cancelled")


def open_no_period(day: Day) -> None:
    day.periods = day.periods[1:]


def open_two(day: Day) -> None:
    day.periods = [*day.periods, day.periods[0]]


def overlook_the_late_one(day: Day) -> None:
    day.world.drop("late")


def take_the_late_one_back(day: Day) -> None:
    day.world.add(ESCALATIONS, "back", "breach.retracted", "slow", promise="hand_off", window_id=window_of("inq-slow"))


def blame_one_in_time(day: Day) -> None:
    day.world.add(
        ESCALATIONS, "false", "window.breached", "phone", promise="hand_off", window_id=window_of("inq-phone")
    )


def blame_it_twice(day: Day) -> None:
    day.world.add(ESCALATIONS, "twice", "window.breached", "slow", promise="hand_off", window_id=window_of("inq-slow"))


def blame_nobody_knows_what(day: Day) -> None:
    day.world.add(ESCALATIONS, "odd", "window.breached", "slow", promise="hand_off", window_id="w-odd")


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (count_each_id, "wrong period"),
        (count_a_rejection_that_was_taken_back, "wrong period"),
        (forget_an_acceptance, "wrong period"),
        (judge_nothing, "wrong period verdict"),
        (excuse_what_was_missed, "wrong period verdict"),
        (open_no_period, "missed period"),
        (open_two, "missed period"),
        (overlook_the_late_one, "missed hand-off"),
        (take_the_late_one_back, "missed hand-off"),
        (blame_one_in_time, "false hand-off"),
        (blame_it_twice, "two breaches"),
        (blame_nobody_knows_what, "made up"),
    ],
)
def test_a_broken_promise_of_operations_or_marketing_is_found_by_its_name(
    harm: Callable[[Day], None], kind: str
) -> None:
    day = Day()
    harm(day)
    assert kind in day.found()


def test_a_volume_that_was_counted_only_since_the_day_had_begun_is_excused() -> None:
    day = Day()
    day.world.drop("accepted-slow")
    day.change("volume", counted=1, state="cancelled", counted_late=True)
    day.change("accepted_share", counted=1, of=2)
    assert day.found() == set()


def test_an_acceptance_after_the_day_leaves_the_rejection_of_that_day() -> None:
    day = Day()
    later = (_DAY[1] + timedelta(seconds=5)).isoformat()
    day.world.change("accepted-phone", accepted_at=later)
    day.change("volume", counted=1, state="breached")
    day.change("accepted_share", counted=1, of=3, state="breached")
    assert day.found() == set()
