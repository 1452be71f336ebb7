"""`./baton keys create`: adds to the keys file, which holds digests only and is never seen half written."""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from shared.domain.errors import Misconfigured, Refused
from shared.http.keys import SCOPES, make_key
from shared.settings import Settings, read


def add_key(environ: Mapping[str, str], name: str, scopes: Sequence[str], sources: Sequence[str] = ()) -> str:
    """Make a key for `name` in the file of `BATON_KEYS`; its secret, which is nowhere else.

    Raises `Misconfigured` without a file that can be read and written, `Refused` for a name that is taken or a scope
    that is not known.
    """
    file = read(Settings, environ).keys
    if file is None:
        raise Misconfigured("BATON_KEYS is not set. Set it to the file that holds the keys, such as data/keys.json.")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise Refused(f"There is no scope {unknown[0]!r}. Use some of: {', '.join(SCOPES)}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(file.parent):
            entries = _entries(file)
            if any(entry["name"] == name for entry in entries):
                raise Refused(f"There is a key {name!r} already. Choose another name, or remove that one from {file}.")
            secret, entry = make_key(name, scopes, sources)
            _replace(file, msgspec.json.format(msgspec.json.encode([*entries, dict(entry)]), indent=2) + b"\n")
    except OSError as wrong:
        raise Misconfigured(
            f"{file} can't be written ({wrong.strerror}). Set BATON_KEYS to a file of yours."
        ) from wrong
    return secret


def _entries(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[dict[str, Any]])
    except msgspec.DecodeError as wrong:
        raise Misconfigured(f"BATON_KEYS names {file}, which is no keys file: {wrong}. Nothing was changed.") from wrong


def _replace(file: Path, content: bytes) -> None:
    # A temporary file is 0600 from its first moment.
    descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
        Path(new).replace(file)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    # Two operators at once must both find their key in the file.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
