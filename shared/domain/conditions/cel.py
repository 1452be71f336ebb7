"""Conditions in Google's Common Expression Language: type-checked when they are read, bounded when they run.

The library is loaded only if an agreement uses `cel`, because it is not available on every platform.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from shared.domain.conditions.facts import BUILT_IN, DecisionFacts

Outcome = bool | str
"""Whether an expression is true, or a sentence about why it could not be evaluated."""


class CelRefused(ValueError):
    """An expression that can't be used, with the first mistake's place in it: `line` and `column` count from 1, and
    are 0 when the reason is not in the text.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class CelTest:
    """An expression that has been checked. Equal when the text and the types of the facts are."""

    text: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    outcome: Callable[[DecisionFacts], Outcome] = field(compare=False, repr=False)
    """What the expression comes to on some facts; never raises."""

    def holds(self, facts: DecisionFacts) -> bool:
        """Whether the expression holds. If it fails it does not, and `errors` of the facts gains a sentence, once."""
        outcome = self.outcome(facts)
        if isinstance(outcome, bool):
            return outcome
        if outcome not in facts.errors:
            facts.errors.append(outcome)
        return False


def compile_cel(text: str, fields: Mapping[str, str]) -> CelTest:
    """An expression that is true or false of a `lead`. `fields` are the kinds (keys of `OPERATORS`) of the declared
    facts by dotted name; built-in facts are always known.

    An expression sees `lead.company.employees` and so on: text as it is, with its case; `number` as a double; `money`
    as `value` (a double) and `currency`; a missing fact is null, which `has(...)` tests. `lead.signals` is the
    list of what the person did, with `kind`, `path`, `content_id` (empty when there is none) and `age_days` (whole
    days). Raises CelRefused if the expression is invalid or not boolean, or if CEL is not installed.
    """
    known = tuple(sorted({**BUILT_IN, **fields}.items()))
    try:
        environment, lead = _environment(known)
    except ImportError:
        raise CelRefused(
            "`cel` needs the package cel-expr-python, which is not installed here (not every platform has it): "
            "install it, or write the condition with field, op and value"
        ) from None
    try:
        expression = environment.compile(text)
    except Exception as error:
        raise _refused(str(error), lead.names) from None
    if expression.return_type().name() not in ("BOOL", "bool"):
        raise CelRefused("the expression has to be true or false, like `lead.company.employees > 200`", 1, 1)
    return CelTest(text, known, _runner(text, expression, lead))


@lru_cache(maxsize=8)
def _environment(fields: tuple[tuple[str, str], ...]) -> tuple[Any, Any]:
    from cel_expr_python import cel  # noqa: PLC0415 (not on every platform, and only wanted here)

    from shared.domain.conditions.cel_lead import ROOT, LeadType  # noqa: PLC0415 (loads protobuf, only wanted here)

    lead = LeadType(dict(fields))
    return cel.NewEnv(lead.pool, variables={"lead": cel.Type(ROOT)}), lead


def _runner(text: str, expression: Any, lead: Any) -> Callable[[DecisionFacts], Outcome]:
    mentioned = frozenset(re.findall(r"\w+", text))

    def run(facts: DecisionFacts) -> Outcome:
        try:
            value = expression.eval(data={"lead": lead.message(facts, mentioned)}).value()
        except Exception as error:
            value = str(error)
        return value if isinstance(value, bool) else f"cel `{text}`: {_failure(value)}"

    return run


def _failure(value: object) -> str:
    """Why an evaluation failed, without the fact's value, which the library's sentence may end with."""
    reason = str(value).partition(": ")[2]
    if value is None or "null_type" in reason:
        return "a fact that it needs is absent"
    if reason.startswith("No matching overloads"):
        return reason
    return reason.partition(":")[0].partition(" [")[0].strip() or "it could not be worked out"


_MISTAKE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_NO_FIELD = re.compile(r"undefined field '(.*)' not found in struct '(.*)'")
_NO_NAME = re.compile(r"undeclared reference to '([^']*)'")
_NO_FIT = re.compile(r"found no matching overload for '(.*)' applied to '\((.*)\)'")
_TYPES = {"int": "a whole number", "double": "a decimal number", "string": "text", "bool": "true or false"}


def _refused(error: str, names: Mapping[str, str]) -> CelRefused:
    found = _MISTAKE.search(error)
    if found is None:
        return CelRefused(error.partition(" [")[0], 1, 1)
    return CelRefused(_mistake(found[3], names), int(found[1]), int(found[2]))


def _mistake(error: str, names: Mapping[str, str]) -> str:
    if field_ := _NO_FIELD.match(error):
        return f"there is no `{field_[1]}` in {names.get(field_[2], field_[2])}"
    if name := _NO_NAME.match(error):
        return f"`{name[1]}` is not known here: facts begin with `lead.`, like lead.company.employees"
    if fit := _NO_FIT.match(error):
        kinds = [kind.removeprefix("wrapper(").removesuffix(")") for kind in fit[2].split(", ")]
        shown = " and ".join(_TYPES.get(kind, names.get(kind, kind)) for kind in kinds)
        hint = ": write both as whole numbers (200) or as decimals (200.0)" if {*kinds} == {"int", "double"} else ""
        return f"`{fit[1].strip('_').removeprefix('@')}` does not fit {shown}{hint}"
    return error.partition(" expecting {")[0]
