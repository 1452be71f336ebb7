"""Conditions on the facts of a lead: data that is compiled once to closures and can say afterwards what it saw.

A leaf compares one fact with an expected value; groups combine conditions. Nothing here raises on strange facts:
a fact that is not there, or is not of the kind that the comparison needs, makes every comparison false and is
reported as absent. Text is compared without regard to case, on both sides.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec

from shared.domain.events import InquiryReceived

Facts = Mapping[str, object]
Test = Callable[[Facts], bool]

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "inquiry.kind": "text",
        "inquiry.source": "text",
        "inquiry.channel": "text",
        "inquiry.campaign": "text",
        "inquiry.message": "text",
        "inquiry.page_url": "text",
        "contact.email": "text",
        "contact.phone": "text",
        "contact.first_name": "text",
        "contact.last_name": "text",
        "contact.job_title": "text",
        "contact.seniority": "text",
        "contact.country": "text",
        "contact.language": "text",
        "company.name": "text",
        "company.domain": "text",
        "company.employees": "integer",
        "company.industry": "text",
        "company.country": "text",
    }
)
"""The facts that every inquiry may carry, with their kinds, in the order in which `facts_of` reads them."""

GROUPS = ("all", "any", "none")

_EQUAL = ("is", "is_not", "in", "not_in")
_ORDER = (">", ">=", "<", "<=", "between")
_TEXT = ("contains", "starts_with", "ends_with")
_PRESENCE = ("exists", "missing")
OPERATORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": (*_EQUAL, *_TEXT, *_PRESENCE),
        "one_of": (*_EQUAL, *_PRESENCE),
        "integer": (*_EQUAL, *_ORDER, *_PRESENCE),
        "number": (*_EQUAL, *_ORDER, *_PRESENCE),
        "money": (*_EQUAL, *_ORDER, *_PRESENCE),
        "boolean": ("is", "is_not", *_PRESENCE),
    }
)
"""Which operators fit a fact of which kind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency; amounts in different currencies are never compared."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.value} {self.currency}"


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A leaf (`field`, `op`, `value`) or a group (`op` is `all`, `any` or `none`, with `parts`).

    `value` is text, a whole number, a number, a truth value or `Money`; a tuple of those for `in` and `not_in` (any
    number) and `between` (lowest and highest, both included); nothing for `exists` and `missing`. `none` holds when
    no part does. `test` is the compiled form, made once. Raises ValueError when the operator is not known or the
    value does not fit it; `shared.agreement_file` refuses such a condition first, with its position.

    >>> Condition("in", "contact.country", ("BE", "NL")).test({"contact.country": "nl"})
    True
    """

    op: str
    field: str = ""
    value: Any = None
    parts: tuple["Condition", ...] = ()
    test: Test = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", compile_condition(self))


class Checked(msgspec.Struct, frozen=True):
    """What one leaf came to: `outcome` is `matched`, `not_matched` or `absent`; `seen` is the fact, if there is one."""

    field: str
    op: str
    expected: Any
    outcome: str
    seen: Any = None

    def __repr__(self) -> str:
        # What was seen may be personal data, which stays out of logs and tracebacks.
        return f"Checked({self.field} {self.op} {self.outcome})"


def compile_condition(condition: Condition) -> Test:
    """A closure that says whether the condition holds on some facts, and never raises; a group stops once it knows."""
    if condition.op in GROUPS:
        return _group(condition.op, tuple(part.test for part in condition.parts))
    name = condition.field
    if condition.op == "exists":
        return lambda facts: name in facts
    if condition.op == "missing":
        return lambda facts: name not in facts
    read, holds = _reader(condition), _comparison(condition)

    def test(facts: Facts) -> bool:
        seen = read(facts.get(name))
        return seen is not None and holds(seen)

    return test


def explain(condition: Condition, facts: Facts) -> tuple[Checked, ...]:
    """What each leaf came to, in the order of evaluation; leaves that did not need evaluation are left out.

    Leaves are evaluated exactly as by the compiled test, so the condition holds if and only if these outcomes say so.
    """
    return tuple(_explained(condition, facts))


def facts_of(inquiry: InquiryReceived) -> dict[str, object]:
    """The facts of an inquiry under their dotted names. Custom facts go by their own names and can't stand in for
    built-in ones; what is not known or is empty text is left out."""
    contact, company = inquiry.contact, inquiry.company
    values = (  # in the order of BUILT_IN
        inquiry.kind,
        inquiry.source,
        inquiry.channel,
        inquiry.campaign,
        inquiry.message,
        inquiry.page_url,
        contact.email,
        contact.phone,
        contact.first_name,
        contact.last_name,
        contact.job_title,
        contact.seniority,
        contact.country,
        contact.language,
        company.name,
        company.domain,
        company.employees,
        company.industry,
        company.country,
    )
    facts: dict[str, object] = {
        name: value for name, value in zip(BUILT_IN, values, strict=True) if value is not None and value != ""
    }
    for name, value in inquiry.custom.items():
        if value is not None and value != "" and name not in BUILT_IN:
            facts[name] = value
    return facts


def _group(op: str, tests: tuple[Test, ...]) -> Test:
    # A generator under all() or any() would double the cost of the router's hottest loop.
    def every(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(facts):
                return False
        return True

    def some(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110
            if test(facts):
                return True
        return False

    return {"all": every, "any": some, "none": lambda facts: not some(facts)}[op]


def _explained(condition: Condition, facts: Facts) -> Iterator[Checked]:
    if condition.op not in GROUPS:
        yield _checked(condition, facts)
        return
    stops_at = condition.op != "all"
    for part in condition.parts:
        yield from _explained(part, facts)
        if part.test(facts) is stops_at:
            return


def _checked(leaf: Condition, facts: Facts) -> Checked:
    seen = facts.get(leaf.field)
    if leaf.test(facts):
        outcome = "matched"
    elif leaf.field not in facts or (leaf.op not in _PRESENCE and _reader(leaf)(seen) is None):
        outcome = "absent"
    else:
        outcome = "not_matched"
    return Checked(leaf.field, leaf.op, leaf.value, outcome, seen)


Reader = Callable[[object], Any]
"""Turns a fact into what can be compared, or into None when it is of another kind."""


def _reader(leaf: Condition) -> Reader:
    sample = leaf.value[0] if isinstance(leaf.value, tuple) and leaf.value else leaf.value
    # The order matters: in Python a truth value is a whole number too.
    if isinstance(sample, str):
        return _text
    if isinstance(sample, bool):
        return _truth
    if isinstance(sample, int | float):
        return _number
    if isinstance(sample, Money):
        return _money_in(sample.currency)
    raise ValueError(f"{leaf.field} {leaf.op}: {leaf.value!r} can't be compared with anything")


def _text(seen: object) -> str | None:
    return seen.casefold() if seen.__class__ is str else None


def _truth(seen: object) -> bool | None:
    return seen if isinstance(seen, bool) else None


def _number(seen: object) -> object:
    if seen.__class__ is int or (isinstance(seen, float) and math.isfinite(seen)):
        return seen
    return None


def _money_in(currency: str) -> Reader:
    def read(seen: object) -> Decimal | None:
        if not isinstance(seen, Mapping) or seen.get("currency") != currency:
            return None
        value = seen.get("value")
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        try:
            amount = Decimal(value)
        except InvalidOperation:
            return None
        return amount if amount.is_finite() else None

    return read


def _comparison(leaf: Condition) -> Callable[[Any], bool]:
    make = _COMPARISONS.get(leaf.op)
    if make is None:
        raise ValueError(f"{leaf.op!r} is not an operator")
    if leaf.op in ("in", "not_in"):
        return make(frozenset(map(_comparable, leaf.value)))
    if leaf.op == "between":
        low, high = leaf.value
        return make((_comparable(low), _comparable(high)))
    return make(_comparable(leaf.value))


def _comparable(expected: object) -> object:
    if isinstance(expected, str):
        return expected.casefold()
    return expected.value if isinstance(expected, Money) else expected


def _between(ends: tuple[Any, Any]) -> Callable[[Any], bool]:
    low, high = ends
    return lambda seen: bool(low <= seen <= high)


# mypy can't see that both sides are of one kind, hence bool() only where a lambda would give back Any.
_COMPARISONS: Mapping[str, Callable[[Any], Callable[[Any], bool]]] = {
    "is": lambda want: lambda seen: seen == want,
    "is_not": lambda want: lambda seen: seen != want,
    "in": lambda want: want.__contains__,
    "not_in": lambda want: lambda seen: seen not in want,
    ">": lambda want: lambda seen: seen > want,
    ">=": lambda want: lambda seen: seen >= want,
    "<": lambda want: lambda seen: seen < want,
    "<=": lambda want: lambda seen: seen <= want,
    "between": _between,
    "contains": lambda want: lambda seen: want in seen,
    "starts_with": lambda want: lambda seen: seen.startswith(want),
    "ends_with": lambda want: lambda seen: seen.endswith(want),
}
