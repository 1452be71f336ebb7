"""Cursors: where a page of a list ended, as text that a client sends back as it came. One form for all lists."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from shared.domain.errors import Refused
from shared.domain.instants import EARLIEST, LATEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,16})\.(.{1,1000})", re.DOTALL)
_POSITION = re.compile(r"[0-9]{1,18}")

Item = TypeVar("Item")


def write_cursor(at: datetime, key: str) -> str:
    """The cursor of an item: its instant, to the microsecond, and its key among items of one instant.

    >>> write_cursor(datetime(2026, 11, 20, tzinfo=UTC), "ld_1")
    '1795132800000000.ld_1'
    """
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}.{key}"


def next_cursor(page: Sequence[Item], limit: int, position: Callable[[Item], tuple[datetime, str]]) -> str | None:
    """The cursor behind a page of at most `limit` items; None if it is not full, and so the last one."""
    return write_cursor(*position(page[-1])) if len(page) == limit else None


def read_cursor(text: str | None, *, pointer: str = "/cursor") -> tuple[datetime, str] | None:
    """The instant and the key in a cursor; None for none, or an empty one. Raises Refused for any other text."""
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    at = _EPOCH + timedelta(microseconds=int(found[1])) if found else LATEST + timedelta(days=1)
    if found is None or not EARLIEST <= at <= LATEST:
        raise unknown_cursor(pointer)
    return at, found[2]


def read_position(text: str, *, below: int = 10**18, pointer: str = "/cursor") -> int:
    """A place in a sequence, from 0 to less than `below`. Raises Refused for anything else."""
    if not _POSITION.fullmatch(text) or int(text) >= below:
        raise unknown_cursor(pointer)
    return int(text)


def unknown_cursor(pointer: str = "/cursor") -> Refused:
    """The error for a text that is not a valid cursor."""
    return Refused(
        "Invalid cursor. Use the cursor from the previous page unchanged, or leave it out.",
        pointer=pointer,
    )
