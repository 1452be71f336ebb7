"""What is known of some leads while a batch of events is handled: their windows, facts, and why any are on hold."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from services.sla_monitor.domain import ladder, opening, transitions
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import ASSIGNED, Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain.activities import WITHDRAWN
from shared.domain.agreement import Agreement
from shared.domain.events import LeadAssigned, LeadClosed, LeadRescheduled


@dataclass(slots=True)
class LeadContext:
    """The cases of all windows of some people, by window; news changes them one after the other. `facts` are by the id
    under which they were reported, `holds` by the lead under which the person goes on.
    """

    states: dict[str, WindowState]
    persons: Persons
    facts: Mapping[str, Sequence[Fact]]
    holds: Mapping[str, str]
    now: datetime
    _by_lead: defaultdict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_lead = by_lead(self.states)

    def windows(self, lead_id: str) -> list[Window]:
        """The windows of a lead, including ended ones."""
        return [self.states[window_id].window for window_id in self._by_lead[lead_id]]

    def windows_of_person(self, lead_id: str) -> list[Window]:
        """The windows of all leads of the person, including ended ones."""
        return [window for each in self.persons.ids_of([lead_id]) for window in self.windows(each)]

    def facts_for(self, lead_id: str) -> list[Fact]:
        """The facts that count for the lead, under whichever id of the person they were reported."""
        return self.persons.facts_for(lead_id, self.facts)

    def hold_on(self, lead_id: str) -> str | None:
        """Why the person's promises are on hold; None if they are not."""
        return self.holds.get(self.persons.lead_of(lead_id))

    def open(self, window: Window, agreement: Agreement) -> None:
        """Open a window; earlier facts count immediately. Raises as `ladder.levels`."""
        window = ladder.planned(agreement, window)
        levels = ladder.levels(agreement, window)
        self.states[window.window_id] = transitions.open_window(window, self.facts_for(window.lead_id), levels)
        self._by_lead[window.lead_id].append(window.window_id)

    def end(self, lead_id: str, at: datetime, why: str) -> None:
        """The lead's promises no longer apply from `at` on."""
        for window_id in self._by_lead[lead_id]:
            self.states[window_id] = transitions.supersede(self.states[window_id], at, self.now, why)

    def withdraw(self, event: LeadClosed) -> None:
        """The person withdrew consent, and may have done so before the lead began: then nothing is owed on it, although
        no fact that counts says so.
        """
        fact = Fact(event.inquiry_id, WITHDRAWN, event.closed_at)
        for window_id in self._by_lead[event.lead_id]:
            self.states[window_id] = transitions.withdraw(self.states[window_id], fact, self.now)

    def move_on(
        self, lead_id: str, at: datetime, why: str, *, cycle: int, spared: Collection[str], missed: bool = False
    ) -> None:
        """The lead went to another rep or queue at `at`, and its promises, but for the `spared` ones, with it: because
        one was `missed`, or for another reason. Those of an earlier `cycle` no longer apply.
        """
        for window_id in self._by_lead[lead_id]:
            state = self.states[window_id]
            if state.window.promise in spared:
                continue
            if state.window.cycle == cycle:
                state = transitions.move_on(state, at, self.now, why, missed=missed)
            else:
                state = transitions.supersede(state, at, self.now, why)
            self.states[window_id] = state

    def renew(self, lead_id: str, generation: int, opened: Sequence[Window]) -> list[Window]:
        """The lead's score has risen and its owner keeps it, as the given generation: which of their new windows open.
        What runs goes on; a promise that runs with an earlier deadline does not start again.
        """
        for window_id in self._by_lead[lead_id]:
            state = self.states[window_id]
            watched = state.window
            if watched.side == "sales" and not watched.moved and watched.state in ("open", "breached"):
                then = tuple([new for new in opened if opening.covers(watched, new)])
                watched = msgspec.structs.replace(watched, held_as=generation, then=(*watched.then, *then))
                self.states[window_id] = replace(state, window=watched)
        known = self.windows(lead_id)
        return [new for new in opened if not any(opening.covers(each, new) for each in known)]

    def reschedule(self, event: LeadRescheduled, window: Window, agreement: Agreement) -> None:
        """The owner's leave changed, which moves the deadline of their window. Raises as `ladder.levels`."""
        state, facts = self.states[window.window_id], self.facts_for(window.lead_id)
        moved = ladder.carried_over(agreement, window, opening.rescheduled(window, event, agreement, facts))
        levels = ladder.levels(agreement, moved)
        if window.state == "breached":
            after = transitions.take_back(state, moved, levels, facts, event, self.now)
        else:
            after = transitions.reschedule(state, moved, levels, event, self.now)
        self.states[window.window_id] = after

    def pause(self, window: Window, agreement: Agreement) -> None:
        """Facts that stop the clock, or let it run again, were read. Raises as `ladder.levels`."""
        facts, state = self.facts_for(window.lead_id), self.states[window.window_id]
        gone_at = window.gone_at if window.state in ("open", "breached") else None
        left = window.moved and window.state == "breached"
        ended = left or gone_at is not None
        paused = opening.paused(window, facts, agreement) if window.runs or ended else window
        if paused is not window and ended:
            left_at = gone_at or _left_at(window, self.windows(window.lead_id))
            self.states[window.window_id] = transitions.pause_after_end(state, paused, left_at, self.now)
        elif paused is not window:
            moved = ladder.carried_over(agreement, window, paused)
            levels = ladder.levels(agreement, moved)
            self.states[window.window_id] = transitions.pause(state, moved, levels, facts, self.now)

    def following(self) -> list[Window]:
        """Windows that are to open now, because the one that ran instead had been kept before."""
        found = [new for state in self.states.values() for new in opening.following(state.window)]
        return [new for new in found if new.window_id not in self.states]

    def move_start(self, lead_id: str) -> None:
        """The person's first inquiry turned up late and is among the facts: the lead's windows start there."""
        facts = self.facts_for(lead_id)
        for window_id in self._by_lead[lead_id]:
            self.states[window_id] = transitions.move_start(self.states[window_id], facts, self.now)

    def join(self, lead_id: str) -> None:
        """The lead turned out to be the same person as another: what was reported under any id of the person counts for
        all windows, and what holds up one of their leads holds up all.
        """
        hold = self.hold_on(lead_id)
        for each in self.persons.ids_of([lead_id]):
            facts = self.facts_for(each)
            for window_id in self._by_lead[each]:
                self.states[window_id] = transitions.join(self.states[window_id], facts, hold, self.now)

    def part(self, lead_id: str) -> None:
        """The lead turned out to be another person's than one that it was part of, or that was part of it: what holds
        that one up does not hold this one up.
        """
        for window_id in self._by_lead[lead_id]:
            window = self.states[window_id].window
            if window.hold is not None and self.hold_on(lead_id) is None:
                self.states[window_id] = transitions.release(self.states[window_id])

    def apply_assignment(self, event: LeadAssigned) -> None:
        """The lead was assigned, which keeps the promises that require it.

        The log gives the order reliably, the router's clock only approximately: an assignment is never older than the
        parking before it in the log.
        """
        for window_id in self._by_lead[event.lead_id]:
            state = self.states[window_id]
            at = max(event.assigned_at, state.window.counts_from_at)
            self.states[window_id] = transitions.apply_fact(state, Fact(event.assignment_id, ASSIGNED, at), self.now)


def by_lead(states: Mapping[str, WindowState]) -> defaultdict[str, list[str]]:
    """The ids of the windows of each lead."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for window_id, state in states.items():
        found[state.window.lead_id].append(window_id)
    return found


def _left_at(window: Window, windows: Iterable[Window]) -> datetime | None:
    """When the lead went from the window's owner to another rep or queue, by the `windows` of those; None if none of
    them is known.
    """
    later = (
        each.opened_at
        for each in windows
        if each.generation > window.owner_number
        or (each.promise == opening.TRIAGE and each.opened_at > window.opened_at)
    )
    return min(later, default=None)
