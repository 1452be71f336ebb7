"""Duty rotas as a state machine: overrides, and instants at which someone is needed, in any order, next to a model that
writes down who is on duty for each half hour of seven weeks. There is exactly one person at each instant, or a gap.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.sla_monitor.domain.recipients import recipients
from shared.domain.agreement import Agreement
from shared.domain.duty import Duty, Rota, Shift, gaps, on_duty
from tests.unit.services.sla_monitor.window_states import agreement

HALF_HOUR = timedelta(minutes=30)
SLOTS = 7 * 7 * 48
BEGAN = datetime(2026, 10, 1, tzinfo=ZoneInfo("UTC"))  # the clock is set back in each zone during these weeks
ZONES = ("Europe/Brussels", "America/New_York", "UTC")
PEOPLE = ("lea", "tom", "eve")

slots = st.integers(0, SLOTS - 1)
# Half an hour past two comes twice on the day of the change, in each zone that has one.
turns = st.tuples(st.sampled_from([24, 48, 336, 672]), st.integers(-48, 700))


def at(slot: int) -> datetime:
    return BEGAN + slot * HALF_HOUR


class RotaMachine(RuleBasedStateMachine):
    """A role by a rota or by the shifts of a calendar, with overrides in the agreement and by operators."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: list[str | None] = [None] * SLOTS
        self.overrides: list[tuple[int, int, str]] = []
        self.operators: list[Shift] = []
        self.duty = Duty()

    @initialize(kind=st.sampled_from(["rota", "shifts", "always", "nobody"]), data=st.data())
    def plan(self, kind: str, data: st.DataObject) -> None:
        if kind == "rota":
            self._turns(*data.draw(turns), data.draw(st.sampled_from(ZONES)))
        elif kind == "shifts":
            self._shifts(data.draw(st.lists(slots, min_size=2, max_size=8, unique=True)))
        elif kind == "always":
            self.duty, self.planned = Duty(always="mia"), ["mia"] * SLOTS

    @precondition(lambda self: not self.operators)
    @rule(begins=slots, length=st.integers(1, 400), who=st.sampled_from(PEOPLE))
    def agree_on_an_override(self, begins: int, length: int, who: str) -> None:
        """In the agreement: those of operators win over it."""
        self.overrides.append((begins, begins + length, who))
        shift = Shift(who, at(begins), at(begins + length))
        self.duty = replace(self.duty, overrides=(*self.duty.overrides, shift))

    @rule(begins=slots, length=st.integers(1, 400), who=st.sampled_from(PEOPLE))
    def stand_in(self, begins: int, length: int, who: str) -> None:
        self.overrides.append((begins, begins + length, who))
        self.operators.append(Shift(who, at(begins), at(begins + length)))

    @precondition(lambda self: self.operators)
    @rule()
    def take_the_last_one_back(self) -> None:
        self.operators.pop()
        self.overrides.pop()

    @rule(slot=slots, minutes=st.integers(0, 29))
    def someone_is_needed(self, slot: int, minutes: int) -> None:
        """The step reaches the one who is on duty and no one else, or leaves the role out if that is nobody."""
        instant = at(slot) + timedelta(minutes=minutes)
        expected = self._who(slot)
        found = on_duty({"ops": self.duty}, "ops", instant, self.operators)
        assert found.person == expected
        reached = recipients(self._agreement(), "ann", ("rep", "ops"), instant, {"ops": self.operators})
        assert [each.person for each in reached] == (["ann", expected] if expected is not None else ["ann"])
        if found.until_at is not None:
            assert found.until_at > instant
            last = min(-((at(0) - found.until_at) // HALF_HOUR), SLOTS)
            assert {self._who(each) for each in range(slot, last)} <= {expected}

    @invariant()
    def the_gaps_are_those_of_the_model(self) -> None:
        whose = replace(self.duty, overrides=(*self.duty.overrides, *self.operators))
        expected, slot = [], 0
        for nobody, run in groupby(self._who(each) is None for each in range(SLOTS)):
            length = len(list(run))
            if nobody:
                expected.append((at(slot), at(slot + length)))
            slot += length
        assert list(gaps({"ops": whose}, "ops", at(0), at(SLOTS))) == expected

    def _who(self, slot: int) -> str | None:
        """The last override that was made for this half hour, or else the one whose turn it is."""
        stand_ins = [who for begins, ends, who in self.overrides if begins <= slot < ends]
        return stand_ins[-1] if stand_ins else self.planned[slot]

    def _turns(self, length: int, begins: int, zone: str) -> None:
        """Turns by a clock on the wall: the next begins when it first shows the time, and never twice."""
        tz = ZoneInfo(zone)
        starts = at(begins).astimezone(tz).replace(tzinfo=None)
        self.duty = Duty(rota=Rota(PEOPLE, length * 1800, starts, zone))
        latest = -1
        for slot in range(-100, SLOTS):
            shown = at(slot).astimezone(tz).replace(tzinfo=None)
            latest = max(latest, (shown - starts) // (length * HALF_HOUR))
            if slot >= 0 and latest >= 0:
                self.planned[slot] = PEOPLE[latest % len(PEOPLE)]

    def _shifts(self, edges: list[int]) -> None:
        edges = sorted(edges)
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
        self.duty = Duty(calendar="rota.ics", shifts=tuple(Shift("lea", at(one), at(end)) for one, end in pairs))
        for one, end in pairs:
            self.planned[one:end] = ["lea"] * (end - one)

    def _agreement(self) -> Agreement:
        return replace(agreement(), duty={"ops": self.duty})


RotaMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
TestRota = RotaMachine.TestCase
