"""Has what became of notices published, if the transaction commits."""

from collections.abc import Sequence

from services.delivery.domain.notice_announcements import NoticeAnnouncement
from services.delivery.store.tables import TABLES
from shared.bus.envelope import Envelope
from shared.db import outbox
from shared.db.engine import Tx


async def announce(tx: Tx, announcements: Sequence[NoticeAnnouncement]) -> None:
    """Publish these events."""
    source = f"baton/{TABLES.service}"
    await outbox.announce(tx, TABLES, [Envelope(each.id, source, each.event.at, each.event) for each in announcements])
