"""The event for a record that could not be handled or written. It can always be encoded and always fits into the log.

Texts from outside are truncated and cleaned. Of a body larger than `MAX_BODY` it has the beginning and the full size;
the rest is at `origin` until the topic's retention ends.
"""

from datetime import datetime

from shared.bus.envelope import Envelope, decode
from shared.domain.errors import Refused
from shared.domain.events import RecordQuarantined
from shared.domain.ids import event_id
from shared.ports import Message, Record
from shared.runtime.pausing import origin_of

MAX_BODY = 256 * 1024
_ID_CHARS, _DETAIL_CHARS = 200, 1000


def of_record(record: Record, error: Exception, *, service: str, now: datetime) -> Envelope:
    """About a record that the handlers of `service` could not take, because of `error`."""
    detail = error.detail if isinstance(error, Refused) else "the handler failed; its log has the reason"
    code = type(error).__name__
    return of_content(record, origin_of(record), code, detail, service, now, inquiry_id=_inquiry_in(record))


def of_message(message: Message, event: str, reason: str, *, service: str, now: datetime) -> Envelope:
    """About the event with the id `event` that `service` announced and that the log will never take."""
    return of_content(message, f"outbox:{service}/{event}", "Unwritable", reason, service, now)


def of_content(
    content: Record | Message,
    origin: str,
    code: str,
    detail: str,
    service: str,
    now: datetime,
    *,
    inquiry_id: str | None = None,
    max_body: int = MAX_BODY,
) -> Envelope:
    """About `content`, which came from `origin`; of its body, the beginning up to `max_body` bytes."""
    kind = dict(content.headers).get("ce_type", b"").decode(errors="replace")
    event = RecordQuarantined(
        lead_id=_clean(content.key, _ID_CHARS),
        quarantine_id=event_id("quarantine", service, origin),
        service=service,
        origin=_clean(origin, _DETAIL_CHARS),
        code=code,
        detail=_clean(detail, _DETAIL_CHARS),
        at=now,
        body=content.value[:max_body],
        body_bytes=len(content.value) if len(content.value) > max_body else None,
        record_type=_clean(kind, _ID_CHARS) or None,
        inquiry_id=_clean(inquiry_id, _ID_CHARS) if inquiry_id else None,
    )
    return Envelope(event.quarantine_id, f"baton/{service}", now, event)


def _clean(text: str, longest: int) -> str:
    """The text as any database and log accepts it: no control characters, no lone surrogates, not too long."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text[:longest])


def _inquiry_in(record: Record) -> str | None:
    """The record's inquiry, if its bytes show it."""
    try:
        found = getattr(decode(record).event, "inquiry_id", None)
    except Refused:
        return None
    return found if isinstance(found, str) else None
