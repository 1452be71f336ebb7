"""Stores what buyers wrote and read, for messages, and erases it when they withdraw consent."""

from collections.abc import Sequence
from datetime import datetime

from services.delivery.domain.said import Said, erased, with_inquiry
from services.delivery.store import inquiries
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import InquiryReceived, LeadClosed, LeadMerged, LeadSplit


async def store(tx: Tx, batch: Sequence[Received], now: datetime) -> None:
    """The inquiries of a batch: two statements, whatever their number."""
    events = [received.event for received in batch if isinstance(received.event, InquiryReceived)]
    known = await inquiries.said_of(tx, {event.lead_id for event in events})
    changed: dict[str, Said] = {}
    for event in events:
        before = changed.get(event.lead_id) or known.get(event.lead_id) or Said()
        if (after := with_inquiry(before, event)) != before:
            changed[event.lead_id] = after
    await inquiries.save_said(tx, changed, now)


async def follow(tx: Tx, batch: Sequence[Received], now: datetime) -> None:
    """Which leads continue as another one, and which are erased, with all of their parts."""
    goes_on: dict[str, str | None] = {}
    closed: dict[str, datetime] = {}
    for event in (received.event for received in batch):
        if isinstance(event, LeadMerged) and event.into is not None:
            goes_on[event.lead_id] = event.into
        elif isinstance(event, LeadSplit) and event.was_part_of is not None:
            goes_on[event.lead_id] = None
        elif isinstance(event, LeadClosed):
            closed[event.lead_id] = event.closed_at
    await inquiries.continue_as(tx, goes_on, now)
    if not closed:
        return
    parts = await inquiries.parts_of(tx, closed)
    until = {part: closed[lead_id] for lead_id, ids in parts.items() for part in ids}
    known = await inquiries.said_of(tx, until)
    await inquiries.save_said(tx, {part: erased(known.get(part, Said()), at) for part, at in until.items()}, now)
