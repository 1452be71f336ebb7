"""Facts that scoreboard tests tell: one builder per event, with the ordinary values filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.events import (
    ActivityRecorded,
    AgreementRef,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationRaised,
    InquiryReceived,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
    RecordQuarantined,
    RepRef,
    WindowBreached,
    WindowMet,
    WindowOpened,
)
from shared.domain.lead import Company, Contact

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DEAL = AgreementRef("emea-inbound", 3, "sha256:" + "a" * 64)
PERSON = Contact(email="jo@example.com", first_name="Jo", last_name="Peeters", job_title="Head of IT")
COMPANY = Company(name="Example NV", domain="example.com")


def after(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def inquiry(lead: str = "ld_1", number: int = 1, **changes: Any) -> InquiryReceived:
    fields = {
        "lead_id": lead,
        "inquiry_id": f"{lead}_{number}",
        "source": "website",
        "kind": "demo_request",
        "accepted_at": NINE,
        "contact": PERSON,
        "company": COMPANY,
        "campaign": "q4-demo",
    }
    return InquiryReceived(**{**fields, **changes})


def _assigned(lead: str, number: int, changes: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "lead_id": lead,
        "lead_version": 1,
        "assignment_id": f"as_{lead}",
        "generation": 1,
        "inquiry_id": f"{lead}_{number}",
        "rep": RepRef("ann", "ann@acme.example"),
        "previous_rep": None,
        "pool": "benelux",
        "rule": "everyone else",
        "assigned_at": after(0.1),
        "received_at": NINE,
        "respond_by": after(15),
        "stage": "mql",
        "score": 65,
        "reasons": ("asked for a demo", "decision maker"),
        "contact": PERSON,
        "company": COMPANY,
        "campaign": "q4-demo",
        "channel": None,
        "agreement": DEAL,
    }
    return {**fields, **changes}


def assigned(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadAssigned:
    return LeadAssigned(**_assigned(lead, number, changes))


def reassigned(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadReassigned:
    moved = {"lead_version": 2, "generation": 2, "rep": RepRef("bob", "bob@acme.example"), "previous_rep": "ann"}
    return LeadReassigned(**_assigned(lead, number, {**moved, **changes}))


def _decided(lead: str, number: int, changes: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "lead_id": lead,
        "lead_version": 1,
        "inquiry_id": f"{lead}_{number}",
        "decided_at": after(0.1),
        "reason": "nobody_available",
        "stage": "mql",
        "score": 65,
        "agreement": DEAL,
    }
    return {**fields, **changes}


def parked(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadParked:
    return LeadParked(**_decided(lead, number, {"queue": "triage", **changes}))


def rejected(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadRejected:
    return LeadRejected(**_decided(lead, number, {"reason": "student", "stage": "inquiry", **changes}))


def merged(lead: str = "ld_1", number: int = 2, **changes: Any) -> LeadMerged:
    return LeadMerged(**_decided(lead, number, {"reason": "same_lead", "rep": "ann", "lead_version": 2, **changes}))


def activity(lead: str = "ld_1", **changes: Any) -> ActivityRecorded:
    fields = {"lead_id": lead, "activity_id": f"ac_{lead}", "kind": "call", "accepted_at": after(5), "by": "ann"}
    return ActivityRecorded(**{**fields, "outcome": "connected", **changes})


def _window(lead: str, changes: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "lead_id": lead,
        "window_id": f"wi_{lead}",
        "promise": "first_response",
        "side": "sales",
        "owner": "ann",
        "generation": 1,
        "at": after(0.1),
        "due_at": after(15),
        "agreement": DEAL,
    }
    return {**fields, **changes}


def opened(lead: str = "ld_1", **changes: Any) -> WindowOpened:
    return WindowOpened(**_window(lead, changes))


def met(lead: str = "ld_1", **changes: Any) -> WindowMet:
    return WindowMet(**_window(lead, {"at": after(5), "met_by": f"ac_{lead}", **changes}))


def breached(lead: str = "ld_1", **changes: Any) -> WindowBreached:
    ended = {"at": after(15), "breach_id": f"br_{lead}", "fault": "rep", "detected_at": after(16)}
    return WindowBreached(**_window(lead, {**ended, **changes}))


def _climb(lead: str, changes: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "lead_id": lead,
        "escalation_id": f"es_{lead}",
        "window_id": f"wi_{lead}",
        "promise": "first_response",
        "owner": "ann",
        "generation": 1,
        "level": 2,
        "at": after(15),
    }
    return {**fields, **changes}


def raised(lead: str = "ld_1", **changes: Any) -> EscalationRaised:
    told = {"told": ("rep", "manager"), "page": False, "due_at": after(15), "agreement": DEAL}
    return EscalationRaised(**_climb(lead, {**told, **changes}))


def acknowledged(lead: str = "ld_1", **changes: Any) -> EscalationAcknowledged:
    return EscalationAcknowledged(**_climb(lead, {"at": after(20), "by": "mia", "until": after(50), **changes}))


def closed(lead: str = "ld_1", **changes: Any) -> EscalationClosed:
    return EscalationClosed(**_climb(lead, {"at": after(30), "reason": "answered", **changes}))


def quarantined(service: str = "router", origin: str = "baton.inquiries.v1/3/17", **changes: Any) -> RecordQuarantined:
    fields = {
        "lead_id": "ld_1",
        "quarantine_id": f"qu_{service}_{origin}",
        "service": service,
        "origin": origin,
        "code": "Refused",
        "detail": "the record does not read as an event",
        "at": after(0.2),
        "body": b"{",
        "record_type": InquiryReceived.TYPE,
    }
    return RecordQuarantined(**{**fields, **changes})
