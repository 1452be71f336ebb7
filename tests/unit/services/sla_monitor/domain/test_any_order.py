"""Whatever the order in which facts and watermarks come, and whenever the timer looks: the verdict is the one that the
set of accepted facts implies, given once."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.transitions import apply_fact, move_on, move_start, open_window, settle
from services.sla_monitor.domain.watermark import Watermark, newest, watermarks
from services.sla_monitor.domain.window import INQUIRY, Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.events import BreachRetracted, EscalationRaised, WindowBreached, WindowCancelled, WindowMet
from shared.domain.settlement import counts_at
from tests.unit.services.sla_monitor.window_states import ATTEMPTS, agreement, at, fact, window

DECIDED = 902
MOVED = "moved"
KINDS = ("call", "email", "meeting", "note")
LADDER = levels(agreement(), window())

EARLY = st.lists(st.integers(-2000, -4), max_size=2)
seconds = st.one_of(st.integers(-5, 3000), st.sampled_from([-4, -3, 0, 900, 901, DECIDED, DECIDED + 1]))


@dataclass(frozen=True)
class LogRecord:
    """One record of an instance's log: a fact, or a watermark when `fact` is None. A fact may be an earlier inquiry."""

    upto: datetime
    fact: Fact | None


@st.composite
def instance_log(draw: st.DrawFn, name: str, kinds: tuple[str, ...]) -> list[LogRecord]:
    """Facts in accepted order with watermarks among them: no fact behind a watermark is older than it. What a sender
    repeated was accepted by both instances, each at its own instant.
    """
    accepted = sorted(draw(st.lists(seconds, max_size=5)))
    own = [f"{name}{n}" for n in range(5)]
    numbers = draw(st.lists(st.integers(0, 9), min_size=5, max_size=5, unique=True))
    ids = [f"both{number}" if number < 5 else own[number - 5] for number in numbers]
    records = [
        LogRecord(at(second), Fact(fact_id, kinds[int(fact_id[-1]) % len(kinds)], at(second)))
        for fact_id, second in zip(ids, accepted, strict=False)
    ]
    for upto in draw(st.lists(seconds, max_size=4)):
        behind = next((n for n, each in enumerate(records) if each.upto >= at(upto)), len(records))
        records.insert(behind, LogRecord(at(upto), None))
    return [*records, LogRecord(at(100_000), None)]


class Monitor:
    """The rules with what the store would hold, and the events they announced."""

    def __init__(self, watched: Window) -> None:
        self.case = open_window(watched, (), LADDER)
        self.facts: list[Fact] = []
        self.marks = {"a": Watermark(3, "a", at(-100)), "b": Watermark(3, "b", at(-100))}
        self.now = at(0)
        self.events: list[object] = []

    def take(self, instance: str, record: LogRecord) -> None:
        if record.fact is not None and record.fact.kind == INQUIRY:
            self.facts.append(record.fact)
            self._save(move_start(self._loaded(), self.facts, self.now))
        elif record.fact is not None and record.fact.kind == MOVED:
            self._save(move_on(self._loaded(), record.upto, self.now))
        elif record.fact is not None:
            self.facts.append(record.fact)
            self._save(apply_fact(self._loaded(), record.fact, self.now))
        else:
            watermark = Watermark(3, instance, record.upto)
            self.marks[instance] = newest([self.marks[instance], watermark])[(3, instance)]

    def look(self) -> None:
        watermark = watermarks(self.marks.values())[3]
        while self.case.window.look_at is not None and self.case.window.look_at <= min(self.now, watermark):
            self._save(settle(self._loaded(), self.facts, LADDER, agreement(), now=self.now, watermark=watermark))

    def pass_time(self, until: datetime) -> None:
        self.now = until
        self.marks = {name: Watermark(3, name, until) for name in self.marks}
        self.look()

    def _loaded(self) -> WindowState:
        return WindowState(self.case.window, self.case.escalation)

    def _save(self, state: WindowState) -> None:
        self.case = state
        self.events += [envelope.event for envelope in state.announced]

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


