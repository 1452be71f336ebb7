"""The key that turns contact keys into lead ids: set, or made once for a data folder.

Whoever changes it makes strangers of all known people, so it is never made anew where one is.
"""

import os
import secrets
from pathlib import Path

from shared.domain.errors import Misconfigured
from shared.settings import Settings

_SHORTEST = 16


def identity_key(settings: Settings) -> bytes:
    """The key of `BATON_IDENTITY_KEY`, or of `identity.key` in the data folder, which is made on the first start.

    Raises `Misconfigured`.
    """
    if settings.identity_key is not None:
        return _long_enough(settings.identity_key.get_secret_value(), "BATON_IDENTITY_KEY")
    path = settings.data / "identity.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_unless_there(path)
        return _long_enough(path.read_text().strip(), str(path))
    except OSError as wrong:
        raise Misconfigured(
            f"{path} can't be read or made ({wrong.strerror}). Set BATON_IDENTITY_KEY or BATON_DATA."
        ) from wrong


def _make_unless_there(path: Path) -> None:
    if path.exists():
        return
    # Written aside and linked, so that two processes that start together end up with one whole key.
    aside = path.with_suffix(f".{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_urlsafe(32).encode())
        os.fsync(descriptor)
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        os.close(descriptor)
        aside.unlink()


def _long_enough(key: str, where: str) -> bytes:
    if len(key) < _SHORTEST:
        raise Misconfigured(f"{where} has fewer than {_SHORTEST} characters. Put back the one that was there.")
    return key.encode()
