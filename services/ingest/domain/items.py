"""Splits a body into its items (an object, an array, or lines); errors give the position in the whole body."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from services.ingest.domain.pending_event import TooLarge
from services.ingest.domain.strict_json import NotJson, check_bounds, parse
from shared.domain.errors import Refused

T = TypeVar("T")
MAX_ITEMS = 1000
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def split(body: bytes, *, lines: bool) -> Sequence[bytes]:
    """The items of the body, unread. Raises `NotJson` or `TooLarge`."""
    items: Sequence[bytes]
    if lines:
        items = [line for line in body.split(b"\n") if line.strip()]
    elif body.lstrip(b" \t\r\n")[:1] == b"[":
        items = _elements(body)
    else:
        return (body,)
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"At most {MAX_ITEMS} items are taken at a time; these are {len(items)}. Send them in parts.")
    if not items:
        raise Refused("The body is empty. Send at least one item.")
    return items


def each(body: bytes, items: Sequence[bytes], make: Callable[[bytes, int], T], *, largest: int) -> list[T]:
    """What `make` makes of each item, given its bytes and number.

    Raises what `make` raises: `NotJson` with line and column, `Refused` with a pointer from the whole body.
    """
    several = listed(body, items)
    made = []
    for number, raw in enumerate(items):
        try:
            if len(raw) > largest:
                raise TooLarge(f"One item may have at most {largest // 1024} KiB. Leave out what is not needed.")
            made.append(make(raw, number))
        except NotJson as wrong:
            raise wrong.placed(body, _start(body, items, number)) from None
        except Refused as wrong:
            raise at_item(wrong, number) if several else wrong from None
    return made


def listed(body: bytes, items: Sequence[bytes]) -> bool:
    """Whether the body is a list of these items, which may have only one; else it is the item."""
    return len(items) > 1 or items[0] is not body


def at_item(wrong: Refused, number: int) -> Refused:
    """What is wrong with item `number`, with a pointer from the whole body."""
    return type(wrong)(wrong.detail, pointer=f"/{number}{wrong.pointer}", status=wrong.status)


def _elements(body: bytes) -> Sequence[bytes]:
    try:
        return [bytes(raw) for raw in _raws.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        check_bounds(parse(body))
    except NotJson as wrong:
        raise wrong.placed(body) from None
    raise NotJson("not an array of items", 0).placed(body)


def _start(body: bytes, items: Sequence[bytes], number: int) -> int:
    place = 0
    for item in items[:number]:
        place = body.index(item, place) + len(item)
    return body.index(items[number], place)
