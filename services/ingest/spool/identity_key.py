"""The key that turns contact keys into lead ids: set, or made once for a data folder.

Another key makes strangers of all known people, so none is made where there is one, or where there is data already.
"""

import os
import secrets
from pathlib import Path

from services.ingest.domain.identity import Identity
from services.ingest.spool.writer import Spool
from shared.domain.errors import Misconfigured
from shared.settings import Settings

_SHORTEST = 16
_MARK = "which key this is"


def identity_key(settings: Settings) -> bytes:
    """The key of `BATON_IDENTITY_KEY`, or of `identity.key` in the data folder, which is made on the first start.

    Raises `Misconfigured`, also when the file is gone from a folder that holds data.
    """
    if settings.identity_key is not None:
        return _long_enough(settings.identity_key.get_secret_value(), "BATON_IDENTITY_KEY")
    path = settings.data / "identity.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_unless_there(path)
        return _long_enough(path.read_bytes().decode(errors="replace").strip(), str(path))
    except OSError as wrong:
        raise Misconfigured(
            f"{path} can't be read or created ({wrong.strerror}). Set BATON_IDENTITY_KEY or BATON_DATA."
        ) from wrong


def _make_unless_there(path: Path) -> None:
    if path.exists():
        return
    if any(path.parent.glob("spool-*.db")):
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
