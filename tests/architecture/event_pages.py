"""The reference of all events, the JSON Schemas of public ones, and the AsyncAPI document, made from the structs."""

import json
import types
import typing
from datetime import datetime
from typing import Any

import msgspec
import yaml

from shared.bus.topics import read_topics
from shared.domain import lead
from shared.domain.events import (
    ASSIGNMENTS,
    ESCALATIONS,
    PUBLIC,
    TOPICS,
    TYPES,
    AgreementRef,
    Event,
    LeaveInterval,
    NextStep,
    PilotArm,
    Progress,
    PromisePeriod,
    PromiseSegment,
    Recipient,
    RepRef,
)
from tests.architecture.meanings import meaning

SHAPES = (
    lead.Contact,
    lead.Company,
    lead.Consent,
    lead.Signal,
    lead.Touch,
    RepRef,
    LeaveInterval,
    PilotArm,
    PromiseSegment,
    Recipient,
    PromisePeriod,
    Progress,
    NextStep,
    AgreementRef,
)
PUBLIC_TOPICS = (ASSIGNMENTS, ESCALATIONS)
_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    datetime: "instant",
    bytes: "base64",
    Any: "anything",
}

ATTRIBUTES = {
    "ce_specversion": "`1.0`",
    "ce_id": "the event's id, the same each time it is sent: ignore an id that you have handled",
    "ce_type": "the event's type, with its version",
    "ce_source": "`baton/` and the service that publishes it",
    "ce_subject": "the lead, same as the key",
    "ce_time": "when it happened, RFC 3339 in UTC",
    "content-type": "`application/json`",
}


def events_page() -> str:
    """`docs/events.md`."""
    parts = [
        "# Events",
        "All events on the bus. Generated from the code by `python -m tests.architecture.generate`.",
        "A record's value is the event as JSON, its key the lead, and its headers are CloudEvents attributes (binary "
        "mode). Webhooks and `GET /v1/events` carry the same event as a structured CloudEvent. Events only gain "
        "fields: ignore unknown fields. A changed meaning is a new version of the type: ignore unknown types too.",
        "Each public event has a JSON Schema in `schemas/`; [asyncapi.yaml](asyncapi.yaml) describes the two public "
        "topics. The other events are internal and may change with any release.",
        "## Headers",
        _table(["header", "value"], [[f"`{name}`", text] for name, text in ATTRIBUTES.items()]),
        "## All types",
        _table(["type", "topic", "for", "meaning"], [_summary(kind) for kind in TYPES.values()]),
    ]
    for topic in TOPICS:
        parts.append(f"## {topic}")
        for kind in (kind for kind in TYPES.values() if topic == kind.TOPIC):
            parts += [f"### {kind.TYPE}", _says(kind), _fields(kind)]
    parts.append("## Shapes")
    for shape in SHAPES:
        parts += [f"### {shape.__name__}", _says(shape), _fields(shape)]
    return "\n\n".join(parts) + "\n"


def schemas() -> dict[str, str]:
    """One JSON Schema (draft 7, which AsyncAPI supports) per public type, by type name."""
    return {name: json.dumps(_schema(TYPES[name]), indent=2, ensure_ascii=False) + "\n" for name in PUBLIC}


def asyncapi() -> str:
    """`docs/asyncapi.yaml`: AsyncAPI 3.0 for the two public topics. Baton sends on both."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Baton",
            "version": "1.0.0",
            "description": "Who got which lead, and how its promises went. Records are keyed by lead, so the events of "
            "a lead are in order on each topic. Delivery is at least once: ignore a `ce_id` that you have handled. The "
            "topics also carry internal records: ignore a `ce_type` that is not listed.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel(topic): _channel_of(topic) for topic in PUBLIC_TOPICS},
        "operations": {f"send_{_channel(topic)}": _operation(topic) for topic in PUBLIC_TOPICS},
        "components": {"messages": {name: _message(TYPES[name]) for name in PUBLIC}},
    }
    head = "# Generated from shared/domain/events.py by `python -m tests.architecture.generate`.\n"
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def undocumented() -> list[str]:
    """Fields of events and shapes without a documented meaning."""
    structs: list[type[msgspec.Struct]] = [*TYPES.values(), *SHAPES]
    return [
        f"{s.__name__}.{f.name}" for s in structs for f in msgspec.structs.fields(s) if not meaning(s.__name__, f.name)
    ]


def _summary(kind: type[Event]) -> list[str]:
    anchor = kind.TYPE.replace(".", "")
    return [
        f"[`{kind.TYPE}`](#{anchor})",
        f"`{kind.TOPIC}`",
        "everyone" if kind.TYPE in PUBLIC else "internal",
        _says(kind),
    ]


def _says(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _fields(kind: type[msgspec.Struct]) -> str:
    hints = typing.get_type_hints(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        optional = not field.required and kind.__struct_config__.omit_defaults
        rows.append([f"`{field.name}`", _words(hints[field.name], optional), meaning(kind.__name__, field.name) or ""])
    return _table(["field", "type", "meaning"], rows)


def _words(hint: Any, optional: bool = False) -> str:
    arms = [arm for arm in _arms(hint) if arm is not types.NoneType]
    text = " or ".join(_word(arm) for arm in arms)
    if optional:
        return f"{text}, may be absent"
    return f"{text} or null" if len(arms) < len(_arms(hint)) else text


def _word(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (tuple, list):
        return f"list of {_word(inner[0])}"
    if origin is dict:
        return f"object of {_word(inner[1])}"
    if hint in SHAPES:
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _WORDS[hint]


def _arms(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _schema(kind: type[Event]) -> dict[str, Any]:
    _, definitions = msgspec.json.schema_components([kind], ref_template="#/definitions/{name}")
    structs = {struct.__name__: struct for struct in (kind, *SHAPES)}
    for name, definition in definitions.items():
        hints = typing.get_type_hints(structs[name])
        for field, schema in definition["properties"].items():
            _refine(schema, hints[field], meaning(name, field))
    own = definitions.pop(kind.__name__)
    own = {**own, "title": kind.TYPE, "description": _says(kind)}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **own, "definitions": definitions}


def _refine(schema: dict[str, Any], hint: Any, says: str | None) -> None:
    if says and "$ref" not in schema:
        schema["description"] = says
    if datetime in _arms(hint):
        for arm in schema.get("anyOf", [schema]):
            if arm["type"] == "string":
                arm["format"] = "date-time"


def _channel(topic: str) -> str:
    return topic.split(".")[1]


def _channel_of(topic: str) -> dict[str, Any]:
    made = read_topics()[topic]
    names = [name for name in PUBLIC if topic == TYPES[name].TOPIC]
    retention = {"topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": int(made.config["retention.ms"])}}
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "partitions": made.partitions,
                "replicas": made.replication_factor,
                **retention,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{_channel(topic)}"}}


def _message(kind: type[Event]) -> dict[str, Any]:
    headers: dict[str, Any] = {name: {"type": "string", "description": text} for name, text in ATTRIBUTES.items()}
    headers["ce_specversion"] = {"type": "string", "const": "1.0"}
    headers["ce_type"] = {"type": "string", "const": kind.TYPE}
    headers["ce_time"]["format"] = "date-time"
    return {
        "name": kind.TYPE,
        "summary": _says(kind),
        "contentType": "application/json",
        "headers": {"type": "object", "properties": headers, "required": list(headers)},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": {"$ref": f"./schemas/{kind.TYPE}.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "`lead_id`"}, "bindingVersion": "0.5.0"}},
    }


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
