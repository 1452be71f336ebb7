"""What became of one inquiry: facts from independent topics, in any order and twice, come to the same standing."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.scoreboard.domain.conservation import IN_FLIGHT, RECEIVED
from services.scoreboard.domain.counters import ALL, CounterKey
from services.scoreboard.domain.day import quarter_of
from shared.domain.events import INQUIRIES, InquiryReceived, LeadAssigned, LeadDecided, RecordQuarantined

OUTCOME_OF = {
    "baton.lead.assigned.v1": "assigned",
    "baton.lead.reassigned.v1": "assigned",
    "baton.lead.parked.v1": "parked",
    "baton.lead.rejected.v1": "rejected",
    "baton.lead.merged.v1": "merged",
}


class InquiryRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an inquiry. `received_at` is None until ingest's event is read; `version` is the lead's version
    at the verdict that counts (-1 before any, 0 for a quarantine).

    `lead_id` is the id it arrived under, and after the verdict that of the lead it belongs to.
    """

    inquiry_id: str
    lead_id: str | None = None
    source: str | None = None
    channel: str | None = None
    campaign: str | None = None
    received_at: datetime | None = None
    test: bool = False
    outcome: str = IN_FLIGHT
    decided_at: datetime | None = None
    version: int = -1


class SetAside(msgspec.Struct, frozen=True):
    """What a quarantined record means for an inquiry: it arrived, it was not processed, or both."""

    inquiry_id: str
    received: bool
    stuck: bool


class _Named(msgspec.Struct):
    inquiry_id: str | None = None


def receive(inquiry: InquiryRow, event: InquiryReceived) -> InquiryRow:
    """The inquiry arrived. Reading it again changes nothing; a quarantined one keeps its first arrival time."""
    return msgspec.structs.replace(
        inquiry,
        lead_id=inquiry.lead_id if inquiry.version > 0 else event.lead_id,
        source=event.source,
        channel=event.channel,
        campaign=event.campaign,
        received_at=inquiry.received_at or event.accepted_at,
        test=event.test,
    )


def decide(inquiry: InquiryRow, event: LeadAssigned | LeadDecided) -> InquiryRow:
    """The router gave a verdict. One under an older version of the lead than is known changes nothing."""
    if event.lead_version <= inquiry.version:
        return inquiry
    at = event.assigned_at if isinstance(event, LeadAssigned) else event.decided_at
    return msgspec.structs.replace(
        inquiry, lead_id=event.lead_id, outcome=OUTCOME_OF[event.TYPE], decided_at=at, version=event.lead_version
    )


def quarantine(inquiry: InquiryRow, event: RecordQuarantined, found: SetAside) -> InquiryRow:
    """The inquiry was set aside; a verdict, if there is one (after a replay), counts more."""
    if found.received and inquiry.received_at is None:
        source = event.origin.removeprefix("source:") if event.origin.startswith("source:") else None
        inquiry = msgspec.structs.replace(inquiry, received_at=event.at, source=source)
    if found.stuck and inquiry.version < 0:
        inquiry = msgspec.structs.replace(inquiry, outcome="quarantined", decided_at=event.at, version=0)
    return inquiry


def inquiry_in(event: RecordQuarantined) -> SetAside | None:
    """What the record means for the count of inquiries; None if it was not an inquiry.

    Quarantined by ingest or its relay, it counts as received and quarantined. Quarantined by the router, it was not
    processed. Quarantined by the scoreboard itself, it still arrived. Bytes without an id are identified by their
    position in the log, which the router and the scoreboard name in the same way.
    """
    was_inquiry = event.record_type == InquiryReceived.TYPE or event.origin.startswith(f"{INQUIRIES}/")
    if event.origin.startswith("source:") and (was_inquiry or event.record_type is None):
        return SetAside(event.inquiry_id or _id_in(event.body) or event.quarantine_id, received=True, stuck=True)
    name = event.inquiry_id or _id_in(event.body) or event.origin
    if was_inquiry and event.origin.startswith("spool:"):
        return SetAside(name, received=True, stuck=True)
    if was_inquiry and event.service in ("router", "scoreboard"):
        return SetAside(name, received=event.service == "scoreboard", stuck=event.service == "router")
    return None


def counts_for(inquiry: InquiryRow) -> Iterator[CounterKey]:
    """The counters of this inquiry: the totals and, unless it is a test, those of its quarter hour."""
    if inquiry.received_at is not None:
        yield ALL, RECEIVED
    if inquiry.outcome != IN_FLIGHT:
        yield ALL, inquiry.outcome
    if inquiry.received_at is not None and not inquiry.test:
        quarter = quarter_of(inquiry.received_at)
        yield quarter, RECEIVED
        if inquiry.outcome != IN_FLIGHT:
            yield quarter, inquiry.outcome


def _id_in(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Named).inquiry_id
    except (msgspec.DecodeError, RecursionError):
        return None
