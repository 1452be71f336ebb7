"""The events about notices: who was told of a promise by which channel, and what could not be sent. `events` lists them
with all others."""

from datetime import datetime

from shared.domain.event import ESCALATIONS, Event


class NoticeEvent(Event, frozen=True, kw_only=True):
    """The base of events about one notice: `kind` is `warning`, `breach`, `acknowledged` or `closed`, and `person` who
    the role was when it was due. `attempts` counts those on this `channel`. `at` is when it ended.
    """

    TOPIC = ESCALATIONS

    notice_id: str
    window_id: str
    escalation_id: str | None
    kind: str
    role: str
    person: str | None
    at: datetime
    attempts: int


class NoticeDelivered(NoticeEvent, frozen=True, kw_only=True):
    """The channel took the notice: the role, or the person, was told."""

    TYPE = "baton.notice.delivered.v1"

    channel: str


class NoticeFailed(NoticeEvent, frozen=True, kw_only=True):
    """The notice could not be sent by `channel`, for the `reason`; it goes on through `next_channel`. If that is None,
    no one was told. `channel` is None if the agreement has none for the role.
    """

    TYPE = "baton.notice.failed.v1"

    channel: str | None
    reason: str
    next_channel: str | None
