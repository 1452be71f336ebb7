"""Conditions on the facts of a lead: data that is compiled once to closures and can explain what it compared.

A leaf compares one fact with an expected value; groups combine conditions. Nothing here raises on unexpected facts:
a fact that is missing or of the wrong type makes every comparison false and is reported as absent. Text comparisons
ignore case (except in `cel`).
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
from shared.domain.conditions.facts import BUILT_IN, EMAIL_KINDS, DecisionFacts, facts_of
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
    "DecisionFacts",
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
