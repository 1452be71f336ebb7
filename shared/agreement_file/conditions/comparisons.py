"""Comparisons of a fact with a value, checked against the type of the fact."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.agreement_file.conditions.fields import kind_of
from shared.agreement_file.text.findings import Findings, Path, proposal
from shared.agreement_file.text.values import read_money, shown
from shared.domain.agreement import FactType
from shared.domain.conditions import OPERATORS, Condition, Money

_ALIASES = {"=": "is", "==": "is", "!=": "is_not", "<>": "is_not", "not in": "not_in", "is not": "is_not"}


@dataclass(frozen=True, slots=True)
class ComparisonReader:
    """Reads comparisons. `types` are the known facts; `all_known` is False when the declarations could not be read,
    so unknown names may be valid."""

    findings: Findings
    types: Mapping[str, FactType]
    all_known: bool

    def field(self, name: object, path: Path) -> str | None:
        """The name of a known fact, or None when it was refused."""
        if name is None:
            return None
        if name == "score":
            self.refuse(path, "wrong_value", "`score` can be used in promises only: `when: {score: {at_least: 80}}`")
        elif not isinstance(name, str):
            self.refuse(path, "wrong_type", f"{shown(name)} is no name of a field")
        elif name in self.types:
            return name
        elif self.all_known:
            near = proposal(name, self.types)
            self.refuse(path, "unknown_field", f"unknown field `{name}`{near or '; declare it under `fields`'}")
        return None

    def refuse(self, path: Path, code: str, message: str, *, key: bool = False) -> None:
        """The condition at `path` is wrong."""
        self.findings.refuse(path, code, message, key=key)

    def comparison(self, written: dict[str, Any], path: Path) -> Condition | None:
        """The condition from a mapping of field, op and value, or None if it was refused."""
        for key in ("field", "op"):
            if key not in written:
                self.refuse(path, "missing", f"the condition has no `{key}`: it needs field, op and value")
        name = self.field(written.get("field"), (*path, "field"))
        op = self._operator(written.get("op"), (*path, "op"), self.types[name] if name else None)
        if op is None:
            return None
        if op in ("exists", "missing"):
            if "value" in written:
                self.refuse((*path, "value"), "wrong_value", f"`{op}` takes no value: remove it", key=True)
            return Condition(op, name) if name else None
        if "value" not in written:
            self.refuse(path, "missing", f"`{op}` needs a value to compare with: add `value:`")
            return None
        if name is None or written["value"] is None:
            return None
        value = self._value(written["value"], (*path, "value"), name, op)
        try:
            return None if value is None else Condition(op, name, value)
        except ValueError as error:  # a regular expression is only checked when it is compiled
            self.refuse((*path, "value"), "wrong_value", str(error))
            return None

    def _operator(self, op: object, path: Path, fact: FactType | None) -> str | None:
        if op is None:
            return None
        known = list(dict.fromkeys(each for fitting in OPERATORS.values() for each in fitting))
        if not isinstance(op, str) or op not in known:
            near = f"; did you mean `{_ALIASES[str(op)]}`?" if str(op) in _ALIASES else proposal(str(op), known)
            self.refuse(path, "unknown_operator", f"{shown(op)} is no operator{near}")
        elif fact and op not in OPERATORS[fact.kind]:
            fitting = ", ".join(OPERATORS[fact.kind])
            self.refuse(path, "operator", f"`{op}` does not fit a fact that is {kind_of(fact)}: use {fitting}")
        else:
            return op
        return None

    def _value(self, written: object, path: Path, name: str, op: str) -> Any:
        fact = self.types[name]
        if op not in ("in", "not_in", "between"):
            if isinstance(written, list):
                self.refuse(path, "wrong_type", f"`{op}` compares with one value, not with a list")
                return None
            return self._single(written, path, name, fact)
        if not isinstance(written, list) or not written or (op == "between" and len(written) != 2):
            needs = "two values, [lowest, highest]" if op == "between" else "a list, like [first, second]"
            self.refuse(path, "wrong_type", f"`{op}` needs {needs}")
            return None
        read = [self._single(item, (*path, index), name, fact) for index, item in enumerate(written)]
        return None if None in read else self._list(tuple(read), path, op)

    def _single(self, written: object, path: Path, name: str, fact: FactType) -> Any:
        if fact.kind == "one_of":
            return self._listed(written, path, name, fact.one_of)
        try:
            return _READERS[fact.kind](written)
        except ValueError as error:
            self.refuse(path, "wrong_value", f"`{name}` is {kind_of(fact)}: {error}")
            return None

    def _listed(self, written: object, path: Path, name: str, allowed: Iterable[str]) -> str | None:
        if isinstance(written, str) and written.casefold() in {each.casefold() for each in allowed}:
            return written
        near = proposal(str(written), allowed)
        self.refuse(path, "wrong_value", f"{shown(written)} is none of the values of `{name}`{near}")
        return None

    def _list(self, values: tuple[Any, ...], path: Path, op: str) -> tuple[Any, ...] | None:
        if isinstance(values[0], Money) and len({value.currency for value in values}) > 1:
            self.refuse(path, "wrong_value", "amounts of one list have to be in one currency")
            return None
        low, high = (getattr(value, "value", value) for value in (values[0], values[-1]))
        if op == "between" and low > high:
            self.refuse(path, "wrong_value", "the lowest value comes first: swap the two")
            return None
        return values


def _read_text(written: object) -> str:
    if isinstance(written, str) and written:
        return written
    raise ValueError(f"put {shown(written)} in quotes" if isinstance(written, int | float) else "write a text")


def _read_integer(written: object) -> int:
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    raise ValueError(f"{shown(written)} is not")


def _read_number(written: object) -> int | float:
    if isinstance(written, int | float) and not isinstance(written, bool) and math.isfinite(written):
        return written
    raise ValueError(f"{shown(written)} is not")


def _read_boolean(written: object) -> bool:
    if isinstance(written, bool):
        return written
    raise ValueError(f"{shown(written)} is not")


_READERS: Mapping[str, Callable[[object], Any]] = {
    "text": _read_text,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "money": read_money,
}
