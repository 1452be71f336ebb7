"""What is known of some leads while a batch of events is handled: their windows, facts, and why any are on hold."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.sla_monitor.domain import ladder, transitions
from services.sla_monitor.domain.transitions import WindowState
from services.sla_monitor.domain.window import ASSIGNED, Fact, Window
from shared.domain.agreement import Agreement
from shared.domain.events import LeadAssigned


@dataclass(slots=True)
class LeadContext:
    """The cases of all windows of some leads, by window; news changes them one after the other."""

    states: dict[str, WindowState]
    facts: Mapping[str, Sequence[Fact]]
    holds: Mapping[str, str]
    now: datetime
    _by_lead: defaultdict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_lead = by_lead(self.states)

    def windows(self, lead_id: str) -> list[Window]:
        """The windows of a lead, including ended ones."""
        return [self.states[window_id].window for window_id in self._by_lead[lead_id]]

    def open(self, window: Window, agreement: Agreement) -> None:
        """Open a window; earlier facts count immediately. Raises as `ladder.levels`."""
        levels = ladder.levels(agreement, window)
        self.states[window.window_id] = transitions.open_window(window, self.facts.get(window.lead_id, ()), levels)
        self._by_lead[window.lead_id].append(window.window_id)

    def end(self, lead_id: str, at: datetime, why: str, *, spared: Collection[str] = ()) -> None:
        """The lead's promises, but for the `spared` ones, no longer apply from `at` on."""
        for window_id in self._by_lead[lead_id]:
            state = self.states[window_id]
            if state.window.promise not in spared:
                self.states[window_id] = transitions.supersede(state, at, self.now, why)

    def move_start(self, lead_id: str) -> None:
        """The person's first inquiry turned up late and is among the facts: the lead's windows start there."""
        for window_id in self._by_lead[lead_id]:
            facts = self.facts.get(lead_id, ())
            self.states[window_id] = transitions.move_start(self.states[window_id], facts, self.now)

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
