"""Acknowledgements, silences, moves, answers and looks in any order, with and without someone on duty: each level fires
at most once and none is lost, nothing fires after an answer or once the breach is disproved, and nobody's silence is
for ever unless someone has taken it on.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.sla_monitor.domain import climb
from services.sla_monitor.domain.announcements import Announcement
from services.sla_monitor.domain.arrangements import Arrangements
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.recipients import NOBODY
from services.sla_monitor.domain.transitions import apply_fact, move_on, open_window, settle
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Ladder, Step
from shared.domain.duty import Duty
from shared.domain.event import Event
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    MoveRequested,
)
from shared.domain.silences import Silence
from tests.unit.services.sla_monitor.window_states import agreement, at, fact, window

STEPS = (
    Step(1, 0, tell=("rep",)),
    Step(2, 900, tell=("manager",), move_within="pool"),
    Step(3, 1800, tell=("ops",), page=True, if_unanswered=True),
    Step(4, 3600, tell=("sales_lead",), page=True),
)
DEAL = agreement(ladder=Ladder("response", STEPS, 2, 1200))
FIRST = window()
LADDER = levels(DEAL, FIRST)
ROLES = {role for step in STEPS for role in step.tell}
spans = st.integers(1, 3000)


class LadderMachine(RuleBasedStateMachine):
    """One promise, its escalation, and what people do about it. Times are in seconds since the lead was assigned."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.answered = self.disproved = False
        self.deal = DEAL
        self.silences: list[Silence] = []
        self.announced: list[Announcement] = []
        self.state = open_window(FIRST, (), LADDER)

    @initialize(seconds=st.integers(903, 4000), silent=st.none() | spans, is_ops=st.booleans())
    def begin(self, seconds: int, silent: int | None, is_ops: bool) -> None:
        """The breach, perhaps during a silence; what leads up to it is tested elsewhere. Perhaps nobody is ops."""
        self.deal = DEAL if is_ops else replace(DEAL, duty={"ops": Duty()})
        if silent is not None:
            self.silence(903 + silent)
        self.now = seconds
        self.look()

    @rule(seconds=spans)
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(seconds=spans)
    def wait_and_look(self, seconds: int) -> None:
        self.now += seconds
        self.look()

    @rule()
    def look(self) -> None:
        while self.state.window.look_at is not None and self.state.window.look_at <= at(self.now):
            before = self._fresh()
            arranged = Arrangements(tuple(self.silences))
            self._save(
                settle(before, (), LADDER, self.deal, now=at(self.now), watermark=at(self.now), arranged=arranged)
            )
            if self._fresh() == before:
                break

    @precondition(lambda self: self.is_open)
    @rule(seconds=st.none() | spans)
    def acknowledge(self, seconds: int | None) -> None:
        until = at(self.now + seconds) if seconds is not None else None
        self._save(climb.acknowledge(self._fresh(), LADDER, self.deal, by="mia", until=until, now=at(self.now)))

    @rule(seconds=spans)
    def silence(self, seconds: int) -> None:
        number = len(self.silences)
        self.silences.append(Silence(at(self.now), at(self.now + seconds), "quiet", silence_id=f"si_{number}"))

    @precondition(lambda self: self.silences)
    @rule(data=st.data())
    def end_silence(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.silences) - 1))
        ended = self.silences[number]
        if ended.ends_at > at(self.now):
            self.silences[number] = Silence(ended.starts_at, at(self.now), "quiet", silence_id=ended.silence_id)
            self._save(climb.over(self._fresh(), ended.silence_id or "", at(self.now)))

    @rule()
    def move(self) -> None:
        self._save(move_on(self._fresh(), at(self.now), at(self.now)))

    @precondition(lambda self: not self.answered)
    @rule(rarely=st.integers(0, 7))
    def answer(self, rarely: int) -> None:
        if rarely:
            return
        self.answered = True
        self._save(apply_fact(self._fresh(), fact("call", self.now), at(self.now)))

    @precondition(lambda self: not self.answered and self.state.window.state == "breached")
    @rule(second=st.integers(0, 902), rarely=st.integers(0, 7))
    def learn_of_an_answer_in_time(self, second: int, rarely: int) -> None:
        if rarely or self.state.window.look_at is None:
            return
        self.answered = self.disproved = True
        self._save(apply_fact(self._fresh(), fact("call", second), at(self.now)))

    @invariant()
    def a_breach_is_taken_back_exactly_if_it_is_disproved(self) -> None:
        assert [each for each in self._kinds if each is BreachRetracted] == [BreachRetracted] * self.disproved

    @invariant()
    def each_level_fires_at_most_once(self) -> None:
        ids = [each.id for each in self.announced if not isinstance(each.event, EscalationAcknowledged)]
        assert len(ids) == len(set(ids))
        of_their_own = [(each.level, each.due_at) for each in self.raised if each.because is None]
        assert len(of_their_own) == len(set(of_their_own))
        assert len([each for each in self.announced if isinstance(each.event, MoveRequested)]) <= 1

    @invariant()
    def nothing_fires_after_an_answer(self) -> None:
        kinds = self._kinds
        if EscalationClosed in kinds:
            behind = kinds[kinds.index(EscalationClosed) :]
            assert not {EscalationRaised, EscalationExhausted, MoveRequested} & set(behind)

    def teardown(self) -> None:
        """Much later everyone was notified, unless it was answered, someone has it, or it never was a breach."""
        for _ in range(12):
            self.now += 10_000
            self.look()
        self.each_level_fires_at_most_once()
        self.nothing_fires_after_an_answer()
        raised = self.state.escalation
        if self.answered or self.state.window.state != "breached":
            assert self.state.window.look_at is None
            return
        assert raised is not None
        if raised.state == "acknowledged":
            assert (raised.quiet_until_at, self.state.window.look_at) == (None, None)
        else:
            assert (raised.state, self.state.window.look_at) == ("exhausted", None)
            nobody = {"ops"} & self.deal.duty.keys()
            assert {role for each in self.raised for role in each.notify} == ROLES - nobody
            alone = [each for each in self.raised if (each.level, each.because) == (3, None)]
            assert all(each.skipped for each in alone) or not nobody
            assert nobody or NOBODY not in [each.skipped for each in self.raised]
            assert any(each.page for each in self.raised)

    @property
    def is_open(self) -> bool:
        return self.state.escalation is not None and self.state.escalation.state != "closed"

    @property
    def _kinds(self) -> list[type[Event]]:
        return [type(each.event) for each in self.announced]

    @property
    def raised(self) -> list[EscalationRaised]:
        return [each.event for each in self.announced if isinstance(each.event, EscalationRaised)]

    def _fresh(self) -> WindowState:
        return WindowState(self.state.window, self.state.escalation)

    def _save(self, state: WindowState) -> None:
        self.state = state
        self.announced += state.announced


LadderMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestLadder = LadderMachine.TestCase
