"""A request with one fact or several: who may send it, and its items as pending events.

One bad item refuses the whole request and nothing is stored.
"""

from collections.abc import Callable

from msgspec import structs

from services.ingest.api.request import LARGEST_ITEM, Request, WrongMethod
from services.ingest.domain.items import at_item, each, listed, split
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
) -> tuple[list[PendingEvent], bool]:
    """The items of the body, each made by `pending_event` from its bytes, its idempotency key, and the key; and whether
    the body is a list of items.
    """
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
        items = split(body, lines=media in _LINES)
        found = each(body, items, made, largest=LARGEST_ITEM)
    except NotJson as wrong:
        if wrong.why == "trailing characters":
            wrong.detail += f" For several items send an array, or one a line with 'Content-Type: {_LINES[0]}'."
        raise
    several = listed(body, items)
    return [_placed(event, number) for number, event in enumerate(found)] if several else found, several


def _placed(event: PendingEvent, number: int) -> PendingEvent:
    """The item with the place of what it is refused for, within the whole body."""
    if event.refused is None:
        return event
    return structs.replace(event, refused=at_item(event.refused, number))
