"""Reads JSON strictly from the raw bytes, cheaply enough for the hot doors.

Refused, with line and column: what is not UTF-8, NaN and infinities, duplicate keys, lone surrogates, the NUL
character (PostgreSQL can't store it), nesting deeper than 32, strings over 16 KiB, over 500 keys in one object.

Decoders keep the last of two equal keys without a word, so duplicates are found by counting. A text has at most as
many keys as it has quotes followed by a colon; a value written again has at most as many keys as the decoder told
apart. Where the two numbers are equal there was no duplicate. Where they differ (a duplicate, or only a field that was
given its default, or a text with `":` in it) a tokenizer looks at every key. Measured on
a 600-byte lead: typed decode 1.0 us, both counts 3.5 us, limit of depth 0.9 us; the tokenizer 65 us, where it runs.
"""

import json
import re
from typing import Any, Generic, TypeVar

import msgspec

from shared.domain.errors import Refused

DEEPEST = 32
LONGEST_STRING = 16 * 1024
MOST_KEYS = 500

T = TypeVar("T")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:]', re.DOTALL)
_BYTE = re.compile(r"\(byte (\d+)\)")
_AT = re.compile(r" - at `(?:key in )?\$?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at|$)", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NEITHER_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_again = msgspec.json.Encoder()


class NotJson(Refused):
    """The bytes are not JSON that we take. `offset` is where, in bytes from their start; `why` says what."""

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


class Reader(Generic[T]):
    """Reads one JSON value as a `T`; a struct must neither be tagged nor rename its fields."""

    def __init__(self, kind: type[T] | Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def read(self, raw: bytes) -> T:
        """The value. Raises `NotJson`, or `Refused` (422) with a JSON pointer for a value of another shape."""
        check_depth(raw)
        try:
            value = self._decoder.decode(raw)
        except msgspec.ValidationError as wrong:
            scan(raw)
            raise _misfit(str(wrong)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise not_json(raw, wrong) from None
        keys = _keys_at_most(raw)
        if len(raw) > LONGEST_STRING or keys > MOST_KEYS or b"\\u0000" in raw or keys != _keys_in(value):
            scan(raw)
        return value


def outside_strings(raw: bytes) -> bytes:
    """The text without its strings and quotes: brackets, colons, commas, numbers, words.

    >>> outside_strings(rb'{"a\\"b": ["x:y", 1]}')
    b'{: [, 1]}'
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.split(b'"')[::2])


def check_depth(raw: bytes) -> None:
    """Raise `NotJson` where `raw` nests deeper than 32. Needs no recursion."""
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return
    brackets = outside_strings(raw).translate(_AS_SQUARE, _NEITHER_BRACKET)
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")  # takes the innermost level away
    if b"[]" in brackets or brackets.count(b"[") > DEEPEST:
        scan(raw)
        raise NotJson(f"nested deeper than {DEEPEST}", len(raw))


def scan(raw: bytes) -> None:
    """Look at every token of `raw` and raise `NotJson` for the first that breaks a rule of this module."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as wrong:
        raise NotJson("not UTF-8", wrong.start) from None
    open_: list[set[str]] = []
    last: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == ":":
            if last is not None and open_:
                _note_key(_unquoted(text, last), open_[-1], text, last.start())
        elif mark in "{[":
            open_.append(set())
            if len(open_) > DEEPEST:
                raise NotJson(f"nested deeper than {DEEPEST}", _offset(text, token.start()))
        elif mark in "}]":
            if open_:
                open_.pop()
        else:
            last = token
            if len(mark) * 4 > LONGEST_STRING or "\\u" in mark:
                _unquoted(text, token)


def _note_key(key: str, seen: set[str], text: str, start: int) -> None:
    if key in seen:
        raise NotJson(f"the key {key[:60]!r} is there twice", _offset(text, start))
    seen.add(key)
    if len(seen) > MOST_KEYS:
        raise NotJson(f"more than {MOST_KEYS} keys in one object", _offset(text, start))


def _unquoted(text: str, token: re.Match[str]) -> str:
    try:
        value = str(json.loads(token[0]))
        size = len(value.encode())
    except UnicodeEncodeError:
        raise NotJson("half of a surrogate pair", _offset(text, token.start())) from None
    except json.JSONDecodeError as wrong:
        raise NotJson(_lower(wrong.msg), _offset(text, token.start() + wrong.pos)) from None
    if size > LONGEST_STRING:
        raise NotJson(f"a string longer than {LONGEST_STRING} bytes", _offset(text, token.start()))
    if "\0" in value:
        raise NotJson("the NUL character can't be stored", _offset(text, token.start()))
    return value


def _offset(text: str, characters: int) -> int:
    return len(text[:characters].encode(errors="surrogatepass"))


def _keys_at_most(raw: bytes) -> int:
    return raw.translate(None, b" \t\r\n").count(b'":')


def _keys_in(value: object) -> int:
    written = _again.encode(value)
    # Written text has no blank between a key's quote and its colon, and without a backslash no quote in a string.
    return outside_strings(written).count(b":") if b"\\" in written else written.count(b'":')


def not_json(raw: bytes, wrong: Exception) -> NotJson:
    """Why a decoder refused `raw`, and where. Raises instead where `scan` knows better."""
    scan(raw)
    place = _BYTE.search(str(wrong))
    if place is not None:
        reason = _BYTE.sub("", str(wrong)).removeprefix("JSON is malformed: ").strip()
        passed = reason == "trailing characters"  # for these the decoder names the byte behind the first
        return NotJson(reason, int(place[1]) - passed)
    return NotJson("the text ends too early" if raw.strip() else "there is nothing in the body", len(raw))


def _misfit(message: str) -> Refused:
    at = _AT.search(message)
    pointer = "".join("/" + _escaped(name or index) for name, index in _STEP.findall(at[1])) if at else ""
    reason = _AT.sub("", message).replace("`", "'")
    unknown = _UNKNOWN.search(message)
    if unknown:
        pointer += "/" + _escaped(unknown[1])
        return Refused("There is no such field here. Leave it out, or put it under 'custom'.", pointer=pointer)
    return Refused(f"{reason}. Correct it and send the request again.", pointer=pointer)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
