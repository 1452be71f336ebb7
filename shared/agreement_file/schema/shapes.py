"""Validates the content of a file against the schema, with plain messages and positions."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import pydantic
from pydantic_core import ErrorDetails

from shared.agreement_file.schema.agreement_schema import AgreementBlocks
from shared.agreement_file.schema.unsupported import NOT_BUILT
from shared.agreement_file.text.block import Block
from shared.agreement_file.text.findings import Findings, Path, misspelt, proposal
from shared.agreement_file.text.values import shown

_HINTS: Mapping[Path, str] = {
    ("approved_by", "marketing"): "marketing has not approved: both sides have to, or it does not take effect",
    ("approved_by", "sales"): "sales has not approved: both sides have to, or it does not take effect",
    ("promises", "sales"): "`sales` is missing: promise a first response to every lead",
    ("promises", "sales", "first_response"): "`first_response` is missing: sales has to promise one",
}
_SHOULD_BE = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list (lines that begin with `- `, or [first, second])",
    "dict_type": "a mapping (lines like `key: value`)",
    "model_type": "a mapping (lines like `key: value`)",
}
_PATTERNS = {
    "^[A-Z]{3}$": "is no currency: write three capital letters, like EUR",
    "^[^@": "is no e-mail address",
    "^https?": "is no address: write it like https://acme.example/roi",
    "^[A-Za-z0-9]": "is no name: use letters, digits, `.`, `_` and `-`, without spaces",
}


def shaped(content: Mapping[str, Any], findings: Findings) -> AgreementBlocks:
    """The blocks that match the schema. The findings list the errors of the others."""
    try:
        return AgreementBlocks.model_validate(dict(content))
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        if not _misspelt(detail):
            _refuse(detail, findings)
    wrong = {detail["loc"][0] for detail in details}
    return AgreementBlocks.model_validate({name: block for name, block in content.items() if name not in wrong})


def _misspelt(detail: ErrorDetails) -> bool:
    """Whether a key is missing only because of a typo, which is reported as an unknown key."""
    if detail["type"] != "missing":
        return False
    known = _names(_model_at(detail["loc"][:-1]))
    return misspelt(str(detail["loc"][-1]), detail["input"], known)


def _refuse(detail: ErrorDetails, findings: Findings) -> None:
    # pydantic names a wrong key of a mapping by one more step, "[key]".
    in_key = detail["loc"][-1] == "[key]"
    path: Path = detail["loc"][:-1] if in_key else detail["loc"]
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        hint = _HINTS.get(path, f"`{path[-1]}` is missing here: add it")
        findings.refuse(path[:-1], "missing", hint)
    elif kind == "extra_forbidden":
        _refuse_key(path, findings)
    elif value is None:
        pass
    else:
        code = "wrong_type" if kind in _SHOULD_BE else "wrong_value"
        findings.refuse(path, code, _wrong(detail, path), key=in_key)


def _refuse_key(path: Path, findings: Findings) -> None:
    if path in NOT_BUILT:
        findings.refuse(path, "not_built", f"`{path[-1]}` is not built yet: remove it", key=True)
    else:
        known = _names(_model_at(path[:-1]))
        unknown = f"unknown key `{path[-1]}`{proposal(str(path[-1]), known)}"
        findings.refuse(path, "unknown_key", unknown, key=True)


def _wrong(detail: ErrorDetails, path: Path) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if path[0] == "channels" and isinstance(value, str) and kind in _SHOULD_BE:
        value = "..."  # a value in the wrong place may be a secret
    name = f"`{path[-1]}`" if isinstance(path[-1], str) else "this item"
    if kind in _SHOULD_BE:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        return f"{name} should be {_SHOULD_BE[kind]}, not {shown(value)}{quotes}"
    if kind in ("too_short", "string_too_short"):
        return f"{name} is empty: write at least one"
    return _outside(kind, value, context, name) or f"{name}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _outside(kind: str, value: object, context: Mapping[str, Any], name: str) -> str | None:
    """Why a value of the right type is not allowed."""
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{shown(value)} is not possible here: use {context['expected'].replace(chr(39), '')}"
    if kind == "greater_than_equal":
        return f"{name} should be {context['ge']} or more, not {shown(value)}"
    if kind == "less_than_equal":
        return f"{name} should be {context['le']} or less, not {shown(value)}"
    if kind == "string_pattern_mismatch":
        what = next(what for start, what in _PATTERNS.items() if context["pattern"].startswith(start))
        return f"{shown(value)} {what}"
    return None


def _names(model: type[Block]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(path: Path) -> type[Block]:
    found: Any = AgreementBlocks
    for step in path:
        if isinstance(found, type) and issubclass(found, Block):
            fields = {field.alias or name: field for name, field in found.model_fields.items()}
            found = _bare(fields[str(step)].annotation)
        else:
            found = _bare(get_args(found)[-1])
    model: type[Block] = found
    return model


def _bare(annotation: Any) -> Any:
    """The type without constraints and `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
