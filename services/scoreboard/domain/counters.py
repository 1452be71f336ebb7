"""Counters as deltas: what a row counts for before and after a change, so that totals are never recounted.

A counter is named by its period ("all", or a quarter hour) and what it counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

ALL = "all"
EVENTS = "events"
"""How many events were handled, ever: it moves whenever anything on the scoreboard may have changed."""

ORPHANS, EXPIRED_ORPHANS = "orphans", "expired orphans"
"""Lead ids that activities name and no inquiry has: those that wait for one, and those that expect none any more."""

CounterKey = tuple[str, str]
"""Period and name."""

Fact = TypeVar("Fact")


def difference(before: Fact, after: Fact, counts_for: Callable[[Fact], Iterable[CounterKey]]) -> Counter[CounterKey]:
    """By how much each counter moves when `before` becomes `after`; counters that stay are left out."""
    moved = Counter(counts_for(after))
    moved.subtract(Counter(counts_for(before)))
    return Counter({count: by for count, by in moved.items() if by})