def run(
    data: st.DataObject, kinds: tuple[str, ...], watched: Window | None = None, late: tuple[Fact, ...] = ()
) -> tuple[Monitor, list[Fact]]:
    logs = {name: data.draw(instance_log(name, kinds), label=name) for name in ("a", "b")}
    logs["router"] = [LogRecord(fact.accepted_at, fact) for fact in late]
    every = [record.fact for log in logs.values() for record in log if record.fact is not None]
    monitor = Monitor(watched or window())
    while any(logs.values()):
        name = data.draw(st.sampled_from([name for name, log in logs.items() if log]))
        record = logs[name].pop(0)
        for _ in range(data.draw(st.integers(1, 2))):  # a record may come twice
            monitor.take(name, record)
        monitor.now = max(monitor.now, at(data.draw(seconds)))
        if data.draw(st.booleans()):
            monitor.look()
    monitor.pass_time(at(100_000))
    monitor.pass_time(at(200_000))  # the wait after the last level, before the ladder is over
    return monitor, every


@settings(max_examples=300)
@given(st.data())
def test_a_window_is_breached_exactly_when_no_answer_was_accepted_in_time(data: st.DataObject) -> None:
    monitor, facts = run(data, KINDS)
    met = any(f.kind in ("call", "email") and at(-3) <= f.accepted_at <= at(DECIDED) for f in facts)
    assert monitor.case.window.state == ("met" if met else "breached")
    assert (monitor.count(WindowMet), monitor.count(WindowBreached)) == ((1, 0) if met else (0, 1))
    assert monitor.count(BreachRetracted) == 0
    assert monitor.case.window.look_at is None


@settings(max_examples=200)
@given(st.data())
def test_a_rejection_in_time_is_never_followed_by_a_breach(data: st.DataObject) -> None:
    monitor, facts = run(data, (*KINDS, "rejected"))
    timely = {f.kind for f in facts if at(-3) <= f.accepted_at <= at(DECIDED)}
    expected = {"met"} if timely & {"call", "email"} else set()
    expected |= {"cancelled"} if "rejected" in timely else set()
    assert monitor.case.window.state in (expected or {"breached"})
    assert sum(monitor.count(kind) for kind in (WindowMet, WindowBreached, WindowCancelled)) == 1


@settings(max_examples=200)
@given(st.data())
def test_levels_fire_once_and_in_order_and_never_after_an_answer(data: st.DataObject) -> None:
    monitor, facts = run(data, KINDS)
    due = [event.due_at for event in monitor.events if isinstance(event, EscalationRaised)]
    assert due == sorted(set(due))
    answers = [f.accepted_at for f in facts if f.kind in ("call", "email") and f.accepted_at >= at(-3)]
    assert all(instant + window().tolerance <= min(answers, default=at(100_000)) for instant in due)
    assert bool(answers) or len(due) == 5


@settings(max_examples=200)
@given(st.data(), st.lists(st.integers(DECIDED + 1, 9000), min_size=1, max_size=3))
def test_a_lead_that_moves_after_the_deadline_takes_every_page_of_its_breach_along(
    data: st.DataObject, moves: list[int]
) -> None:
    monitor, facts = run(data, KINDS, late=tuple(fact(MOVED, second) for second in sorted(moves)))
    answers = [f.accepted_at for f in facts if f.kind in ("call", "email") and f.accepted_at >= at(-3)]
    met = any(instant <= at(DECIDED) for instant in answers)
    assert monitor.case.window.state == ("met" if met else "breached")
    due = [event.due_at for event in monitor.events if isinstance(event, EscalationRaised) and event.page]
    assert due == sorted(set(due))
    assert all(instant + window().tolerance <= min(answers, default=at(100_000)) for instant in due)
    assert bool(answers) or due == [at(4500), at(6300), at(8100)]


