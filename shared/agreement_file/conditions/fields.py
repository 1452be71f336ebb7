"""The facts of the file: which ones rules may use, of which type each is, and what they are compared with."""

from collections.abc import Mapping
from typing import Any

from shared.agreement_file.text.findings import Findings, Path
from shared.agreement_file.text.values import shown
from shared.domain.agreement import FactType
from shared.domain.conditions import BUILT_IN, EMAIL_KINDS, OPERATORS
from shared.domain.conditions.facts import RESERVED

_WORKED_OUT = {"contact.email_kind": FactType("one_of", EMAIL_KINDS)}
"""Facts that are worked out from others, and that no form can send."""

_KINDS = {"one_of": "one of a list", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


def read_fields(block: Mapping[str, Any] | None, findings: Findings) -> dict[str, FactType]:
    """All facts that conditions may use: the built-in and the declared ones. Wrong declarations are refused."""
    types = {name: FactType(kind) for name, kind in BUILT_IN.items()} | _WORKED_OUT
    for name, written in (block or {}).items():
        path: Path = ("fields", name)
        declared = _declared(written, path, findings)
        if name in _WORKED_OUT or name == "score" or name.startswith(RESERVED):
            findings.refuse(path, "reserved", f"`{name}` can't be declared: remove it", key=True)
        elif declared and name in BUILT_IN and declared.kind not in (BUILT_IN[name], _narrowed(BUILT_IN[name])):
            known = kind_of(types[name])
            findings.refuse(
                path, "wrong_value", f"`{name}` is {known} in every inquiry: it can't be {kind_of(declared)}"
            )
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


def kind_of(fact: FactType) -> str:
    """The type of a fact, for messages."""
    return _KINDS.get(fact.kind, fact.kind)
