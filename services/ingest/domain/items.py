"""Splits a body into its items (an object, an array, or lines) and reads each; errors say where in the whole body."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from services.ingest.domain.strict_json import NotJson, Reader, check_depth, not_json
from shared.domain.errors import Refused

T = TypeVar("T")
MOST_ITEMS = 1000
_raws = msgspec.json.Decoder(list[msgspec.Raw])


class TooMany(Refused):
    """More items, or larger ones, than are taken at a time."""

    status = 413
    title = "Too large"


def split(body: bytes, *, lines: bool) -> Sequence[bytes]:
    """The items of the body, unread. Raises `NotJson` or `TooMany`."""
    items: Sequence[bytes]
    if lines:
        items = [line for line in body.split(b"\n") if line.strip()]
    elif body.lstrip(b" \t\r\n")[:1] == b"[":
        items = _elements(body)
    else:
        return (body,)
    if len(items) > MOST_ITEMS:
        raise TooMany(f"At most {MOST_ITEMS} items are taken at a time; these are {len(items)}. Send them in parts.")
    if not items:
        raise Refused("There is no item in the body. Send at least one.")
    return items


def read_all(body: bytes, items: Sequence[bytes], reader: Reader[T], *, largest: int) -> Iterator[T]:
    """Each item as a `T`. Raises `NotJson` with line and column, or `Refused` with a pointer from the whole body."""
    several = len(items) > 1 or items[0] is not body
    for number, raw in enumerate(items):
        try:
            if len(raw) > largest:
                raise TooMany(f"One item may have at most {largest // 1024} KiB. Leave out what is not needed.")
            yield reader.read(raw)
        except NotJson as wrong:
            raise wrong.placed(body, _start(body, items, number)) from None
        except Refused as wrong:
            raise at_item(wrong, number if several else None) from None


def at_item(wrong: Refused, number: int | None) -> Refused:
    """The same refusal, pointing into item `number` of an array (None: there is only one)."""
    if number is None:
        return wrong
    return type(wrong)(wrong.detail, pointer=f"/{number}{wrong.pointer}", status=wrong.status)


def _elements(body: bytes) -> Sequence[bytes]:
    try:
        check_depth(body)
        return [bytes(raw) for raw in _raws.decode(body)]
    except NotJson as wrong:
        raise wrong.placed(body) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise _placed(body, wrong) from None


def _start(body: bytes, items: Sequence[bytes], number: int) -> int:
    place = 0
    for item in items[:number]:
        place = body.index(item, place) + len(item)
    return body.index(items[number], place)


def _placed(body: bytes, wrong: Exception) -> NotJson:
    try:
        return not_json(body, wrong).placed(body)
    except NotJson as better:
        return better.placed(body)
