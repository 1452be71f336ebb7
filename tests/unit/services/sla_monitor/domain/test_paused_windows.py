"""The clock of a promise stands still: what its window, its ladder and its verdict do meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from services.sla_monitor.domain import opening, transitions
from services.sla_monitor.domain.ladder import exhausted_at, levels
from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import Fact, Window
from shared.domain.agreement import Agreement, Duration, Ladder, Pause, Step
from shared.domain.calendar import Calendar
from shared.domain.event import LeaveInterval
from shared.domain.events import (
    BreachRetracted,
    Event,
    LeadRescheduled,
    WindowBreached,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowResumed,
    WindowWarned,
)
from shared.domain.zones import ZONE_DATA
from tests.kit.events import lead_rescheduled
from tests.unit.services.sla_monitor.window_states import DISPOSITION, OFFICE, T0, agreement, assigned, at, fact, watch

HOUR = 3600
DEAL = agreement(replace(DISPOSITION, pause=Pause(Duration(4 * HOUR), times=2)))
PAUSE, RESUME = fact("paused", 600), fact("resumed", 1200)
ANSWER = fact("accepted", HOUR + 300)


class Owned:
    """A lead that ann has since `T0`; she owes a disposition within the hour."""

    def __init__(self, deal: Agreement = DEAL, facts: Sequence[Fact] = ()) -> None:
        self.deal = deal
        self.facts = list(facts)
        self.context = LeadContext({}, Persons(["ld_1"], []), {"ld_1": self.facts}, {}, T0)
        for opened in opening.opened(assigned(), deal, watch(), self.facts):
            self.context.open(opened, deal)

    @property
    def window(self) -> Window:
        return next(iter(self.context.states.values())).window

    def reads(self, *facts: Fact) -> None:
        """As the handler does: pauses come before what counts."""
        self.facts += facts
        if any(each.kind in ("paused", "resumed") for each in facts):
            self.context.pause(self.window, self.deal)
        for each in facts:
            for window_id, state in self.context.states.items():
                self.context.states[window_id] = transitions.apply_fact(state, each, each.accepted_at)

    def pass_time(self, seconds: float) -> None:
        for window_id, state in self.context.states.items():
            ladder = levels(self.deal, state.window)
            now = at(seconds)
            self.context.states[window_id] = transitions.settle(
                state, self.facts, ladder, self.deal, now=now, watermark=now
            )

    def events(self, *kinds: type[Event]) -> list[Any]:
        found = [each.event for state in self.context.states.values() for each in state.announced]
        return [event for event in found if isinstance(event, kinds)]


def due(level: int, window: Window) -> datetime:
    return next(each.due_at for each in levels(DEAL, window) if (each.level, each.loop) == (level, 0))


def test_a_pause_moves_the_deadline_to_its_latest_end_and_resuming_moves_it_back_by_the_rest() -> None:
    owned = Owned()
    owned.reads(PAUSE)
    assert owned.window.due_at == at(5 * HOUR)
    [paused] = owned.events(WindowPaused)
    assert isinstance(paused, WindowPaused)
    assert (paused.at, paused.until, paused.due_at) == (at(600), at(600 + 4 * HOUR), at(5 * HOUR))
    owned.reads(RESUME)
    assert owned.window.due_at == at(HOUR + 600)
    [resumed] = owned.events(WindowResumed)
    assert isinstance(resumed, WindowResumed)
    assert (resumed.at, resumed.due_at) == (at(1200), at(HOUR + 600))


def test_nobody_is_warned_or_late_during_a_pause_and_the_ladder_moves_with_the_deadline() -> None:
    owned = Owned()
    owned.reads(PAUSE)
    owned.pass_time(600 + 4 * HOUR)
    assert owned.events(WindowWarned, WindowBreached) == []
    assert [due(level, owned.window) for level in (2, 3, 4)] == [at(5 * HOUR), at(5 * HOUR + 900), at(6 * HOUR)]
    owned.pass_time(5 * HOUR + 3)
    [breached] = owned.events(WindowBreached)
    assert isinstance(breached, WindowBreached)
    assert (breached.at, breached.fault) == (at(5 * HOUR), "rep")


def test_a_warning_that_was_given_before_the_pause_is_not_given_again() -> None:
    owned = Owned()
    owned.pass_time(HOUR - 297)
    owned.reads(fact("paused", HOUR - 200), fact("resumed", HOUR - 100))
    owned.pass_time(HOUR + 90)
    assert len(owned.events(WindowWarned)) == 1
    assert owned.window.state == "open"


def test_pause_resume_and_an_answer_give_one_verdict_in_any_order_of_reading() -> None:
    for order in permutations([PAUSE, RESUME, ANSWER]):
        owned = Owned()
        for each in order:
            owned.reads(each)
        owned.pass_time(2 * HOUR)
        assert (owned.window.state, owned.window.ended_at) == ("met", ANSWER.accepted_at), order
        assert len(owned.events(WindowMet)) == 1


def test_an_answer_in_one_batch_with_a_pause_that_ended_before_is_late_as_if_read_later() -> None:
    owned = Owned()
    late = fact("accepted", HOUR + 700)
    owned.reads(late, RESUME, PAUSE)
    owned.pass_time(2 * HOUR)
    assert owned.window.state == "breached"


def test_a_pause_from_the_deadline_on_takes_back_no_breach() -> None:
    for seconds in (HOUR, HOUR + 1, 2 * HOUR):
        owned = Owned()
        owned.pass_time(HOUR + 3)
        owned.reads(fact("paused", seconds))
        assert (owned.window.state, owned.window.due_at) == ("breached", at(HOUR))
        assert owned.events(BreachRetracted) == []


def test_a_pause_from_before_the_deadline_that_is_read_after_the_breach_takes_it_back() -> None:
    owned = Owned()
    owned.pass_time(HOUR + 3)
    owned.reads(PAUSE)
    assert (owned.window.state, owned.window.again, owned.window.due_at) == ("open", 1, at(5 * HOUR))
    [retracted] = owned.events(BreachRetracted)
    assert isinstance(retracted, BreachRetracted)
    assert retracted.reason == "paused"
    owned.pass_time(6 * HOUR)
    assert [event.at for event in owned.events(WindowBreached) if isinstance(event, WindowBreached)] == [
        at(HOUR),
        at(5 * HOUR),
    ]


def test_pauses_that_are_read_together_after_a_breach_take_it_back_although_the_last_began_after_the_deadline() -> None:
    owned = Owned()
    owned.pass_time(HOUR + 3)
    owned.reads(PAUSE, RESUME, fact("paused", HOUR + 100))
    assert (owned.window.state, owned.window.again) == ("open", 1)
    [retracted] = owned.events(BreachRetracted)
    assert (retracted.at, retracted.reason) == (PAUSE.accepted_at, "paused")


def test_an_earlier_pause_that_is_read_after_the_breach_of_a_paused_promise_takes_it_back() -> None:
    owned = Owned()
    owned.reads(fact("paused", HOUR - 60), fact("resumed", HOUR - 30))
    owned.pass_time(HOUR + 33)
    owned.reads(PAUSE, RESUME)
    assert (owned.window.state, owned.window.due_at) == ("open", at(HOUR + 30 + 600))
    assert [each.at for each in owned.events(BreachRetracted)] == [PAUSE.accepted_at]


@pytest.mark.parametrize(("moved_s", "state"), [(2 * HOUR, "cancelled"), (5 * HOUR + 60, "breached")])
def test_a_pause_from_before_a_breach_that_is_read_after_the_move_takes_it_back_if_the_lead_left_in_time(
    moved_s: float, state: str
) -> None:
    owned = Owned()
    owned.pass_time(HOUR + 3)
    first = owned.window
    owned.context.move_on("ld_1", at(moved_s), "reassigned", cycle=1, spared=(), missed=True)
    for new in opening.opened(assigned(generation=2, assigned_at=at(moved_s)), DEAL, watch(), ()):
        owned.context.open(new, DEAL)
    owned.facts.append(PAUSE)
    owned.context.pause(owned.context.states[first.window_id].window, DEAL)
    assert owned.context.states[first.window_id].window.state == state
    assert [each.reason for each in owned.events(BreachRetracted)] == (["paused"] if state == "cancelled" else [])


@pytest.mark.parametrize(("ended_s", "state"), [(2 * HOUR, "cancelled"), (5 * HOUR + 60, "breached")])
@pytest.mark.parametrize("breached_first", [True, False])
def test_a_pause_from_before_the_deadline_lets_nothing_run_again_on_a_lead_that_the_router_ended(
    ended_s: float, state: str, breached_first: bool
) -> None:
    owned = Owned()
    if breached_first:
        owned.pass_time(HOUR + 3)
    owned.context.end("ld_1", at(ended_s), "rejected")
    owned.reads(PAUSE)
    owned.pass_time(9 * HOUR)
    assert owned.window.state == state
    assert len(owned.events(BreachRetracted)) == (breached_first and state == "cancelled")
    assert [event.again for event in owned.events(WindowOpened)] == [0]


def test_leave_from_before_the_deadline_lets_nothing_run_again_on_a_lead_that_the_router_ended() -> None:
    owned = Owned()
    owned.pass_time(HOUR + 3)
    owned.context.end("ld_1", at(2 * HOUR), "rejected")
    leave = (LeaveInterval(at(600), at(5 * HOUR)),)
    owned.context.reschedule(lead_rescheduled(owner_leave=leave, changed_at=at(600)), owned.window, DEAL)
    assert owned.window.state == "cancelled"
    assert [event.again for event in owned.events(WindowOpened)] == [0]


def test_only_as_many_pauses_as_the_agreement_says_count() -> None:
    owned = Owned()
    for start in (600, 900, 1200):
        owned.reads(fact("paused", start), fact("resumed", start + 60))
    assert owned.window.due_at == at(HOUR + 120)
    assert len(owned.events(WindowPaused)) == 2


def test_a_pause_that_is_read_before_the_assignment_counts_from_the_start() -> None:
    owned = Owned(facts=[fact("paused", -0.5)])
    assert owned.window.due_at == at(5 * HOUR - 0.5)
    [opened] = owned.events(WindowOpened)
    assert isinstance(opened, WindowOpened)
    assert opened.due_at == owned.window.due_at
    assert len(owned.events(WindowPaused)) == 1


def test_a_promise_that_may_not_be_paused_runs_on() -> None:
    owned = Owned(agreement(DISPOSITION))
    owned.reads(PAUSE)
    assert owned.window.due_at == at(HOUR)
    assert owned.events(WindowPaused) == []


def test_leave_that_changes_during_a_pause_leaves_the_pause_as_it_is() -> None:
    owned = Owned()
    owned.reads(PAUSE, RESUME)
    leave = LeaveInterval(at(1800), at(1800 + HOUR))
    event: LeadRescheduled = lead_rescheduled(owner_leave=(leave,), changed_at=at(1500))
    owned.context.reschedule(event, owned.window, DEAL)
    assert owned.window.due_at == at(2 * HOUR + 600)


def test_the_instants_of_a_ladder_stay_whatever_later_calendars_say() -> None:
    steps = (Step(1, -3600, business=True, tell=("rep",)), Step(2, 0, business=True, after_days=1, tell=("ops",)))
    ladder = Ladder("response", steps, repeats=1, repeat_every_s=3600)
    deal = agreement(DISPOSITION, ladder=ladder)
    closed = Calendar("office", "Asia/Tokyo", OFFICE.weekly, frozenset({T0.date() + timedelta(days=1)}))
    people = {who: replace(person, calendar=closed) for who, person in deal.people.items()}
    upgraded = replace(deal, people=people)
    owned = Owned(deal)
    assert (owned.window.calendar, owned.window.zone_data) == (OFFICE.version[:12], ZONE_DATA)
    assert levels(upgraded, owned.window) == levels(deal, owned.window)
    assert exhausted_at(upgraded, owned.window, None) == exhausted_at(deal, owned.window, None)
    earlier = msgspec.structs.replace(owned.window, ladder_us=())
    assert levels(deal, earlier) == levels(deal, owned.window)
    assert levels(upgraded, earlier) != levels(deal, owned.window), "without them, calendars decide"
