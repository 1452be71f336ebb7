"""The events that delivery publishes about notices. Each id is computed from what the event is about."""

from datetime import datetime
from typing import Any

import msgspec

from services.delivery.domain.due_notices import DueNotice
from shared.domain.events import NoticeDelivered, NoticeEvent, NoticeFailed
from shared.domain.ids import event_id


class NoticeAnnouncement(msgspec.Struct, frozen=True):
    """An event to publish, with its id."""

    id: str
    event: NoticeEvent


def delivered(notice: DueNotice, channel: str, attempts: int, now: datetime) -> NoticeAnnouncement:
    """The channel took the notice."""
    event = NoticeDelivered(**_about(notice), channel=channel, attempts=attempts, at=now)
    return NoticeAnnouncement(event_id("notice.delivered", notice.notice_id), event)


def failed(
    notice: DueNotice,
    number: int,
    channel: str | None,
    attempts: int,
    reason: str,
    following: str | None,
    now: datetime,
) -> NoticeAnnouncement:
    """The channel, which is this `number` in order, did not take the notice; the channel `following` is next."""
    event = NoticeFailed(
        **_about(notice), channel=channel, attempts=attempts, reason=reason, next_channel=following, at=now
    )
    return NoticeAnnouncement(event_id("notice.failed", notice.notice_id, number), event)


def _about(notice: DueNotice) -> dict[str, Any]:
    return {
        "lead_id": notice.lead_id,
        "notice_id": notice.notice_id,
        "window_id": notice.window_id,
        "escalation_id": notice.escalation_id,
        "kind": notice.kind,
        "role": notice.role,
        "person": notice.person,
    }
