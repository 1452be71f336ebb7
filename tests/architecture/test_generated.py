"""The generated reference matches the code, completely."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
import yaml

from shared.agreement_file.text.yaml_document import read
from shared.domain.events import PUBLIC, TYPES
from tests.architecture.event_pages import undocumented
from tests.architecture.generate import generated, stale
from tests.architecture.metrics_page import sample_names
from tests.architecture.settings_page import groups
from tests.architecture.tree import ROOT

COMMAND = "run: .venv/bin/python -m tests.architecture.generate"


def test_generated_files_are_up_to_date() -> None:
    wrong = [str(path) for path in stale()]
    for path, text in generated().items():
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text:
            wrong.append(str(path))
    assert not wrong, f"{COMMAND} (out of date: {', '.join(wrong)})"


def test_every_field_of_every_event_has_a_meaning() -> None:
    assert not undocumented(), f"write these into tests/architecture/meanings.py: {undocumented()}"


def test_every_setting_says_what_it_means() -> None:
    silent = [setting.name for group in groups().values() for setting in group if not setting.meaning]
    assert not silent, f"give these fields a pydantic.Field(description=...): {', '.join(silent)}"


def test_every_metric_has_the_projects_prefix() -> None:
    assert sample_names()
    assert all(name.startswith("baton_") for name in sample_names())


@pytest.mark.parametrize("name", PUBLIC)
def test_an_event_on_the_wire_fits_its_published_schema(name: str) -> None:
    schema = json.loads((ROOT / f"docs/schemas/{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    event = json.loads(msgspec.json.encode(_example(TYPES[name])))
    validator.validate(event)
    assert not validator.is_valid({key: value for key, value in event.items() if key != "lead_id"})


def _content(path: str) -> dict[str, Any]:
    return read((ROOT / path).read_text(encoding="utf-8"), path).content


@pytest.mark.parametrize(
    "path", ["deploy/agreement.example.yaml", "tests/data/agreement_full.yaml", "tests/data/draft.yaml"]
)
def test_an_agreement_that_loads_fits_the_schema_for_editors(path: str) -> None:
    schema = json.loads((ROOT / "docs/agreement.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    assert list(jsonschema.Draft7Validator(schema).iter_errors(_content(path))) == []


@pytest.mark.parametrize(
    ("block", "wrong", "place"),
    [
        ("decay", {"half_life": "two weeks"}, ["decay", "half_life"]),
        ("routing", [{"name": "all", "to": {}}], ["routing", 0, "to"]),
        ("scoring", [{"add": 1, "reason": "x", "when": {"feild": "a"}}], ["scoring", 0, "when"]),
        ("fields", {"seats": "int"}, ["fields", "seats"]),
        ("goal", [], []),
    ],
)
def test_the_schema_for_editors_underlines_a_mistake_where_it_is(block: str, wrong: Any, place: list[Any]) -> None:
    schema = json.loads((ROOT / "docs/agreement.schema.json").read_text(encoding="utf-8"))
    content = _content("deploy/agreement.example.yaml") | {block: wrong}
    errors = {tuple(error.path) for error in jsonschema.Draft7Validator(schema).iter_errors(content)}
    assert errors == {tuple(place)}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
    for reference in _references(document):
        file, _, pointer = reference.partition("#")
        if file:
            assert (ROOT / "docs" / file).is_file(), reference
        found = document
        for step in pointer.strip("/").split("/") if pointer else []:
            found = found[step]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for child in node.values() for found in _references(child)]
    return [found for child in node for found in _references(child)] if isinstance(node, list) else []


_VALUES: dict[type[msgspec.inspect.Type], Any] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: 1,
    msgspec.inspect.FloatType: 0.5,
    msgspec.inspect.BoolType: True,
    msgspec.inspect.DateTimeType: datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    msgspec.inspect.VarTupleType: (),
    msgspec.inspect.DictType: {},
}


def _example(struct: type[msgspec.Struct]) -> msgspec.Struct:
    """One event with something in each field, nulls where they are allowed last."""
    fields = msgspec.inspect.type_info(struct).fields  # type: ignore[attr-defined]
    return struct(**{field.name: _value(field.type) for field in fields})


def _value(kind: msgspec.inspect.Type) -> Any:
    if isinstance(kind, msgspec.inspect.StructType):
        return _example(kind.cls)
    if isinstance(kind, msgspec.inspect.UnionType):
        return _value(next(arm for arm in kind.types if not isinstance(arm, msgspec.inspect.NoneType)))
    return _VALUES[type(kind)]
