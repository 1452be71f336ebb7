"""Requests that are wrong in any way are answered with what is wrong: no value in them fails on our side."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import quote

import httpx
import pytest
from fastapi._compat import ModelField
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

import services.delivery.service
import services.router.service
import services.scoreboard.service
import services.sla_monitor.service
from shared.bus.embedded import EmbeddedBus
from shared.db.engine import Database
from shared.http.fields import Body
from shared.runtime.web import Web
from tests.kit.agreements import agreement_text
from tests.kit.services import client_of, platform_on

SERVICES = (services.router, services.sla_monitor, services.delivery, services.scoreboard)
JSON = {"content-type": "application/json"}
TEXTS = [
    "", "a\x00b", "a" * 8_000, "99999999999999999999.x", "9" * 5_000, "1.9999999999.x", "١٢٣.x", "-1", "nan", "\u202e",
    "x.999999999999999999999", "9999-12-31T23:59:59Z",
]  # fmt: skip
RAW = ["%ff", "%ed%a0%80"]
VALUES: list[Any] = [
    *TEXTS, "\ud800", None, True, -1, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, [], {}, ["\x00"], [[]] * 600,
    {"\x00": 1},
]  # fmt: skip
BODIES = [
    b"", b"\x00", b"\xff", b"null", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b'{"\\ud800": 1}', b'{"a": NaN}',
    b'{"a": ' + b"1" * 10_000 + b"}", b'{"a": 1, "a": 2}', b'"' + b"\\u0000" * 1_000 + b'"',
]  # fmt: skip


@pytest.fixture
async def web(database: Database, embedded_bus: EmbeddedBus, tmp_path: Path) -> Web:
    file = tmp_path / "agreement.yaml"
    file.write_text(agreement_text())
    platform = platform_on(database, embedded_bus, BATON_AGREEMENT=str(file))
    built = [each.service.build(platform) for each in SERVICES]
    for service in built:
        for start in service.starts:
            await start()
    return Web(platform, built)


@pytest.fixture
async def client(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(web) as client:
        yield client


@dataclass(frozen=True)
class Operation:
    """A method of an address, with what the framework knows of its parameters and body."""

    method: str
    path: str
    in_path: dict[str, ModelField]
    in_query: dict[str, ModelField]
    body: type[BaseModel] | None


def operations(routes: Iterable[Any]) -> Iterator[Operation]:
    """Every method of every route, streams left out: they don't end."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from operations(route.original_router.routes)
        elif isinstance(route, APIRoute) and route.path != "/live":
            known = route.dependant
            in_path, in_query = ({f.alias: f for f in fields} for fields in (known.path_params, known.query_params))
            body = _model_of(route.body_field)
            for method in sorted(route.methods or ()):
                yield Operation(method, route.path, in_path, in_query, body)


def _model_of(body: ModelField | None) -> type[BaseModel] | None:
    model: type[BaseModel] | None = cast("Any", body.field_info.annotation) if body else None
    return model


def filled(path: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return path


async def test_no_value_in_a_path_or_query_fails_on_our_side(web: Web, client: httpx.AsyncClient) -> None:
    for each in operations(web.app.routes):
        for value in [*(quote(text, safe="") for text in TEXTS), *RAW]:
            addresses = [
                f"{filled(each.path, dict.fromkeys(each.in_path, 'x'))}?{name}={value}" for name in each.in_query
            ]
            if each.in_path:
                addresses.append(filled(each.path, dict.fromkeys(each.in_path, value)))
            for address in addresses:
                answer = await client.request(each.method, address)
                assert answer.status_code < 500, (each.method, address[:200], answer.text[:200])


def bodies(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Bodies that are right but for one field."""
    properties: dict[str, Any] = schema["properties"]
    example = {"string": "x", "array": [], "object": {}, "integer": 1}
    right = {name: properties[name].get("enum", [example.get(properties[name].get("type"), {"rep": "ann"})])[0]
             for name in schema.get("required", ())}  # fmt: skip
    for name in properties:
        for value in VALUES:
            yield right | {name: value}


async def test_no_value_in_a_body_fails_on_our_side(web: Web, client: httpx.AsyncClient) -> None:
    sent = 0
    for each in operations(web.app.routes):
        if each.body is None:
            continue
        address = filled(each.path, dict.fromkeys(each.in_path, "ann"))
        for body in [*map(as_json, bodies(each.body.model_json_schema())), *BODIES]:
            answer = await client.request(each.method, address, content=body, headers=JSON)
            assert answer.status_code < 500, (each.method, each.path, body[:200], answer.text[:200])
            sent += 1
    assert sent > 100


async def test_every_leave_is_taken_or_refused(client: httpx.AsyncClient) -> None:
    for value in [*VALUES, date.max.isoformat(), date.min.isoformat()]:
        for leave in ({"first": value}, {"first": "2026-11-23", "last": value}):
            answer = await client.put("/v1/reps/ann/leave", content=as_json({"leave": [leave]}))
            assert answer.status_code < 500, (leave, answer.text)
    assert (await client.get("/v1/reps")).status_code == 200


def as_json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


async def test_everything_that_a_client_sends_has_a_bound(web: Web) -> None:
    unbounded = []
    for each in operations(web.app.routes):
        for name, field in {**each.in_path, **each.in_query}.items():
            checked: Any = Annotated[field.field_info.annotation, field.field_info]
            schema = TypeAdapter(checked).json_schema()
            if not all(map(_is_bounded, schema.get("anyOf", [schema]))):
                unbounded.append(f"{each.method} {each.path} {name}")
        if each.body is not None and not issubclass(each.body, Body):
            unbounded.append(f"{each.method} {each.path} body")
    assert not unbounded


def _is_bounded(kind: dict[str, Any]) -> bool:
    if kind.get("type") == "object":
        return all(_is_bounded(each) for field in kind["properties"].values() for each in field.get("anyOf", [field]))
    if kind.get("type") == "string":
        return bool({"maxLength", "enum", "const", "format"} & kind.keys())
    if kind.get("type") in ("integer", "number"):
        return "maximum" in kind and "minimum" in kind
    return "$ref" in kind or kind.get("type") in ("null", "boolean")
