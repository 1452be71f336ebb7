"""Strict reading refuses whatever two readers could understand differently, and says where."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.intake import SubmittedLead
from services.ingest.domain.strict_json import NotJson, OutOfBounds, Reader
from shared.domain.errors import Refused

anything: Reader[Any] = Reader(Any)
leads: Reader[SubmittedLead] = Reader(SubmittedLead)


@pytest.mark.parametrize(
    ("raw", "line", "column", "why"),
    [
        (b"", 1, 1, "nothing in the body"),
        (b"   \n", 2, 1, "nothing in the body"),
        (b'{"a": 1', 1, 8, "ends too early"),
        (b'{"a": 1,}', 1, 9, "trailing comma"),
        (b'{"a": 1}\n{"a": 2}', 2, 1, "trailing characters"),
        (b'{\n  "a": NaN}', 2, 8, "expected value"),
        (b'{"a": Infinity}', 1, 7, "expected value"),
        (b"[1 2]", 1, 4, "expected ',' or ']'"),
        (b'{"a": "\xff"}', 1, 8, "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', 1, 8, "not UTF-8"),
        ('{"é": 1, "x": "\\ud800"}'.encode(), 1, 22, "surrogate"),
        (b'{"a": "\\udc00\\ud800"}', 1, 13, "surrogate"),
        (b'{"a": 1, "a": 2}', 1, 14, "'a' is there twice"),
        (b'{"a": 1, "a" : 2}', 1, 15, "'a' is there twice"),
        (b'{"a": 1, "\\u0061": 2}', 1, 19, "'a' is there twice"),
        (b'{"a": {"b": 1,\n"b": 1}}', 2, 5, "'b' is there twice"),
        (b'[{"a": 1}, {"b": "\\":", "b": 2}]', 1, 29, "'b' is there twice"),
        (b"[" * 100_000, 1, 202, "deeper than 32"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_line_and_column(
    raw: bytes, line: int, column: int, why: str
) -> None:
    with pytest.raises(NotJson) as refused:
        anything.read(raw)
    placed = refused.value.placed(raw)
    assert why in placed.detail
    assert placed.detail.startswith(f"Line {line}, column {column}: ")
    assert placed.status == 400


@pytest.mark.parametrize(
    ("raw", "pointer", "why"),
    [
        (b'{"a": "\\u0000"}', "/a", "NUL"),
        (b'{"a": [1, {"b\\u0000": 2}]}', "/a/1/b\0", "NUL"),
        (b'{"a": "' + b"x" * 16_385 + b'"}', "/a", "longer than 16384 bytes"),
        (b'{"a/b": ["' + "é".encode() * 8_193 + b'"]}', "/a~1b/0", "longer than 16384 bytes"),
        (b'{"' + b"k" * 16_385 + b'": 1}', "/" + "k" * 60, "longer than 16384 bytes"),
        (b"[" * 33 + b"]" * 33, "/0" * 31, "eeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "/a" * 31, "eeper than 32"),
        (json.dumps({"a": {f"k{i}": i for i in range(501)}}).encode(), "/a", "ore than 500 keys"),
        (b'{"a": "' + b"x" * 17_000 + b'", "n": ' + b"1" * 101 + b"}", "/a", "longer"),
        (b"[" + b" " * 17_000 + b"1" * 101 + b"]", "/0", "more than 100 digits"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_a_pointer_to_it(raw: bytes, pointer: str, why: str) -> None:
    with pytest.raises(OutOfBounds, match=why) as refused:
        anything.read(raw)
    assert (refused.value.status, refused.value.pointer) == (400, pointer)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}',
        b'{"a": "x\\": y", "b": ":", "c:": "\\\\"}',
        b'{"a": "' + b"x" * 16_384 + b'"}',
        b"[" * 32 + b"]" * 32,
        json.dumps({f"k{i}": i for i in range(500)}).encode(),
        json.dumps([{"a": [[{}]], "b": i} for i in range(100)]).encode(),
        b"-12345678901234567890123",
        b'{"contact":"a","message":"\\u00e9 \\ud83d\\ude00"}',
    ],
)
def test_what_only_looks_dangerous_is_read_as_it_is(raw: bytes) -> None:
    assert anything.read(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("body", "pointer", "why"),
    [
        ({"contact": {"email": 5}}, "/contact/email", "Expected 'str"),
        ({"contact": {"email": "a@b.example", "fax": "1"}}, "/contact/fax", "Unknown field"),
        ({"contact": {"email": "a@b.example"}, "budget": 5}, "/budget", "Unknown field"),
        ({"contact": {"email": "a@b.example"}, "a/b~c": 5}, "/a~1b~0c", "Unknown field"),
        ({}, "", "missing required field 'contact'"),
        ({"contact": {}, "signals": [{"kind": "x", "at": "2026-01-01T00:00:00Z"}, {"kind": "x", "at": "now"}]},
         "/signals/1/at", "RFC3339"),
        ({"contact": {}, "occurred_at": "2026-01-01T00:00:00"}, "/occurred_at", "timezone"),
        ({"contact": {}, "company": {"employees": -1}}, "/company/employees", ">= 0"),
    ],
)  # fmt: skip
def test_a_value_of_another_shape_is_refused_with_a_pointer_to_it(body: object, pointer: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        leads.read(json.dumps(body).encode())
    assert (refused.value.status, refused.value.pointer) == (422, pointer)
    assert why in refused.value.detail


def test_a_duplicate_key_is_found_next_to_a_field_that_has_its_default() -> None:
    with pytest.raises(NotJson):
        leads.read(b'{"contact": {"email": "a@b.example", "email": "c@d.example"}, "message": null}')
    assert leads.read(b'{"contact": {"email": "a@b.example", "phone": null}, "signals": []}').signals == ()


def _strict(raw: bytes) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in found}) != len(found):
            raise ValueError("duplicate")
        return dict(found)

    def number(text: str) -> Any:
        raise ValueError(text)

    value = json.loads(raw.decode(), object_pairs_hook=pairs, parse_constant=number)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


texts = st.text(alphabet=st.sampled_from('ab":\\{}[], \n\té😀\x01\x7f'), max_size=6)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300)
@given(value=values, indent=st.sampled_from([None, 0, 2]), escaped=st.booleans())
def test_any_json_is_read_equal_to_what_the_standard_library_reads(
    value: object, indent: int | None, escaped: bool
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=escaped, separators=(" ,", " : ")).encode()
    assert anything.read(raw) == json.loads(raw)


fragments = st.sampled_from(
    [b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b'"b":', b'"\\u0061":', b'"a" :', b'"a":', b"1", b"-0",
    b"1e400", b"NaN", b"null", b"\\", b'"\\ud800"', b'"\\ud83d\\ude00"', b"\xff", b" ", b"\n", b'"\\":"',
    b'{"a":1,"a":2}', b"\xef\xbb\xbf"] )  # fmt: skip


@settings(max_examples=1500)
@given(parts=st.lists(fragments, max_size=14))
def test_what_a_strict_reading_of_the_standard_library_refuses_is_refused(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    try:
        expected = _strict(raw)
    except (ValueError, RecursionError):
        with pytest.raises(Refused):
            anything.read(raw)
        return
    assert anything.read(raw) == expected


@settings(max_examples=300)
@given(value=st.dictionaries(texts, values, min_size=1, max_size=3), data=st.data())
def test_a_key_repeated_at_any_depth_is_refused(value: dict[str, object], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    ascii_only = data.draw(st.booleans())
    inner = json.dumps(value, ensure_ascii=ascii_only)
    again = f"{json.dumps(key)}{data.draw(st.sampled_from(['', ' ', chr(9)]))}: {json.dumps(data.draw(values))}"
    doubled = f"{{{again}, {inner[1:]}"
    raw = data.draw(
        st.sampled_from([doubled, f'{{"outer": [{doubled}]}}', f'[1, {{"x": {doubled}, "y": ":"}}]'])
    ).encode()
    with pytest.raises(NotJson):
        anything.read(raw)
