"""What sales did, as it is on the bus, and what identifies it."""

from datetime import datetime

from shared.domain.event import ACTIVITIES, Event

_JOINED = "\x1f"


class ActivityRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A fact from sales or the CRM about one lead, as accepted by ingest at `accepted_at`.

    `sender` is the API key that chose `activity_id`; None if ingest generated it, or in records of an earlier release.
    `happened_at` is `occurred_at` if the sender is trusted with it and the kind has a time of its own.
    """

    TYPE = "baton.activity.recorded.v1"
    TOPIC = ACTIVITIES

    activity_id: str
    kind: str
    accepted_at: datetime
    by: str | None = None
    occurred_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    text: str | None = None
    objection: str | None = None
    content_id: str | None = None
    stage: str | None = None
    opportunity_id: str | None = None
    amount: dict[str, str] | None = None
    confirmed: tuple[str, ...] = ()
    sender: str | None = None
    happened_at: datetime | None = None

    @property
    def key(self) -> str:
        """Identifies the fact: two senders may choose the same `activity_id`."""
        if self.sender is None:
            return self.activity_id
        return _JOINED.join((self.activity_id, self.sender, self.kind))


def activity_id_of(key: str) -> str:
    """The `activity_id` of the fact with this `ActivityRecorded.key`.

    >>> activity_id_of("crm-991\\x1fcrm\\x1fcall"), activity_id_of("act_1")
    ('crm-991', 'act_1')
    """
    parts = key.rsplit(_JOINED, 2)
    return parts[0] if len(parts) == 3 else key
