"""Parses JSON strictly and in linear time.

Refused with line and column (jiter): invalid UTF-8, NaN and infinities, duplicate keys, half surrogate pairs.
Refused with a JSON pointer (one walk, only if the bytes can contain such a value): the NUL character (PostgreSQL can't
store it), nesting deeper than 32, strings over 16 KiB, over 500 keys in one object, integers of over 100 digits.
"""

import re
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import jiter
import msgspec

from shared.domain.errors import Refused

DEEPEST = 32
LONGEST_STRING = 16 * 1024
MAX_KEYS = 500
_TOO_LARGE = 10**100
_SHOWN = 60
_LONGEST_PATH = 200
_STEP = re.compile(r"\.([^.\[`]+)|\[(\d+|\.\.\.)\]")

T = TypeVar("T")
_REASONS = {
    "EOF while parsing": "the text ends too early",
    "invalid unicode code point": "not UTF-8",
    "unexpected end of hex escape": "half of a surrogate pair",
    "lone leading surrogate": "half of a surrogate pair",
    "recursion limit exceeded": f"nested deeper than {DEEPEST}",
}


class NotJson(Refused):
    """The bytes are not acceptable JSON. `offset` is the position in bytes; `why` is the reason."""

    status = 400
    title = "The body is not JSON"

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(why)
        self.why = why
        self.offset = offset

    def placed(self, body: bytes, start: int = 0) -> "NotJson":
        """The same refusal with line and column, where the bytes read begin at `start` of the whole `body`."""
        offset = start + self.offset
        before = body[:offset].decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        placed = NotJson(self.why, offset)
        placed.detail = f"Line {line}, column {column}: {self.why}. Correct the body and send it again."
        return placed


class OutOfBounds(Refused):
    """A value that is valid JSON but not accepted; the pointer says which."""

    status = 400
    title = "A value is out of bounds"


class Reader(Generic[T]):
    """Reads one JSON value as a `T`; a struct must neither be tagged nor rename its fields."""

    def __init__(self, kind: type[T] | Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def read(self, raw: bytes) -> T:
        """The value. Raises `NotJson`, `OutOfBounds`, or `Refused` (422) with a JSON pointer for another shape."""
        value = parse(raw)
        if not _surely_within_bounds(raw):
            check_bounds(value)
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as wrong:
            raise _misfit(str(wrong)) from None
        except msgspec.DecodeError as wrong:
            raise NotJson(str(wrong), 0) from None


def parse(raw: bytes) -> object:
    """The JSON value, not checked for bounds. Raises `NotJson`."""
    try:
        return jiter.from_json(raw, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True)
    except ValueError as wrong:
        raise _not_json(raw, str(wrong)) from None


def check_bounds(root: object) -> None:
    """Raise `OutOfBounds` for the first value in `root` that breaks a bound of this module."""
    waiting = [_Node(None, "", {"": root}, 0)]
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, dict):
            if len(node.value) > MAX_KEYS:
                raise _out_of_bounds(f"more than {MAX_KEYS} keys in one object", node)
            for key in node.value:
                _check_scalar(key, node, key)
        for name, child in _children(node.value):
            kind = type(child)
            if kind is int and -_TOO_LARGE < child < _TOO_LARGE:
                continue
            if kind is not dict and kind is not list:
                _check_scalar(child, node, name)
            elif node.depth == DEEPEST:
                raise _out_of_bounds(f"nested deeper than {DEEPEST}", node)
            elif child:
                waiting.append(_Node(node, name, child, node.depth + 1))


class _Node(NamedTuple):
    """An object or array, how deep it is, and the way to it. A pointer is only written for the one that is refused."""

    parent: "_Node | None"
    name: object
    value: dict[str, Any] | list[Any]
    depth: int


def _children(value: dict[str, Any] | list[Any]) -> Iterable[tuple[object, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _check_scalar(value: object, parent: _Node, name: object) -> None:
    if isinstance(value, str):
        if len(value) * 4 > LONGEST_STRING and len(value.encode()) > LONGEST_STRING:
            raise _out_of_bounds(f"a string longer than {LONGEST_STRING} bytes", parent, name)
        if "\0" in value:
            raise _out_of_bounds("the NUL character can't be stored", parent, name)
    elif isinstance(value, int) and not -_TOO_LARGE < value < _TOO_LARGE:
        raise _out_of_bounds("an integer of more than 100 digits", parent, name)


def _out_of_bounds(why: str, node: _Node, *name: object) -> OutOfBounds:
    names = [*name]
    while node.depth > 1 and node.parent is not None:
        names.insert(0, node.name)
        node = node.parent
    pointer = "".join("/" + _escaped(str(part)[:_SHOWN]) for part in names if part != "")
    return OutOfBounds(f"{_capital(why)}. Correct it and send the request again.", pointer=pointer)


def _surely_within_bounds(raw: bytes) -> bool:
    """Whether the bytes are too few, or too plain, to break a bound (but that of integers)."""
    return (
        len(raw) <= LONGEST_STRING
        and raw.count(b"[") + raw.count(b"{") <= DEEPEST
        and raw.count(b":") <= MAX_KEYS
        and b"\\u0000" not in raw
    )


def _not_json(raw: bytes, message: str) -> NotJson:
    """jiter's error with its place as an offset; it counts lines and bytes within the line from 1."""
    why, _, place = message.rpartition(" at line ")
    line, _, column = place.partition(" column ")
    start = 0
    for _ in range(int(line) - 1):
        start = raw.index(b"\n", start) + 1
    offset = start + max(int(column) - 1, 0)
    if why.startswith("EOF while parsing"):
        offset = len(raw)
    if not raw.strip():
        return NotJson("there is nothing in the body", len(raw))
    if why.startswith("Detected duplicate key "):
        key = why.removeprefix("Detected duplicate key ").strip('"')
        return NotJson(f"the key {key[:_SHOWN]!r} is there twice", offset)
    known = next((reason for start, reason in _REASONS.items() if why.startswith(start)), None)
    return NotJson(known or why.replace("`", "'"), offset)


def _misfit(message: str) -> Refused:
    reason, _, place = message.rpartition(" - at `")
    if not reason or not place.startswith(("$", "key in $")):
        reason, place = message, ""
    pointer = _pointer(place[:_LONGEST_PATH])
    unknown = reason.partition("unknown field `")[2].removesuffix("`")[:_SHOWN]
    if unknown:
        pointer += "/" + _escaped(unknown)
        return Refused("Unknown field. Remove it, or put it under 'custom'.", pointer=pointer)
    return Refused(f"{reason.replace('`', chr(39))}. Correct it and send the request again.", pointer=pointer)


def _pointer(path: str) -> str:
    """A JSON pointer for msgspec's path.

    >>> _pointer("$.signals[1].at")
    '/signals/1/at'
    """
    return "".join("/" + _escaped(name or index) for name, index in _STEP.findall(path))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
