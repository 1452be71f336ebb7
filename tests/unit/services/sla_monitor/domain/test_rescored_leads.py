"""A lead's score rises: its owner's promises start again, and no clock moves later."""

import dataclasses

import pytest

from services.sla_monitor.domain import opening, transitions
from services.sla_monitor.domain.announcements import move_requested
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import Fact, starting
from shared.domain.events import LeadAssigned, MoveRequested
from tests.unit.services.sla_monitor.window_states import (
    FIRST_RESPONSE,
    PROMPTLY,
    agreement,
    assigned,
    at,
    fact,
    watch,
    window,
)


class Owned:
    """A lead that ann has, due in 15 minutes."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.found = LeadContext({}, Persons([], []), {"ld_1": self.facts}, {}, at(0))
        self.found.open(window(), agreement())

    def act(self, done: Fact) -> None:
        self.facts.append(done)
        for window_id, state in self.found.states.items():
            self.found.states[window_id] = transitions.apply_fact(state, done, at(done.accepted_at.second))
        self._open_following()

    def rescore(self, seconds: float, **changes: object) -> None:
        event = rescored(seconds, **changes)
        opened = opening.opened(event, agreement(), watch(at(seconds)))
        for new in self.found.renew("ld_1", event.generation, opened):
            self.found.open(starting(new, self.facts), agreement())
        self._open_following()

    def pass_time(self, seconds: float) -> None:
        for window_id, state in self.found.states.items():
            ladder = levels(agreement(), state.window)
            self.found.states[window_id] = transitions.settle(
                state, self.facts, ladder, agreement(), now=at(seconds), watermark=at(seconds)
            )

    @property
    def states(self) -> list[tuple[int, str, float]]:
        found = [each.window for each in self.found.states.values()]
        return sorted((each.generation, each.state, (each.due_at - at(0)).total_seconds()) for each in found)

    def _open_following(self) -> None:
        for new in self.found.following():
            self.found.open(new, agreement())


def rescored(seconds: float, **changes: object) -> LeadAssigned:
    fields = {"generation": 2, "lead_version": 3, "because": "rescored", "previous_rep": "ann", "score": 90}
    return assigned(**{**fields, "assigned_at": at(seconds), **changes})


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (100, [(1, "met", 900), (2, "breached", 1200)]),
        (400, [(1, "met", 900)]),
        (1000, [(1, "breached", 900)]),
        (None, [(1, "breached", 900)]),
    ],
)
@pytest.mark.parametrize("call_first", [True, False])
def test_a_promise_that_runs_goes_on_and_one_that_was_kept_starts_again_in_any_order(
    call: int | None, expected: list[tuple[int, str, float]], call_first: bool
) -> None:
    lead = Owned()
    if not call_first:
        lead.rescore(300)
    if call is not None:
        lead.act(fact("call", call))
    if call_first:
        lead.rescore(300)
    lead.pass_time(2000)
    assert lead.states == expected


@pytest.mark.parametrize("end_first", [True, False])
def test_a_promise_that_ran_when_the_score_rose_does_not_start_again_though_the_end_of_the_lead_is_read_first(
    end_first: bool,
) -> None:
    lead = Owned()
    if end_first:
        lead.act(fact("lost", 400))
    lead.rescore(300)
    if not end_first:
        lead.act(fact("lost", 400))
    assert lead.states == [(1, "cancelled", 900)]


@pytest.mark.parametrize("judged_first", [True, False])
def test_a_promise_that_was_missed_before_starts_again(judged_first: bool) -> None:
    lead = Owned()
    if judged_first:
        lead.pass_time(1000)
    lead.rescore(1000)
    assert lead.states[1] == (2, "open", 1900)
    lead.act(fact("call", 1500))
    lead.pass_time(2000)
    assert lead.states == [(1, "breached", 900), (2, "met", 1900)]


def test_a_promise_that_was_not_owed_before_starts_and_what_is_due_later_runs_on() -> None:
    lead = Owned()
    late = dataclasses.replace(FIRST_RESPONSE, within=PROMPTLY)
    [new] = opening.opened(rescored(300), agreement(late), watch(at(300)))
    assert lead.found.renew("ld_1", 2, [new]) == [new]
    lead.found.open(new, agreement(late))
    assert lead.states == [(1, "open", 900), (2, "open", 420)]
    lead.act(fact("call", 310))
    assert {state for _, state, _ in lead.states} == {"met"}


def test_a_ladder_that_goes_on_moves_the_lead_as_its_owner_has_it_now() -> None:
    lead = Owned()
    lead.rescore(300)
    [watched] = lead.found.windows("ld_1")
    [moving] = [level for level in levels(agreement(), watched) if level.move_within is not None]
    event = move_requested(watched, moving, "pool", at(2000)).event
    assert isinstance(event, MoveRequested)
    assert (watched.generation, event.generation) == (1, 2)
