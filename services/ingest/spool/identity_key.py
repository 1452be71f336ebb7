"""The key that turns contact keys into lead ids: set, or made once for a data folder.

Another key makes strangers of all known people, so none is made where there is one, or where there is data already.
"""

import os
import secrets
from pathlib import Path

from services.ingest.domain.identity import Identity
from services.ingest.spool.writer import Spool
from shared import log
from shared.domain.errors import Misconfigured
from shared.http.keys import weakness_of
from shared.settings import Settings

_SHORTEST = 16
_MARK = "which key this is"
_MADE = "identity.made"


def identity_key(settings: Settings) -> bytes:
    """The key of `BATON_IDENTITY_KEY`, or of `identity.key` in the data folder, which is made on the first start.

    Raises `Misconfigured`, also when the file is gone from a folder that holds data, and for a key that could be
    guessed in a new installation. One with data goes on with such a key, as another would make strangers of all people.
    """
    if settings.identity_key is not None:
        key = settings.identity_key.get_secret_value()
        weakness = weakness_of(key)
        if weakness is not None and _holds_data(settings.data):
            log.get("ingest").warning("identity_key_weak", reason=f"BATON_IDENTITY_KEY {weakness}; it must stay")
        elif weakness is not None:
            raise Misconfigured(
                f"BATON_IDENTITY_KEY {weakness}: set it to random characters, such as those of 'openssl rand -hex 32'."
            )
        return key.encode()
    path = settings.data / "identity.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_unless_there(path)
        # Stays when key and spools are deleted, while databases and logs still know people by the old key.
        path.with_name(_MADE).touch()
        return _long_enough(path.read_bytes().decode(errors="replace").strip(), str(path))
    except OSError as wrong:
        raise Misconfigured(
            f"{path} can't be read or created ({wrong.strerror}). Set BATON_IDENTITY_KEY or BATON_DATA."
        ) from wrong


def _holds_data(folder: Path) -> bool:
    """Whether ingest has run here before."""
    return any(folder.glob("spool-*.db"))


def _make_unless_there(path: Path) -> None:
    if path.exists():
        return
    if _holds_data(path.parent) or path.with_name(_MADE).exists():
        raise Misconfigured(
            f"{path} is missing, but {path.parent} contains data. Restore the file from a backup, or set "
            "BATON_IDENTITY_KEY to its content. To start over, move the folder away."
        )
    # Written to a temporary file and linked, so that two processes that start together end up with one complete key.
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
        raise Misconfigured(f"{where} has fewer than {_SHORTEST} characters. Restore the previous one.")
    return key.encode()


async def check_same_key(spool: Spool, identity: Identity) -> None:
    """Raise `Misconfigured` when the data of this spool was made with another key."""
    mark = identity.digest(_MARK)[:16]
    if await spool.settled("identity", mark) != mark:
        raise Misconfigured(
            f"the identity key is not the one that the data in {spool.folder} was created with: Baton would know "
            "no one again. Restore the right one (BATON_IDENTITY_KEY, or identity.key in the data folder)."
        )
