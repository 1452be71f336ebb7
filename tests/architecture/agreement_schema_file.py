"""The agreement file as a JSON Schema, for completion, help and validation in editors.

It is generated from the models that read the file, and slightly more lenient: errors across blocks (unknown people,
unreachable rules) are only reported by `baton agreement check`.
"""

from collections.abc import Mapping
from typing import Any

from shared.agreement_file.schema.agreement_schema import REQUIRED, AgreementBlocks
from shared.agreement_file.schema.unsupported import NOT_ENFORCED
from shared.agreement_file.text.block import CONDITION, FACT_TYPE
from shared.domain.conditions import GROUPS, OPERATORS
from shared.domain.conditions.condition import OWNERS
from shared.domain.conditions.signals import MATCHED

_DRAFT = "http://json-schema.org/draft-07/schema#"
_TEXT = {"type": "string", "minLength": 1}
_LENGTH = {"type": "string", "pattern": r"^\d{1,9} (second|minute|hour|day)s?$", "examples": ["30 days"]}
_SINGLE = ["string", "number", "boolean"]


def json_schema() -> dict[str, Any]:
    """The schema, in draft 7, which editors know best."""
    made = AgreementBlocks.model_json_schema(by_alias=True)
    definitions = made.pop("$defs") | _conditions() | {"FactType": _fact_type()}
    whole = {"$schema": _DRAFT, **made, "required": list(REQUIRED), "$defs": definitions}
    cleaned: dict[str, Any] = _cleaned(whole)
    cleaned |= {"title": "Baton agreement", "description": "The agreement between marketing and sales."}
    for path in NOT_ENFORCED:
        if len(path) == 1:
            cleaned["properties"][path[0]]["description"] = "Checked, but without effect yet."
    return cleaned


def _cleaned(node: Any) -> Any:
    """Remove what pydantic adds for Python: titles, and null for an omitted key."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("$comment") in (CONDITION["$comment"], FACT_TYPE["$comment"]):
        name = "Condition" if node["$comment"] == CONDITION["$comment"] else "FactType"
        return {"$ref": f"#/$defs/{name}"}
    if node.get("anyOf", [])[1:] == [{"type": "null"}]:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return _cleaned(node["anyOf"][0] | rest)
    cleaned = {}
    for key, value in node.items():
        if key == "properties":
            cleaned[key] = {name: _cleaned(each) for name, each in value.items()}
        elif key == "examples" or not (key == "title" or (key == "default" and value is None)):
            cleaned[key] = value if key in ("default", "examples") else _cleaned(value)
    return cleaned


def _object(properties: Mapping[str, Any], *required: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _conditions() -> dict[str, Any]:
    condition = {"$ref": "#/$defs/Condition"}
    operators = list(dict.fromkeys(op for fitting in OPERATORS.values() for op in fitting))
    value = {"type": [*_SINGLE, "array"], "items": {"type": _SINGLE}}
    matches = _object(dict.fromkeys(MATCHED, _TEXT), description="Conditions on the signal's path or content.")
    signal = {"signal": _TEXT, "matches": matches, "within": _LENGTH, "at_least": {"type": "integer", "minimum": 1}}
    kinds = [
        _object(
            {"field": _TEXT, "op": {"enum": operators}, "value": value},
            *("field", "op"),
            description="Compares a fact with a value.",
        ),
        *(
            _object(
                {group: {"type": "array", "items": condition, "minItems": 1}},
                group,
                description=f"True if {group} of its conditions are true.",
            )
            for group in GROUPS
        ),
        _object(signal, "signal", description="Something the person did before, such as a page view."),
        _object({"cel": _TEXT}, "cel", description="A CEL expression that is true or false."),
        *(_object({owner: {"enum": ["owned"]}}, owner, description="In routing only.") for owner in OWNERS),
    ]
    return {"Condition": {"description": "A condition.", "type": "object", "anyOf": kinds}}


def _fact_type() -> dict[str, Any]:
    kinds = [kind for kind in OPERATORS if kind != "one_of"]
    values = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
    listed = _object({"one_of": values}, "one_of", description="Text from a list.")
    return {"description": "The type of a fact.", "anyOf": [{"enum": kinds}, listed]}
