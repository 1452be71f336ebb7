"""Pauses: while a lead's owner waits for the buyer, the clock of the promises that the agreement names stands still.

A pause begins and ends with an activity, and at the latest after `at_most`, so that every promise has a deadline. What
is paused follows from the facts alone, in whatever order they are read.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.domain.agreement import Pause
from shared.domain.business_time import NeverOpens, business_days_after, deadline, elapsed
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.event import LeaveInterval
from shared.domain.settlement import PromiseFact

PAUSED = "paused"
RESUMED = "resumed"
PAUSING = frozenset({PAUSED, RESUMED})


def pauses_of(rule: Pause, calendar: Calendar, facts: Iterable[PromiseFact]) -> tuple[LeaveInterval, ...]:
    """The pauses of a lead's cycle, whose `facts` these are: the first `rule.times`, each at most as long as the rule
    allows, in `calendar`.
    """
    found: list[LeaveInterval] = []
    for fact in sorted(facts, key=lambda each: (each.accepted_at, each.kind)):
        at, running = fact.accepted_at, bool(found) and found[-1].ends_at > fact.accepted_at
        if fact.kind == PAUSED and not running and len(found) < rule.times:
            found.append(LeaveInterval(at, _latest_end(rule, calendar, at)))
        elif fact.kind == RESUMED and running:
            found[-1] = LeaveInterval(found[-1].starts_at, at)
    return tuple(found)


def due_after(calendar: Calendar, since_at: datetime, due_at: datetime, pauses: Sequence[LeaveInterval]) -> datetime:
    """The deadline `due_at` of a promise that runs in `calendar`, moved by the open time of its pauses. One that begins
    at the deadline or later does not move it.
    """
    spans = [(each.starts_at, each.ends_at) for each in pauses]
    paused_s = elapsed(calendar, since_at, due_at) - elapsed(calendar, since_at, due_at, spans)
    if not paused_s:
        return due_at
    try:
        return deadline(calendar, due_at, paused_s, spans)
    except NeverOpens:
        # Closed for months after the pause: a deadline that is too early is better than none.
        return due_at


def _latest_end(rule: Pause, calendar: Calendar, at: datetime) -> datetime:
    if rule.at_most.days:
        return business_days_after(calendar, at, rule.at_most.days)
    return deadline(calendar if rule.at_most.business else ALWAYS, at, rule.at_most.seconds)
