"""Events to bytes and back: CloudEvents 1.0 in binary mode on the bus, structured mode for webhooks and pull.

On the bus the value is the plain event as JSON and the attributes are `ce_*` headers
(https://github.com/cloudevents/spec, Kafka protocol binding). An event's id never changes, however often it is
sent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from shared.domain.errors import Refused
from shared.domain.events import TYPES, Event
from shared.ports import Message, Record

_encoder = msgspec.json.Encoder()
_JSON = b"application/json"
MAX_ID_CHARS = 200
ACCEPTANCE = "ce_acceptance"
"""The header that numbers an inquiry, `SPOOL/NUMBER`: the spool that accepted it, and how many it had accepted then."""


class Envelope(msgspec.Struct, frozen=True):
    """An event with its attributes. `id` is the same on every redelivery; `time` is when it happened; `source` is
    the service.
    """

    id: str
    source: str
    time: datetime
    event: Event

    @property
    def type(self) -> str:
        """The event's type name."""
        return self.event.TYPE

    @property
    def subject(self) -> str:
        """The lead the event is about; its key on the bus."""
        return self.event.lead_id


class Received(msgspec.Struct, frozen=True):
    """An envelope with the record it came in."""

    envelope: Envelope
    record: Record

    @property
    def event(self) -> Event:
        """The event itself."""
        return self.envelope.event


@lru_cache(maxsize=64)
def _decoder(name: str) -> "msgspec.json.Decoder[Event]":
    return msgspec.json.Decoder(TYPES[name])


@lru_cache(maxsize=256)
def instant(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as on the wire.

    >>> instant(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    '2026-11-21T09:30:00.000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def value_of(event: Event) -> bytes:
    """The event from a record's value."""
    return _encoder.encode(event)


def encode(envelope: Envelope) -> Message:
    """The envelope as a message for its event's topic, keyed by lead."""
    event = envelope.event
    headers = attributes(envelope.id, event.TYPE, envelope.source, event.lead_id, instant(envelope.time))
    return Message(event.TOPIC, event.lead_id, value_of(event), headers)


def attributes(event_id: str, kind: str, source: str, subject: str, time: str) -> tuple[tuple[str, bytes], ...]:
    """CloudEvents attributes as Kafka headers."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
        ("content-type", _JSON),
    )


def decode(record: Record) -> Received:
    """The record as an envelope. Raises `Refused` with the reason if it is not one of Baton's events."""
    if record.unreadable is not None:
        raise Refused(f"the record can't be read: {record.unreadable}")
    try:
        kind = record.headers["ce_type"].decode()
        if kind not in TYPES:
            raise Refused(f"unknown event type {kind!r}: it needs a newer Baton, or it is on the wrong topic")
        event = _decoder(kind).decode(record.value)
        time = datetime.fromisoformat(record.headers["ce_time"].decode())
        if time.tzinfo is None:
            raise ValueError("ce_time names no zone")
        time = time.astimezone(UTC)
        envelope = Envelope(_id_of(record), record.headers["ce_source"].decode(), time, event)
    except KeyError as missing:
        raise Refused(f"the record has no header {missing.args[0]}") from missing
    except (msgspec.DecodeError, ValueError, OverflowError) as bad:
        raise Refused(f"the record is not a valid event: {bad}") from bad
    except RecursionError as deep:
        raise Refused("the record is not a valid event: it is nested too deeply") from deep
    return Received(envelope, record)


def _id_of(record: Record) -> str:
    """The event's id, if databases store it unchanged: an id that they alter could not be told from a duplicate."""
    found = record.headers["ce_id"].decode()
    if not 0 < len(found) <= MAX_ID_CHARS or not found.isprintable():
        raise ValueError(f"ce_id is not 1 to {MAX_ID_CHARS} printable characters")
    return found


def structured(envelope: Envelope) -> bytes:
    """The envelope as one CloudEvent in JSON, for webhook bodies and `GET /v1/events`."""
    return _encoder.encode(structured_dict(envelope))


def structured_dict(envelope: Envelope) -> Mapping[str, Any]:
    """The CloudEvent as a mapping; `data` is the event itself."""
    return {
        "specversion": "1.0",
        "id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": instant(envelope.time),
        "datacontenttype": "application/json",
        "data": envelope.event,
    }
