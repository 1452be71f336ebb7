"""Explains a condition: each leaf with the expected value, the actual value, and the outcome."""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.domain.conditions.comparisons import GROUPS, PRESENCE, reader
from shared.domain.conditions.condition import OWNERS, Condition, owned
from shared.domain.conditions.facts import DecisionFacts


class Checked(msgspec.Struct, frozen=True):
    """What one leaf came to: `outcome` is `matched`, `not_matched` or `absent`; `seen` is the fact, if there is one.

    Of a signal `seen` is how many there were; of a `cel` that failed, why.
    """

    field: str
    op: str
    expected: Any
    outcome: str
    seen: Any = None

    def __repr__(self) -> str:
        # The actual value may be personal data, which must stay out of logs and tracebacks.
        return f"Checked({self.field} {self.op} {self.outcome})"


def explain(condition: Condition, facts: DecisionFacts) -> tuple[Checked, ...]:
    """The outcome of each leaf, in the order of evaluation; leaves that were not evaluated are left out.

    Leaves are evaluated exactly as by the compiled test, so the outcomes always agree with it.
    """
    return tuple(_explained(condition, facts))


def _explained(condition: Condition, facts: DecisionFacts) -> Iterator[Checked]:
    if condition.op not in GROUPS:
        yield _checked(condition, facts)
        return
    stops_at = condition.op != "all"
    for part in condition.parts:
        yield from _explained(part, facts)
        if part.test(facts) is stops_at:
            return


def _checked(leaf: Condition, facts: DecisionFacts) -> Checked:
    if leaf.op == "signal":
        return _signal(leaf, facts)
    if leaf.op == "cel":
        return _cel(leaf, facts)
    if leaf.op in OWNERS:
        return _owner(leaf, facts)
    seen = facts.values.get(leaf.field)
    if leaf.test(facts):
        outcome = "matched"
    elif leaf.field not in facts.values or (leaf.op not in PRESENCE and reader(leaf.op, leaf.value)(seen) is None):
        outcome = "absent"
    else:
        outcome = "not_matched"
    return Checked(leaf.field, leaf.op, leaf.value, outcome, seen)


def _owner(leaf: Condition, facts: DecisionFacts) -> Checked:
    if not owned(leaf.op, facts):
        return Checked(leaf.op, leaf.op, leaf.value, "absent")
    return Checked(leaf.op, leaf.op, leaf.value, "matched" if leaf.test(facts) else "not_matched", "owned")


def _signal(leaf: Condition, facts: DecisionFacts) -> Checked:
    wanted, count = leaf.value, len(leaf.value.met_by(facts))
    missed = "not_matched" if facts.signals else "absent"
    outcome = "matched" if count >= wanted.at_least else missed
    return Checked(f"signal {wanted.kind}", leaf.op, wanted.in_words(), outcome, count)


def _cel(leaf: Condition, facts: DecisionFacts) -> Checked:
    held = leaf.value.outcome(facts)
    if isinstance(held, str):
        return Checked(leaf.op, leaf.op, leaf.value.text, "absent", held)
    return Checked(leaf.op, leaf.op, leaf.value.text, "matched" if held else "not_matched")
