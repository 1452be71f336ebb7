"""The owner of a lead is on leave, or goes on leave: their windows wait, and nothing fires meanwhile."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from services.sla_monitor.domain import disputes, opening, transitions
from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.agreement import Agreement, Duration, Ladder, Promise, Step
from shared.domain.event import LeaveInterval
from shared.domain.events import (
    BreachRetracted,
    EscalationClosed,
    EscalationRaised,
    Event,
    LeadRescheduled,
    WindowBreached,
    WindowMet,
    WindowOpened,
    WindowRescheduled,
    WindowWarned,
)
from shared.domain.leave import changed
from tests.kit.events import lead_rescheduled
from tests.unit.services.sla_monitor.window_states import (
    DISPUTES,
    FIRST_RESPONSE,
    T0,
    agreement,
    assigned,
    at,
    fact,
    watch,
    window,
)

MIDNIGHT = T0.replace(hour=0)
WEEKS = LeaveInterval(MIDNIGHT, MIDNIGHT + timedelta(days=21))
BACK = (WEEKS.ends_at - T0).total_seconds()
WORKING = Promise("first_response", Duration(900, business=True), ("call",), "response")
LADDER = Ladder(
    "response",
    (
        Step(1, -600, tell=("rep",)),
        Step(2, -300, business=True, tell=("rep",)),
        Step(3, 0, tell=("manager",)),
        Step(4, 60, tell=("ops",)),
    ),
)


class Owned:
    """A lead that ann has since `T0`, with her leave as it is known so far."""

    def __init__(self, deal: Agreement, leave: Sequence[LeaveInterval] = ()) -> None:
        self.deal = deal
        self.leave = changed(leave, leave, T0)
        self.context = LeadContext({}, Persons([], []), {"ld_1": []}, {}, T0)
        for opened in opening.opened(assigned(owner_leave=self.leave), deal, watch()):
            self.context.open(opened, deal)

    @property
    def window(self) -> Window:
        return next(iter(self.context.states.values())).window

    def events(self, *kinds: type[Event]) -> list[Event]:
        found = [each.event for state in self.context.states.values() for each in state.announced]
        return [event for event in found if isinstance(event, kinds)]

    def takes_leave(self, seconds: float, *leave: LeaveInterval, version: int = 2) -> LeadRescheduled:
        """Ann's leave is these intervals from now on."""
        self.leave = changed(self.leave, leave, at(seconds))
        event = lead_rescheduled(owner_leave=self.leave, changed_at=at(seconds), lead_version=version)
        for watched in self.context.windows("ld_1"):
            if opening.waits_for(watched, event):
                self.context.reschedule(event, watched, self.deal)
        return event

    def pass_time(self, seconds: float) -> None:
        for window_id, state in self.context.states.items():
            ladder = levels(self.deal, state.window)
            self.context.states[window_id] = transitions.settle(
                state, (), ladder, self.deal, now=at(seconds), watermark=at(seconds)
            )

    def due(self) -> list[tuple[int, datetime]]:
        return [(level.level, level.due_at) for level in levels(self.deal, self.window)]


@pytest.fixture(params=[WORKING, FIRST_RESPONSE], ids=["working time", "wall clock"])
def deal(request: pytest.FixtureRequest) -> Agreement:
    return agreement(request.param, ladder=LADDER)


def first_due(deal: Agreement) -> datetime:
    """When 15 minutes from the return are over: from nine on the rep's calendar, from midnight on the wall clock."""
    starts_at = WEEKS.ends_at if deal.promises["first_response"].clock == "wall" else WEEKS.ends_at.replace(hour=9)
    return starts_at + timedelta(minutes=15)


def test_a_lead_given_to_someone_on_leave_is_due_after_they_are_back_and_nobody_is_warned_before(
    deal: Agreement,
) -> None:
    owned = Owned(deal, [WEEKS])
    assert owned.window.due_at == first_due(deal)
    assert all(due_at >= WEEKS.ends_at for _, due_at in owned.due())
    owned.pass_time(BACK)
    assert owned.events(WindowWarned, WindowBreached) == []
    owned.pass_time((first_due(deal) - T0).total_seconds() + 3)
    [breached] = owned.events(WindowBreached)
    assert isinstance(breached, WindowBreached)
    assert (breached.at, breached.fault) == (first_due(deal), "rep")


def test_an_owner_who_goes_on_leave_stops_the_clock_and_has_the_rest_of_the_time_when_they_are_back(
    deal: Agreement,
) -> None:
    owned = Owned(deal)
    owned.takes_leave(120, WEEKS)
    assert owned.window.due_at == first_due(deal) - timedelta(seconds=120)
    [moved] = owned.events(WindowRescheduled)
    assert isinstance(moved, WindowRescheduled)
    assert (moved.at, moved.due_at) == (at(120), owned.window.due_at)
    owned.pass_time(BACK - 1)
    assert owned.events(WindowWarned, WindowBreached) == []


def test_what_was_warned_of_before_the_leave_is_not_warned_of_again_and_the_rest_is(deal: Agreement) -> None:
    owned = Owned(deal)
    owned.pass_time(303)
    assert len(owned.events(WindowWarned)) == 1
    owned.takes_leave(360, WEEKS)
    owned.pass_time((owned.window.due_at - T0).total_seconds() - 1)
    assert [event.level for event in owned.events(WindowWarned) if isinstance(event, WindowWarned)] == [1, 2]


