"""Promises on a lead as a state machine: facts, late facts, moves, holds and looks in any order, next to a model that
knows all facts and the rule in words. The verdict is given once, and is taken back exactly when a fact disproves it.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.transitions import apply_fact, move_on, move_start, open_window, release, settle
from services.sla_monitor.domain.window import INQUIRY, Fact
from services.sla_monitor.domain.window_state import FiredStep, WindowState
from shared.domain.event import Event
from shared.domain.events import (
    BreachRetracted,
    EscalationClosed,
    EscalationRaised,
    MoveRequested,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowWarned,
)
from tests.unit.services.sla_monitor.window_states import ATTEMPTS, FIRST_RESPONSE, agreement, at, fact, window

RECEIVED, LAST = -1, 902  # seconds from the hand-off: the inquiry, and the last instant that is in time
EARLIER = 2  # how much older than the inquiry a fact may be by another clock
VERDICTS = (WindowMet, WindowBreached, WindowCancelled, BreachRetracted)
NOTICES = (WindowWarned, EscalationRaised, MoveRequested)

instants = st.one_of(st.integers(-6, 1100), st.sampled_from([-50, -10, -4, -3, -2, 900, LAST, LAST + 1]))


@dataclass
class Model:
    """What is known of the promise: when each copy of each attempt and each end of the lead was accepted, by id, and
    what follows.
    """

    needed: int
    state: str = "open"
    was_breached: bool = False
    starts: int = RECEIVED
    known: dict[str, list[tuple[str, int, str | None]]] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)

    def learn(self, name: str, kind: str, second: int, outcome: str | None) -> None:
        self.known.setdefault(name, []).append((kind, second, outcome))
        self.judge()

    def judge(self) -> None:
        """An answer goes before an end of the lead."""
        if self.state in ("open", "breached"):
            if self.is_kept:
                self.state = "met"
            elif self.is_over:
                self.state = "cancelled"

    def look(self, upto: int, *, held: bool) -> None:
        if self.state == "open" and upto > LAST and not held:
            self.state, self.was_breached = "breached", True

    @property
    def is_kept(self) -> bool:
        points = 0
        for copies in self.known.values():
            kind, _, outcome = copies[0]
            in_time = any(self.starts - EARLIER <= second <= LAST for _, second, _ in copies)
            if in_time and kind in ("call", "email") and outcome != "bounced":
                points += self.needed if outcome == "connected" else 1
        return points >= self.needed

    @property
    def is_over(self) -> bool:
        ends = [second for copies in self.known.values() for kind, second, _ in copies if kind == "rejected"]
        return any(self.starts - EARLIER <= second <= LAST for second in ends) or any(s <= LAST for s in self.left)


class WindowMachine(RuleBasedStateMachine):
    """One promise and what is read about it. Times are in seconds since the hand-off."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.upto = -10
        self.held = False
        self.facts: list[Fact] = []
        self.announced: list[Event] = []
        self.fired: list[FiredStep] = []

    @initialize(needed=st.sampled_from([1, 3]))
    def open(self, needed: int) -> None:
        self.deal = agreement(ATTEMPTS if needed > 1 else FIRST_RESPONSE)
        opened = window(deal=self.deal)
        self.levels = levels(self.deal, opened)
        self.model = Model(needed)
        self._save(open_window(opened, (), self.levels))

    @rule(seconds=st.integers(1, 700))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(behind=st.sampled_from([0, 0, 5, 300]))
    def facts_are_complete(self, behind: int) -> None:
        """What is known to be complete may still lack what an ingest had on a disk that was given up."""
        self.upto = max(self.upto, self.now - behind)

    @rule()
    def look(self) -> None:
        self._look()

    @rule(seconds=st.integers(100, 2000))
    def wait_and_look(self, seconds: int) -> None:
        self.now += seconds
        self.upto = self.now
        self._look()

    @rule(
        kind=st.sampled_from(["call", "call", "email", "note"]),
        second=instants,
        outcome=st.sampled_from([None, None, "connected", "bounced"]),
        number=st.integers(0, 2),
    )
    def report(self, kind: str, second: int, outcome: str | None, number: int) -> None:
        """A fact, perhaps late. One that is sent again is the same but for when it was accepted."""
        name = f"{kind}-{outcome}-{number}"
        read = msgspec.structs.replace(fact(kind, second, name), outcome=outcome)
        self.facts.append(read)
        self.model.learn(name, kind, second, outcome)
        self._save(apply_fact(self._fresh(), read, at(self.now)))

    @precondition(lambda self: self.now > 300)
    @rule(second=instants)
    def reject(self, second: int) -> None:
        read = fact("rejected", second, f"rejected-{second}")
        self.facts.append(read)
        self.model.learn(read.activity_id, "rejected", second, None)
        self._save(apply_fact(self._fresh(), read, at(self.now)))

    @precondition(lambda self: self.now > 300)
    @rule(second=st.integers(0, 1100))
    def lead_leaves(self, second: int) -> None:
        self.model.left.append(second)
        self.model.judge()
        self._save(move_on(self._fresh(), at(second), at(self.now)))

    @rule(second=st.integers(-60, -1))
    def an_earlier_inquiry_turns_up(self, second: int) -> None:
        self.facts.append(fact(INQUIRY, second, f"inquiry-{second}"))
        self.model.starts = min(self.model.starts, second)
        self.model.judge()
        self._save(move_start(self._fresh(), self.facts, at(self.now)))

    @precondition(lambda self: not self.held and self.state.window.look_at is not None)
    @rule()
    def a_record_cannot_be_read(self) -> None:
        self.held = True
        self._save(WindowState(msgspec.structs.replace(self.state.window, hold="unreadable"), self.state.escalation))

    @precondition(lambda self: self.held)
    @rule()
    def it_is_read_after_all(self) -> None:
        self.held = False
        self._save(release(self._fresh()))

    @invariant()
    def the_verdict_is_the_one_that_the_facts_imply(self) -> None:
        assert self.state.window.state == self.model.state
        expected: list[type[Event]] = [WindowBreached] if self.model.was_breached else []
        if self.model.state in ("met", "cancelled"):
            plain = WindowMet if self.model.state == "met" else WindowCancelled
            expected.append(BreachRetracted if self.model.was_breached else plain)
        assert [type(each) for each in self.announced if isinstance(each, VERDICTS)] == expected

    @invariant()
    def each_step_fires_once_per_round_and_in_order(self) -> None:
        steps = [(each.level.loop, each.level.level) for each in self.fired]
        assert len(steps) == len(set(steps))
        due = [each.level.due_at for each in self.fired]
        assert all(earlier <= later for earlier, later in pairwise(due))

    @invariant()
    def nothing_follows_the_end(self) -> None:
        """Neither a promise that was kept, or ended, nor one whose breach is taken back notifies or moves anyone."""
        ends = [n for n, each in enumerate(self.announced) if isinstance(each, (*VERDICTS, EscalationClosed))]
        over = [n for n in ends if not isinstance(self.announced[n], WindowBreached)]
        if over:
            assert not [each for each in self.announced[over[0] :] if isinstance(each, NOTICES)]
        if self.model.state in ("met", "cancelled"):
            assert (self.state.window.look_at, self.state.window.hold) == (None, None)
            assert self.state.escalation is None or self.state.escalation.state == "closed"

    def teardown(self) -> None:
        """Once everything is known, there is a verdict, and nobody is left to look."""
        if not hasattr(self, "state"):
            return
        if self.held:
            self.it_is_read_after_all()
        for _ in range(3):
            self.now, self.upto = self.now + 20_000, self.now + 20_000
            self._look()
        assert self.model.state != "open"
        assert self.state.window.look_at is None
        self.the_verdict_is_the_one_that_the_facts_imply()
        self.each_step_fires_once_per_round_and_in_order()
        self.nothing_follows_the_end()

    def _look(self) -> None:
        """As the timer does: at windows that have something due, up to where facts are complete."""
        now, upto = at(self.now), at(self.upto)
        while self.state.window.look_at is not None and self.state.window.look_at <= min(now, upto):
            before = self._fresh()
            self.model.look(min(self.now, self.upto), held=self.held)
            self._save(settle(before, self.facts, self.levels, self.deal, now=now, watermark=upto))
            if self._fresh() == before:
                break

    def _fresh(self) -> WindowState:
        return WindowState(self.state.window, self.state.escalation)

    def _save(self, state: WindowState) -> None:
        self.state = state
        self.announced += [each.event for each in state.announced]
        self.fired += state.fired


WindowMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
TestWindow = WindowMachine.TestCase
