"""A request with one fact or several: who may send it, and its items as pending events.

One bad item refuses the whole request and nothing is stored.
"""

from collections.abc import Callable

from services.ingest.api.request import LARGEST_ITEM, Request, WrongMethod
from services.ingest.domain.items import each, split
from services.ingest.domain.pending_event import PendingEvent
from services.ingest.domain.strict_json import NotJson
from shared.domain.errors import Refused
from shared.http.keys import Key, Keys
from shared.http.problems import WrongMedia

_JSON = ("application/json", "")
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_LONGEST_KEY = 255


def authorised(request: Request, keys: Keys, scope: str) -> Key:
    """The key of a POST request. Raises `WrongMethod`, `Unauthorised` or `Forbidden`."""
    if request.method != "POST":
        raise WrongMethod(request.method, "POST")
    return keys.authorise(request.header(b"authorization"), scope)


async def pending_events(
    request: Request, pending_event: Callable[[bytes, str | None, Key], PendingEvent], key: Key
) -> list[PendingEvent]:
    """The items of the body, each made by `pending_event` from its bytes, its idempotency key, and the key."""
    media = request.media_type()
    if media not in _JSON and media not in _LINES:
        raise WrongMedia(f"Send 'Content-Type: application/json', or '{_LINES[0]}' for one item per line.")
    sent_key = request.header(b"idempotency-key")
    if sent_key is not None and not 0 < len(sent_key) <= _LONGEST_KEY:
        raise Refused(f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters.", status=400)
    body = await request.body()

    def made(raw: bytes, number: int) -> PendingEvent:
        return pending_event(raw, f"{sent_key}\n{number}" if sent_key else None, key)

    try:
        return each(body, split(body, lines=media in _LINES), made, largest=LARGEST_ITEM)
    except NotJson as wrong:
        if wrong.why == "trailing characters":
            wrong.detail += f" For several items send an array, or one a line with 'Content-Type: {_LINES[0]}'."
        raise
