"""`./baton keys create`: adds to the keys file, which contains digests only and is replaced atomically."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from shared.domain.errors import Misconfigured, Refused
from shared.http.keys import SCOPES, make_key
from shared.settings import Settings, read
from shared.whole_file import replace_file


def add_key(environ: Mapping[str, str], name: str, scopes: Sequence[str], sources: Sequence[str] = ()) -> str:
    """Create a key for `name` in the file of `BATON_KEYS` and return its secret, which is not stored.

    Raises `Misconfigured` if the file cannot be read and written, and `Refused` for a name that is taken or an
    unknown scope.
    """
    file = read(Settings, environ).keys
    if file is None:
        raise Misconfigured("BATON_KEYS is not set. Set it to a file for the keys, such as data/keys.json.")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise Refused(f"Unknown scope {unknown[0]!r}. Use one or more of: {', '.join(SCOPES)}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(file.parent):
            entries = _entries(file)
            if any(entry["name"] == name for entry in entries):
                raise Refused(
                    f"A key named {name!r} already exists. Choose another name, or remove that key from {file}."
                )
            secret, entry = make_key(name, scopes, sources)
            replace_file(file, msgspec.json.format(msgspec.json.encode([*entries, dict(entry)]), indent=2) + b"\n")
    except OSError as wrong:
        raise Misconfigured(
            f"{file} can't be written ({wrong.strerror}). Set BATON_KEYS to a file that you own."
        ) from wrong
    return secret


def _entries(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[dict[str, Any]])
    except msgspec.DecodeError as wrong:
        raise Misconfigured(
            f"BATON_KEYS names {file}, which is not a keys file: {wrong}. Nothing was changed."
        ) from wrong


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    # Two operators at the same time must not overwrite each other's key.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
