"""An operator's request to send published facts again, in a file in the data folder: every ingest process that uses
the folder sees it there, and each spool notes which request it has carried out.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from services.ingest.domain.pending_event import microseconds_of
from shared.clock import new_id
from shared.domain.errors import Unavailable
from shared.whole_file import replace_file

_FILE = "resend.json"


class ResendRequest(msgspec.Struct, frozen=True):
    """A request to send again what was accepted since `since_us` (microseconds since 1970)."""

    id: str
    since_us: int


def requested(folder: Path) -> ResendRequest | None:
    """The latest request, if there ever was one."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=ResendRequest)
    except FileNotFoundError:
        return None


def request(folder: Path, since: datetime | None) -> ResendRequest:
    """Store a new request. Raises `Unavailable` if the disk cannot be written."""
    made = ResendRequest(new_id(), microseconds_of(since) if since else 0)
    try:
        replace_file(folder / _FILE, msgspec.json.encode(made))
    except OSError as wrong:
        raise Unavailable(f"{folder} can't be written ({wrong.strerror}); nothing will be sent again.") from wrong
    return made
