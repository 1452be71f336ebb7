"""One condition: what it asks for, and the closure that it is compiled to."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from shared.domain.conditions.cel import CelTest
from shared.domain.conditions.comparisons import GROUPS, as_number, comparison, reader
from shared.domain.conditions.facts import DecisionFacts
from shared.domain.conditions.signals import SignalTest

Test = Callable[[DecisionFacts], bool]

OWNERS = ("account", "lead")
"""Leaves that ask whether someone owns the company, or had the lead before."""

_DONE = re.compile(r"\blead\s*\.\s*(?:signals|inquiry)\b")


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A leaf (`field`, `op`, `value`) or a group (`op` is `all`, `any` or `none`, with `parts`).

    `value` is text, a whole number, a number, a truth value or `Money`; a tuple of those for `in` and `not_in` (any
    number) and `between` (lowest and highest, both included); nothing for `exists` and `missing`; for `matches` a
    regular expression of RE2 (https://github.com/google/re2/wiki/Syntax), searched for ignoring case. `none`
    is true if no part is. Leaves without a field are `signal` with a `SignalTest`, `cel` with a `CelTest`, and
    `account` and `lead` with `owned`.

    `test` is the compiled form. Raises ValueError for an unknown operator or an invalid value; `shared.agreement_file`
    refuses such a condition first, with its position.

    >>> Condition("in", "contact.country", ("BE", "NL")).test(DecisionFacts({"contact.country": "nl"}))
    True
    """

    op: str
    field: str = ""
    value: Any = None
    parts: tuple["Condition", ...] = ()
    test: Test = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", compile_condition(self))


def compile_condition(condition: Condition) -> Test:
    """A closure that tests the condition on facts and never raises; a group stops as soon as its result is known."""
    op, name = condition.op, condition.field
    if op in GROUPS:
        return _group(op, tuple(part.test for part in condition.parts))
    if op == "exists":
        return lambda facts: name in facts.values
    if op == "missing":
        return lambda facts: name not in facts.values
    if name and op == "between" and reader(op, condition.value) is as_number:
        return _in_range(name, *condition.value)
    if name:
        return _compared(name, reader(op, condition.value), comparison(op, condition.value))
    return _without_field(op, condition.value)


def owned(op: str, facts: DecisionFacts) -> bool:
    """Whether someone owns the company (`account`), or had the lead before (`lead`)."""
    return facts.account_owned if op == "account" else facts.lead_owned


def asks_what_was_done(condition: Condition) -> bool:
    """Whether the condition asks what someone did (a field of the inquiry, a signal), and not only who they are."""
    return any(_inquired(leaf) or leaf.op == "signal" for leaf in _leaves(condition))


def last_done_at(condition: Condition, facts: DecisionFacts) -> datetime | None:
    """When the newest of the signals that the condition asks for was sent, or None when it asks for none, finds none,
    or asks for the inquiry itself, whose instant counts then.
    """
    newest: datetime | None = None
    for leaf in _leaves(condition):
        if _inquired(leaf):
            return None
        if leaf.op == "signal":
            instants = [signal.at for signal in leaf.value.met_by(facts)]
            newest = max([*instants, newest] if newest else instants, default=None)
    return newest


def _inquired(leaf: Condition) -> bool:
    if leaf.op == "cel":
        return _DONE.search(leaf.value.text) is not None
    return leaf.field.startswith("inquiry.")


def _leaves(condition: Condition) -> Iterator[Condition]:
    if condition.op not in GROUPS:
        yield condition
    for part in condition.parts:
        yield from _leaves(part)


def _without_field(op: str, value: Any) -> Test:
    if op in OWNERS:
        return lambda facts: owned(op, facts) == (value == "owned")
    if isinstance(value, SignalTest):
        return lambda facts: len(value.met_by(facts)) >= value.at_least
    if isinstance(value, CelTest):
        return value.holds
    raise ValueError(f"{op!r} needs a field")


def _compared(name: str, read: Callable[[object], Any], holds: Callable[[Any], bool]) -> Test:
    def test(facts: DecisionFacts) -> bool:
        seen = read(facts.values.get(name))
        return seen is not None and holds(seen)

    return test


def _in_range(name: str, low: float, high: float) -> Test:
    # Rules by size come by the hundred; in one call it takes half the time of `_compared`.
    def test(facts: DecisionFacts) -> bool:
        seen: Any = facts.values.get(name)
        if seen.__class__ is not int:
            seen = as_number(seen)
        return seen is not None and low <= seen <= high

    return test


def _group(op: str, tests: tuple[Test, ...]) -> Test:
    # A generator under all() or any() would double the cost of the router's hottest loop.
    def every(facts: DecisionFacts) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(facts):
                return False
        return True

    def some(facts: DecisionFacts) -> bool:
        for test in tests:  # noqa: SIM110
            if test(facts):
                return True
        return False

    return {"all": every, "any": some, "none": lambda facts: not some(facts)}[op]