@settings(max_examples=300)
@given(st.data())
def test_a_count_is_met_exactly_when_so_many_were_accepted_in_time(data: st.DataObject) -> None:
    monitor, facts = run(data, ("call", "email", "note"), window(deal=agreement(ATTEMPTS)))
    counting = [f for f in facts if f.kind in ATTEMPTS.met_by and f.accepted_at >= at(-3)]
    first = {f.activity_id: f.accepted_at for f in sorted(counting, key=lambda f: f.accepted_at, reverse=True)}
    counted = sorted(first.values())
    met = sum(instant <= at(DECIDED) for instant in counted) >= ATTEMPTS.at_least
    assert monitor.case.window.state == ("met" if met else "breached")
    assert (monitor.count(WindowMet), monitor.count(WindowBreached)) == ((1, 0) if met else (0, 1))
    assert (monitor.count(BreachRetracted), monitor.case.window.look_at) == (0, None)
    assert monitor.case.window.done == min(ATTEMPTS.at_least, len(counted))
    due = [event.due_at for event in monitor.events if isinstance(event, EscalationRaised)]
    complete = counted[ATTEMPTS.at_least - 1] if len(counted) >= ATTEMPTS.at_least else at(100_000)
    assert due == sorted(set(due))
    assert all(instant + window().tolerance <= complete for instant in due)


@settings(max_examples=200)
@given(st.data())
def test_a_listed_meeting_in_time_is_never_followed_by_a_breach(data: st.DataObject) -> None:
    watched = msgspec.structs.replace(window(deal=agreement(ATTEMPTS)), kinds=("call", "meeting"))
    monitor, facts = run(data, ("call", "meeting"), watched)
    timely = {f.activity_id: f.kind for f in facts if at(-3) <= f.accepted_at <= at(DECIDED)}
    met = "meeting" in timely.values() or len(timely) >= ATTEMPTS.at_least
    assert monitor.case.window.state == ("met" if met else "breached")
    assert sum(monitor.count(kind) for kind in (WindowMet, WindowBreached)) == 1


@settings(max_examples=300)
@given(st.data(), st.lists(st.integers(-2000, 2000), max_size=3))
def test_an_earlier_inquiry_that_turns_up_late_counts_as_if_it_had_come_first(
    data: st.DataObject, inquiries: list[int]
) -> None:
    calls = tuple(fact("call", second, f"early{n}") for n, second in enumerate(data.draw(EARLY)))
    late = (*calls, *(fact(INQUIRY, second) for second in inquiries))
    monitor, facts = run(data, KINDS, late=tuple(data.draw(st.permutations(late))))
    starts_at = at(min(-1, *inquiries) if inquiries else -1) - window().tolerance
    met = any(f.kind in ("call", "email") and starts_at <= f.accepted_at <= at(DECIDED) for f in facts)
    assert monitor.case.window.state == ("met" if met else "breached")
    assert monitor.count(WindowMet) + monitor.count(WindowBreached) == 1
    assert monitor.count(BreachRetracted) == (met and monitor.count(WindowBreached))
    assert monitor.case.window.look_at is None
    retracted = [event.breach_id for event in monitor.events if isinstance(event, BreachRetracted)]
    assert set(retracted) <= {event.breach_id for event in monitor.events if isinstance(event, WindowBreached)}


@settings(max_examples=300)
@given(st.data(), st.lists(st.tuples(seconds, st.integers(0, 3000)), min_size=1, max_size=3))
def test_a_call_that_a_trusted_sender_dates_counts_from_then_however_late_it_is_reported(
    data: st.DataObject, calls: list[tuple[int, int]]
) -> None:
    late = tuple(fact("call", second + after, f"dated{n}", happened=second) for n, (second, after) in enumerate(calls))
    monitor, facts = run(data, KINDS, late=late)
    met = any(f.kind in ("call", "email") and at(-3) <= counts_at(f) <= at(DECIDED) for f in facts)
    assert monitor.case.window.state == ("met" if met else "breached")
    assert monitor.count(WindowMet) + monitor.count(WindowBreached) == 1
    assert monitor.count(BreachRetracted) == (met and monitor.count(WindowBreached))
    assert monitor.case.window.look_at is None


def test_a_rejection_after_the_first_inquiry_disproves_a_breach_and_cancels_the_window() -> None:
    monitor = Monitor(window())
    monitor.now = at(2000)
    for record in (LogRecord(at(-60), fact("rejected", -60)), LogRecord(at(2000), None)):
        monitor.take("a", record)
    monitor.take("b", LogRecord(at(2000), None))
    monitor.look()
    assert monitor.case.window.state == "breached"
    monitor.take("router", LogRecord(at(-90), fact(INQUIRY, -90)))
    assert (monitor.case.window.state, monitor.case.window.reason) == ("cancelled", "rejected")
    assert monitor.count(BreachRetracted) == 1