def test_leave_that_is_taken_back_gives_the_deadline_back_but_never_in_the_past(deal: Agreement) -> None:
    later = LeaveInterval(at(600), WEEKS.ends_at)
    owned = Owned(deal)
    before = owned.window.due_at
    owned.takes_leave(120, later)
    assert owned.window.due_at > before
    owned.takes_leave(300, version=3)
    assert owned.window.due_at == before
    waited = Owned(deal, [WEEKS])
    waited.takes_leave(86400, version=2)
    assert waited.window.due_at == at(86400 + 900)
    waited.pass_time(86400 + 899)
    assert waited.events(WindowBreached) == []


def test_leave_that_is_known_only_after_the_deadline_excuses_nothing(deal: Agreement) -> None:
    for passes in (True, False):
        owned = Owned(deal)
        if passes:
            owned.pass_time(903)
        owned.takes_leave(1000, WEEKS)
        assert owned.window.due_at == at(900)
        assert owned.events(WindowRescheduled) == []
        owned.pass_time(1001)
        assert len(owned.events(WindowBreached)) == 1


def test_a_breach_is_taken_back_if_the_leave_was_recorded_before_the_deadline_and_read_after_it(
    deal: Agreement,
) -> None:
    owned = Owned(deal)
    owned.pass_time(963)
    assert [len(owned.events(kind)) for kind in (WindowBreached, EscalationRaised)] == [1, 2]
    owned.takes_leave(600, WEEKS)
    assert [len(owned.events(kind)) for kind in (BreachRetracted, EscalationClosed, WindowRescheduled)] == [1, 1, 1]
    assert (owned.window.state, owned.window.due_at) == ("open", first_due(deal) - timedelta(seconds=600))
    [closed] = [state.escalation for state in owned.context.states.values()]
    assert closed is not None
    assert closed.state == "closed"
    owned.pass_time(BACK - 1)
    assert len(owned.events(WindowBreached)) == 1
    owned.pass_time((owned.window.due_at - T0).total_seconds() + 63)
    assert len(owned.events(WindowBreached)) == 2
    assert len(owned.events(EscalationRaised)) == 4
    events = [each.id for state in owned.context.states.values() for each in state.announced]
    assert len(events) == len(set(events))


def test_an_answer_from_after_the_first_deadline_keeps_a_promise_whose_breach_is_taken_back(deal: Agreement) -> None:
    owned = Owned(deal)
    owned.pass_time(903)
    owned.context.facts = {"ld_1": [fact("call", 930)]}
    owned.takes_leave(600, WEEKS)
    assert owned.window.state == "met"


def test_a_ladder_goes_on_after_a_breach_although_the_rep_goes_on_leave(deal: Agreement) -> None:
    owned = Owned(deal)
    owned.pass_time(903)
    owned.takes_leave(910, WEEKS)
    assert owned.due()[-1] == (4, at(960))


def test_only_windows_of_the_rep_who_has_the_lead_wait() -> None:
    deal = agreement(WORKING)
    owned = Owned(deal)
    event = owned.takes_leave(60, WEEKS)
    assert opening.waits_for(window(), event)
    assert not opening.waits_for(window(), msgspec.structs.replace(event, generation=2))
    assert not opening.waits_for(msgspec.structs.replace(window(), owner="bob"), event)
    assert not opening.waits_for(msgspec.structs.replace(window(), moved=True), event)
    assert not opening.waits_for(msgspec.structs.replace(window(), state="met"), event)


def test_an_answer_to_a_dispute_waits_for_the_rep_too() -> None:
    deal = agreement(WORKING)
    holder = msgspec.structs.replace(window(deal=deal), leave=(WEEKS,))
    disputed = disputes.dispute(holder, fact("disputed", 60), deal, watch())
    assert disputed is not None
    assert (disputed.promise, disputed.due_at) == (DISPUTES.name, WEEKS.ends_at + timedelta(minutes=15))
    back = lead_rescheduled(owner_leave=(LeaveInterval(MIDNIGHT, at(3600)),), changed_at=at(3600), generation=7)
    assert opening.waits_for(disputed, back)
    assert opening.rescheduled(disputed, back, deal).due_at == at(3600 + 900)


def test_windows_of_an_earlier_release_wait_as_well() -> None:
    owned = Owned(agreement(WORKING, ladder=LADDER))
    [(window_id, state)] = owned.context.states.items()
    stored = msgspec.json.decode(msgspec.json.encode(state.window))
    for added in ("leave", "score", "warned"):
        stored.pop(added, None)
    old = msgspec.convert(stored, Window)
    owned.context.states[window_id] = WindowState(old)
    owned.takes_leave(120, WEEKS)
    assert owned.window.due_at == first_due(owned.deal) - timedelta(seconds=120)


def test_an_answer_during_the_leave_keeps_the_promise() -> None:
    owned = Owned(agreement(WORKING, ladder=LADDER), [WEEKS])
    [(window_id, state)] = owned.context.states.items()
    owned.context.states[window_id] = transitions.apply_fact(state, fact("call", 3600), at(3601))
    assert [type(event) for event in owned.events(WindowOpened, WindowMet)] == [WindowOpened, WindowMet]
