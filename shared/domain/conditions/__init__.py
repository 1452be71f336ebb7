"""Conditions on the facts of a lead: data that is compiled once to closures and can say afterwards what it saw.

A leaf compares one fact with an expected value; groups combine conditions. Nothing here raises on strange facts:
a fact that is not there, or is not of the kind that the comparison needs, makes every comparison false and is
reported as absent. Text is compared without regard to case, on both sides (but not by `cel`, which knows case).
"""

from shared.domain.conditions.cel import CelRefused, CelTest, compile_cel
from shared.domain.conditions.comparisons import GROUPS, OPERATORS, Money
from shared.domain.conditions.condition import (
    Condition,
    Test,
    asks_what_was_done,
    compile_condition,
    last_done_at,
)
from shared.domain.conditions.explanation import Checked, explain
from shared.domain.conditions.facts import BUILT_IN, EMAIL_KINDS, Facts, facts_of
from shared.domain.conditions.signals import SignalTest

__all__ = [
    "BUILT_IN",
    "EMAIL_KINDS",
    "GROUPS",
    "OPERATORS",
    "CelRefused",
    "CelTest",
    "Checked",
    "Condition",
    "Facts",
    "Money",
    "SignalTest",
    "Test",
    "asks_what_was_done",
    "compile_cel",
    "compile_condition",
    "explain",
    "facts_of",
    "last_done_at",
]
