"""A fact for the spool, complete except for its id and the instant of acceptance.

The spool's writer knows that instant. It prepends the id and `accepted_at` to the JSON that the endpoint has already
written, so that nothing is parsed or serialized twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from services.ingest.domain.identity import digest
from shared.domain.errors import Refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S = 24 * 60 * 60
DEDUPE_S = 30 * DAY_S
"""For how long a key given by the sender makes a repeat a duplicate; longer than any platform's retries."""

LARGEST_EVENT = 512 * 1024
"""The maximum size of an event's JSON. Escaping can turn one byte into six, so a small request may become a large
event. A quarter of what the log accepts leaves room for the router's events."""
Head = Callable[[str, str, str], str]
"""Writes the first fields of an event's JSON, given its id and its instant of acceptance, both as JSON, and its key."""


class TooLarge(Refused):
    """More items, or a larger one, than are taken at a time, or an event that would be too large to write."""

    status = 413
    title = "Too large"


class PendingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that an endpoint passes to the spool.

    `repeat_key` identifies duplicates for `repeat_s` seconds. If the sender gave the key, `content` is a digest of what
    it stands for (also part of the id, because another process may not know the key) and `key_name` describes the key;
    if the key is computed from the bytes, both are empty. `shown_id` is the id that the sender chose. `happened_at` is
    when an activity happened, if promises count it from then. `refused` is why it is taken only if it repeats what was
    accepted before: a sender whose response was lost must learn that, whatever rules changed since. `id` is the id,
    or its prefix if `timed`: the rest is then computed from the key and the instant, because the same bytes are a new
    fact later.
    """

    type: str
    topic: str
    lead_id: str
    repeat_key: str
    repeat_s: int
    id: str
    timed: bool
    head: Head
    body: bytes
    content: str = ""
    key_name: str = ""
    shown_id: str = ""
    happened_at: datetime | None = None
    refused: Refused | None = None

    def id_at(self, at_us: int) -> str:
        """The id of the fact, if it is accepted `at_us` microseconds after 1970."""
        return self.id + digest(self.repeat_key, str(at_us))[:24] if self.timed else self.id

    def value_at(self, fact_id: str, at: str) -> str:
        """The event's JSON with its `fact_id`, accepted at `at` (an instant as JSON)."""
        return self.head(_quoted(fact_id), at, self.lead_id) + self.body[1:].decode()


class KeyReused(Refused):
    """The sender already used the key for different content. Nothing of the request was stored."""

    def __init__(self, pending_event: PendingEvent, first_id: str, first_lead_id: str) -> None:
        super().__init__(
            f"{pending_event.key_name} already stands for {first_id} of lead {first_lead_id}; what was sent now, for "
            f"lead "
            f"{pending_event.lead_id}, is something else. Send it under a new key."
        )


class Accepted(msgspec.Struct, frozen=True):
    """The result for a fact: its ids, or those of the first if it is a `duplicate`. An activity is `waiting` if no
    inquiry of its lead is known here.
    """

    id: str
    lead_id: str
    duplicate: bool
    waiting: bool = False


def within_limit(body: bytes) -> bytes:
    """`body`, an event's JSON. Raises `TooLarge`."""
    if len(body) > LARGEST_EVENT:
        raise TooLarge(
            f"Written as JSON this takes {len(body) // 1024} KiB; at most {LARGEST_EVENT // 1024} KiB are taken "
            "at a time. Leave out what is not needed."
        )
    return body


def json_instant(at_us: int) -> str:
    """`at_us` microseconds after 1970 as JSON, to the microsecond.

    >>> json_instant(1_500_000)
    '"1970-01-01T00:00:01.500000Z"'
    """
    return _quoted(instant_at(at_us))


def instant_at(at_us: int) -> datetime:
    """The instant `at_us` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=at_us)


def microseconds_of(at: datetime) -> int:
    """Microseconds after 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _quoted(value: object) -> str:
    return msgspec.json.encode(value).decode()
