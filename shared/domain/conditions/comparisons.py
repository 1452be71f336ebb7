"""How one fact is compared with an expected value: which operators fit which kind, and what they mean."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import re2

GROUPS = ("all", "any", "none")
PRESENCE = ("exists", "missing")

_EQUAL = ("is", "is_not", "in", "not_in")
_ORDER = (">", ">=", "<", "<=", "between")
_TEXT = ("contains", "starts_with", "ends_with", "matches")
OPERATORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": (*_EQUAL, *_TEXT, *PRESENCE),
        "one_of": (*_EQUAL, *PRESENCE),
        "integer": (*_EQUAL, *_ORDER, *PRESENCE),
        "number": (*_EQUAL, *_ORDER, *PRESENCE),
        "money": (*_EQUAL, *_ORDER, *PRESENCE),
        "boolean": ("is", "is_not", *PRESENCE),
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


Reader = Callable[[object], Any]
"""Turns a fact into what can be compared, or into None when it is of another kind."""


def reader(op: str, expected: Any) -> Reader:
    """How to read a fact that is compared with `expected`. Raises ValueError when nothing can be."""
    if op == "matches":
        return as_text
    sample = expected[0] if isinstance(expected, tuple) and expected else expected
    # The order matters: in Python a truth value is a whole number too.
    if isinstance(sample, str):
        return _folded
    if isinstance(sample, bool):
        return as_truth
    if isinstance(sample, int | float):
        return as_number
    if isinstance(sample, Money):
        return _money_in(sample.currency)
    raise ValueError(f"{op}: {expected!r} can't be compared with anything")


def comparison(op: str, expected: Any) -> Callable[[Any], bool]:
    """A test that compares a fact with `expected` by `op`.

    Raises ValueError for an unknown operator or an invalid pattern.
    """
    if op == "matches":
        return _search(expected)
    make = _COMPARISONS.get(op)
    if make is None:
        raise ValueError(f"{op!r} is not an operator")
    if op in ("in", "not_in"):
        return make(frozenset(map(_comparable, expected)))
    if op == "between":
        low, high = expected
        return make((_comparable(low), _comparable(high)))
    return make(_comparable(expected))


def as_text(seen: object) -> str | None:
    """A fact that is text, unchanged."""
    return seen if isinstance(seen, str) else None


def as_truth(seen: object) -> bool | None:
    """A fact that is true or false."""
    return seen if isinstance(seen, bool) else None


def as_number(seen: object) -> Any:
    """A fact that is a number, whole or not; infinity and truth values are none."""
    if seen.__class__ is int or (isinstance(seen, float) and math.isfinite(seen)):
        return seen
    return None


def as_money(seen: object) -> Money | None:
    """A fact like `{"value": "5000.00", "currency": "EUR"}`."""
    if not isinstance(seen, Mapping):
        return None
    value, currency = seen.get("value"), seen.get("currency")
    if not isinstance(currency, str) or not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return Money(amount, currency) if amount.is_finite() else None


def _folded(seen: object) -> str | None:
    return seen.casefold() if seen.__class__ is str else None


def _money_in(currency: str) -> Reader:
    def read(seen: object) -> Decimal | None:
        money = as_money(seen)
        return money.value if money is not None and money.currency == currency else None

    return read


def _search(pattern: str) -> Callable[[str], bool]:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        raise ValueError(f"{pattern!r} is no pattern: {_reason(error)}") from None

    def found(seen: str) -> bool:
        try:
            return search(seen) is not None
        except UnicodeEncodeError:  # no pattern can match a lone surrogate
            return False

    return found


def _reason(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


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
