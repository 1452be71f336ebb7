"""Promises as the monitor has stored them."""

from datetime import datetime, timedelta

from services.sla_monitor.domain.window import Window
from shared.domain.events import AgreementRef
from shared.domain.ids import event_id


def running(
    lead_id: str, *, partition: int, owner: str, due_at: datetime, tolerance: timedelta, agreement: AgreementRef
) -> Window:
    """A first response that is due at `due_at`, and has no warning before that."""
    opened_at = due_at - timedelta(minutes=15)
    return Window(
        window_id=event_id("window", lead_id, "first_response", 1),
        lead_id=lead_id,
        partition=partition,
        promise="first_response",
        owner=owner,
        generation=1,
        agreement=agreement,
        kinds=("call",),
        opened_at=opened_at,
        counts_from_at=opened_at,
        due_at=due_at,
        decide_at=due_at + tolerance,
        known_at=opened_at,
        fault="rep",
        look_at=due_at + tolerance + timedelta(microseconds=1),
        score=40,
    )
