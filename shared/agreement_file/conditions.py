"""Conditions of the file, checked against the types of the facts they name, and turned into compiled values."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.agreement_file.findings import Findings, Path, proposal
from shared.agreement_file.values import read_money, shown
from shared.domain.agreement import FactType
from shared.domain.conditions import BUILT_IN, GROUPS, OPERATORS, Condition, Money

NOT_BUILT_FIELDS = ("contact.email_kind",)
_NOT_BUILT_KEYS = ("account", "lead", "signal", "cel")
_LEAF = ("field", "op", "value")
_ALIASES = {"=": "is", "==": "is", "!=": "is_not", "<>": "is_not", "not in": "not_in", "is not": "is_not"}
DEEPEST = 40
"""The longest path to a condition; a group adds two steps."""

_KINDS = {"one_of": "one of a list", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


def read_fields(block: Mapping[str, Any] | None, findings: Findings) -> dict[str, FactType]:
    """All facts that conditions may use: the built-in and the declared ones. Wrong declarations are refused."""
    types = {name: FactType(kind) for name, kind in BUILT_IN.items()}
    for name, written in (block or {}).items():
        path: Path = ("fields", name)
        declared = _declared(written, path, findings)
        if name in NOT_BUILT_FIELDS or name == "score":
            findings.refuse(path, "not_built", f"`{name}` can't be declared: remove it", key=True)
        elif declared and name in BUILT_IN and declared.kind not in (BUILT_IN[name], _narrowed(BUILT_IN[name])):
            known = _kind(types[name])
            findings.refuse(path, "wrong_value", f"`{name}` is {known} in every inquiry: it can't be {_kind(declared)}")
        elif declared:
            types[name] = declared
    return types


def _narrowed(kind: str) -> str:
    return "one_of" if kind == "text" else kind


def _declared(written: object, path: Path, findings: Findings) -> FactType | None:
    if written is None:
        return None
    kinds = [kind for kind in OPERATORS if kind != "one_of"]
    if isinstance(written, str) and written in kinds:
        return FactType(written)
    if isinstance(written, dict) and set(written) == {"one_of"}:
        return _one_of(written["one_of"], (*path, "one_of"), findings)
    what = f"{shown(written)} is no type of fact: write {', '.join(kinds)}, or {{one_of: [first, second]}}"
    findings.refuse(path, "wrong_value", what)
    return None


def _one_of(values: object, path: Path, findings: Findings) -> FactType | None:
    if isinstance(values, list) and values and all(isinstance(value, str) and value for value in values):
        if len({value.casefold() for value in values}) == len(values):
            return FactType("one_of", tuple(values))
        findings.refuse(path, "wrong_value", "a value is listed twice (case does not count): keep one")
    elif values is not None:
        findings.refuse(path, "wrong_value", "`one_of` needs a list of texts, like [now, this_year]")
    return None


@dataclass(frozen=True, slots=True)
class ConditionReader:
    """Reads conditions. `types` are the known facts; `all_known` is False when the declarations could not be read,
    so that other names may be right."""

    findings: Findings
    types: Mapping[str, FactType]
    all_known: bool

    def read(self, written: object, path: Path) -> Condition | None:
        """The condition at `path`, or None when it was refused (or had no value, which is refused elsewhere)."""
        if written is None:
            return None
        if len(path) > DEEPEST:
            self._refuse(path, "too_deep", "groups are nested too deeply: write the condition with fewer of them")
            return None
        if not isinstance(written, dict):
            example = "{field: contact.country, op: is, value: BE}"
            self._refuse(path, "wrong_type", f"{shown(written)} is no condition: write one like {example}")
            return None
        if not self._keys_fit(written, path):
            return None
        group = next((key for key in GROUPS if key in written), None)
        return self._group(group, written[group], (*path, group)) if group else self._leaf(written, path)

    def field(self, name: object, path: Path) -> str | None:
        """The name of a known fact, or None when it was refused."""
        if name is None:
            return None
        if name in NOT_BUILT_FIELDS:
            self._refuse(path, "not_built", f"`{name}` is not built yet: remove what uses it")
        elif name == "score":
            self._refuse(path, "wrong_value", "`score` can be used in promises only: `when: {score: {at_least: 80}}`")
        elif not isinstance(name, str):
            self._refuse(path, "wrong_type", f"{shown(name)} is no name of a field")
        elif name in self.types:
            return name
        elif self.all_known:
            near = proposal(name, self.types)
            self._refuse(path, "unknown_field", f"unknown field `{name}`{near or '; declare it under `fields`'}")
        return None

    def _refuse(self, path: Path, code: str, message: str, *, key: bool = False) -> None:
        self.findings.refuse(path, code, message, key=key)

    def _keys_fit(self, written: dict[str, Any], path: Path) -> bool:
        fits = True
        grouped = any(key in written for key in GROUPS)
        for key in written:
            if key in _NOT_BUILT_KEYS:
                self._refuse((*path, key), "not_built", f"`{key}` conditions are not built yet: use a field", key=True)
                return False
            if key == "score":
                self.field(key, (*path, key))
                return False
            if key not in (*_LEAF, *GROUPS):
                near = proposal(key, (*_LEAF, *GROUPS))
                self._refuse((*path, key), "unknown_key", f"unknown key `{key}`{near}", key=True)
                fits = False
            elif grouped and len(written) > 1 and key not in GROUPS:
                self._refuse(
                    (*path, key), "wrong_value", f"`{key}` can't stand beside a group: put it inside", key=True
                )
                fits = False
        if sum(key in GROUPS for key in written) > 1:
            self._refuse(path, "wrong_value", "one of all, any and none in one place: put the other inside it")
            fits = False
        return fits

    def _group(self, op: str, parts: object, path: Path) -> Condition | None:
        if parts is None:
            return None
        if not isinstance(parts, list) or not parts:
            self._refuse(path, "wrong_type", f"`{op}` needs a list of conditions")
            return None
        read = [self.read(part, (*path, index)) for index, part in enumerate(parts)]
        whole = tuple(part for part in read if part is not None)
        return Condition(op, parts=whole) if len(whole) == len(read) else None

    def _leaf(self, written: dict[str, Any], path: Path) -> Condition | None:
        for key in ("field", "op"):
            if key not in written:
                self._refuse(path, "missing", f"the condition has no `{key}`: it needs field, op and value")
        name = self.field(written.get("field"), (*path, "field"))
        op = self._operator(written.get("op"), (*path, "op"), self.types[name] if name else None)
        if op is None:
            return None
        if op in ("exists", "missing"):
            if "value" in written:
                self._refuse((*path, "value"), "wrong_value", f"`{op}` takes no value: remove it", key=True)
            return Condition(op, name) if name else None
        if "value" not in written:
            self._refuse(path, "missing", f"`{op}` needs a value to compare with: add `value:`")
            return None
        if name is None or written["value"] is None:
            return None
        value = self._value(written["value"], (*path, "value"), name, op)
        return None if value is None else Condition(op, name, value)

    def _operator(self, op: object, path: Path, fact: FactType | None) -> str | None:
        if op is None:
            return None
        known = list(dict.fromkeys(each for fitting in OPERATORS.values() for each in fitting))
        if op == "matches":
            better = "use contains, starts_with or ends_with"
            self._refuse(path, "not_built", f"`matches` is not built yet: {better}")
        elif not isinstance(op, str) or op not in known:
            near = f"; did you mean `{_ALIASES[str(op)]}`?" if str(op) in _ALIASES else proposal(str(op), known)
            self._refuse(path, "unknown_operator", f"{shown(op)} is no operator{near}")
        elif fact and op not in OPERATORS[fact.kind]:
            fitting = ", ".join(OPERATORS[fact.kind])
            self._refuse(path, "operator", f"`{op}` does not fit a fact that is {_kind(fact)}: use {fitting}")
        else:
            return op
        return None

    def _value(self, written: object, path: Path, name: str, op: str) -> Any:
        fact = self.types[name]
        if op not in ("in", "not_in", "between"):
            if isinstance(written, list):
                self._refuse(path, "wrong_type", f"`{op}` compares with one value, not with a list")
                return None
            return self._single(written, path, name, fact)
        if not isinstance(written, list) or not written or (op == "between" and len(written) != 2):
            needs = "two values, [lowest, highest]" if op == "between" else "a list, like [first, second]"
            self._refuse(path, "wrong_type", f"`{op}` needs {needs}")
            return None
        read = [self._single(item, (*path, index), name, fact) for index, item in enumerate(written)]
        return None if None in read else self._list(tuple(read), path, op)

    def _single(self, written: object, path: Path, name: str, fact: FactType) -> Any:
        if fact.kind == "one_of":
            return self._listed(written, path, name, fact.one_of)
        try:
            return _READERS[fact.kind](written)
        except ValueError as error:
            self._refuse(path, "wrong_value", f"`{name}` is {_kind(fact)}: {error}")
            return None

    def _listed(self, written: object, path: Path, name: str, allowed: Iterable[str]) -> str | None:
        if isinstance(written, str) and written.casefold() in {each.casefold() for each in allowed}:
            return written
        near = proposal(str(written), allowed)
        self._refuse(path, "wrong_value", f"{shown(written)} is none of the values of `{name}`{near}")
        return None

    def _list(self, values: tuple[Any, ...], path: Path, op: str) -> tuple[Any, ...] | None:
        if isinstance(values[0], Money) and len({value.currency for value in values}) > 1:
            self._refuse(path, "wrong_value", "amounts of one list have to be in one currency")
            return None
        low, high = (getattr(value, "value", value) for value in (values[0], values[-1]))
        if op == "between" and low > high:
            self._refuse(path, "wrong_value", "the lowest value comes first: swap the two")
            return None
        return values


def _kind(fact: FactType) -> str:
    return _KINDS.get(fact.kind, fact.kind)


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
