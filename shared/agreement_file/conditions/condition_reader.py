"""Conditions of the file, checked against the types of the facts they name, and turned into compiled values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.agreement_file.conditions.comparisons import ComparisonReader
from shared.agreement_file.text.block import MAX_INTEGER
from shared.agreement_file.text.findings import Path, proposal
from shared.agreement_file.text.values import read_length, shown
from shared.domain.conditions import GROUPS, CelRefused, Condition, SignalTest, compile_cel
from shared.domain.conditions.condition import OWNERS
from shared.domain.conditions.signals import MATCHED

_LEAF = ("field", "op", "value")
_SIGNAL = ("signal", "matches", "within", "at_least")
DEEPEST = 40
"""The longest path to a condition; a group adds two steps."""


@dataclass(frozen=True, slots=True)
class ConditionReader(ComparisonReader):
    """Reads conditions: comparisons, signals, expressions in CEL, and groups of them."""

    def read(self, written: object, path: Path, *, routing: bool = False) -> Condition | None:
        """The condition at `path`, or None when it was refused (or had no value, which is refused elsewhere).

        `routing` is where a condition may also ask whether the account or the lead is owned.
        """
        if len(path) > DEEPEST:
            self.refuse(path, "too_deep", "groups are nested too deeply: write the condition with fewer of them")
            return None
        if not isinstance(written, dict):
            example = "{field: contact.country, op: is, value: BE}"
            if written is not None:
                self.refuse(path, "wrong_type", f"{shown(written)} is no condition: write one like {example}")
            return None
        kind = next((key for key in (*GROUPS, "signal", "cel", *OWNERS) if key in written), "field")
        return self._of_kind(kind, written, path, routing=routing) if self._keys_fit(kind, written, path) else None

    def _of_kind(self, kind: str, written: dict[str, Any], path: Path, *, routing: bool) -> Condition | None:
        if kind in GROUPS:
            return self._group(kind, written[kind], (*path, kind), routing=routing)
        if kind == "signal":
            return self._signal(written, path)
        if kind == "cel":
            return self.cel(written["cel"], (*path, "cel"))
        return (
            self._owned(kind, written[kind], path, routing=routing)
            if kind in OWNERS
            else self.comparison(written, path)
        )

    def cel(self, written: object, path: Path) -> Condition | None:
        """The expression at `path`, compiled over the declared facts, or None when it was refused."""
        if written is None:
            return None
        if not isinstance(written, str):
            self.refuse(path, "wrong_type", f"{shown(written)} is no expression: write one in quotes")
            return None
        if not self.all_known:
            return None  # a fact that seems unknown may be one whose declaration could not be read
        try:
            return Condition("cel", value=compile_cel(written, {name: fact.kind for name, fact in self.types.items()}))
        except CelRefused as error:
            if error.line == 1 and error.column:
                self.findings.refuse_within(path, "cel", str(error), written, error.column)
            else:
                self.refuse(path, "cel", str(error))
            return None

    def _keys_fit(self, kind: str, written: Mapping[str, Any], path: Path) -> bool:
        if "score" in written:
            self.field("score", (*path, "score"))
            return False
        known = {"field": (*_LEAF, *GROUPS, "signal", "cel"), "signal": _SIGNAL}.get(kind, (kind,))
        fits = True
        for key in written:
            if key in known or (kind in GROUPS and key in GROUPS):
                continue
            fits = False
            if kind in GROUPS and key in (*_LEAF, "signal", "cel", *OWNERS):
                self.refuse(
                    (*path, key), "wrong_value", f"`{key}` can't stand next to a group: put it inside", key=True
                )
            else:
                near = proposal(key, (*_LEAF, *GROUPS) if kind == "field" else known)
                self.refuse((*path, key), "unknown_key", f"unknown key `{key}`{near}", key=True)
        if sum(key in GROUPS for key in written) > 1:
            self.refuse(path, "wrong_value", "one of all, any and none in one place: put the other inside it")
            fits = False
        return fits

    def _group(self, op: str, parts: object, path: Path, *, routing: bool) -> Condition | None:
        if parts is None:
            return None
        if not isinstance(parts, list) or not parts:
            self.refuse(path, "wrong_type", f"`{op}` needs a list of conditions")
            return None
        read = [self.read(part, (*path, index), routing=routing) for index, part in enumerate(parts)]
        whole = tuple(part for part in read if part is not None)
        return Condition(op, parts=whole) if len(whole) == len(read) else None

    def _owned(self, kind: str, value: object, path: Path, *, routing: bool) -> Condition | None:
        if not routing:
            only = f"`{kind}` can be asked in `routing` only, where the owner is known: remove it"
            self.refuse((*path, kind), "wrong_value", only, key=True)
        elif value not in (None, "owned"):
            self.refuse((*path, kind), "wrong_value", f"{shown(value)} is not possible here: use owned")
        elif value is not None:
            return Condition(kind, value="owned")
        return None

    def _signal(self, written: Mapping[str, Any], path: Path) -> Condition | None:
        kind, matches = written["signal"], written.get("matches", {})
        within, at_least = written.get("within"), written.get("at_least", 1)
        fits = isinstance(kind, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", kind, re.ASCII) is not None
        if not fits and kind is not None:
            self.refuse(
                (*path, "signal"), "wrong_value", f"{shown(kind)} is no kind of signal: write one like `page_view`"
            )
        if isinstance(at_least, bool) or not isinstance(at_least, int) or not 0 < at_least <= MAX_INTEGER:
            fits = False
            if at_least is not None:
                what = f"`at_least` should be a whole number from 1 to {MAX_INTEGER}, not {shown(at_least)}"
                self.refuse((*path, "at_least"), "wrong_value", what)
        matched, within_s = self._matches(matches, (*path, "matches")), self._within_s(within, (*path, "within"))
        if not fits or matched is None or (within is not None and within_s is None):
            return None
        if None in written.values():
            return None
        return Condition("signal", value=SignalTest(kind, matched, within_s, at_least))

    def _matches(self, written: object, path: Path) -> dict[str, str] | None:
        if not isinstance(written, dict):
            if written is not None:
                self.refuse(path, "wrong_type", "`matches` should be a mapping, like {path: /pricing}")
            return None
        for key, value in written.items():
            if key not in MATCHED:
                self.refuse((*path, key), "unknown_key", f"unknown key `{key}`{proposal(key, MATCHED)}", key=True)
            elif value is not None and (not isinstance(value, str) or not value):
                self.refuse((*path, key), "wrong_type", f"`{key}` should be text, not {shown(value)}")
        whole = all(key in MATCHED and isinstance(value, str) and value for key, value in written.items())
        return dict(written) if whole else None

    def _within_s(self, written: object, path: Path) -> int | None:
        if written is None:
            return None
        try:
            within = read_length(written)
        except ValueError as error:
            self.refuse(path, "wrong_value", str(error))
            return None
        if within.business:
            self.refuse(path, "clock", "signals are counted on the wall clock: leave out `business`")
            return None
        return within.seconds
