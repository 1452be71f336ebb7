"""Column types for text, so that no text from outside can fail a statement.

PostgreSQL accepts neither NUL nor lone surrogates, and no index entry over 2,704 bytes. `Text` replaces
what cannot be stored; `Key`, for columns in a primary key or an index, also bounds the length. Both convert values in
lookups in the same way, so a lookup finds what was stored.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

KEY_BYTES = 1_000
"""The longest key in UTF-8: two of them fit into one entry of a PostgreSQL index."""
_DIGEST_BYTES = 16


def storable(text: str) -> str:
    """The text with U+FFFD for NUL and `?` for half a surrogate pair; nearly always the text itself.

    >>> storable("caf\\x00\\ud83d") == "caf\\ufffd?"
    True
    """
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def indexable(text: str) -> str:
    """Like `storable`, with at most `KEY_BYTES`: a longer text becomes its beginning and a digest of the whole.

    >>> len(indexable("a" * 9_000)), indexable(indexable("a" * 9_000)) == indexable("a" * 9_000)
    (1000, True)
    """
    text = storable(text)
    if len(text) * 4 <= KEY_BYTES:
        return text
    encoded = text.encode()
    if len(encoded) <= KEY_BYTES:
        return text
    digest = blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()
    return encoded[: KEY_BYTES - len(digest)].decode(errors="ignore") + digest


def cleaner(kind: Any) -> Callable[[str], str] | None:
    """What makes a value of a column of this type fit for it; None for a type that is not text."""
    return _CLEANERS.get(type(kind))


class Text(sa.types.TypeDecorator[str]):
    """Text of any length, in a column that no key or index holds."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        """To the database."""
        return None if value is None else storable(value)


class Key(sa.types.TypeDecorator[str]):
    """Text in a primary key or an index."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        """To the database."""
        return None if value is None else indexable(value)


_CLEANERS: Mapping[type, Callable[[str], str]] = {Text: storable, Key: indexable}
