"""One builder per event type, with ordinary values: a test names only what it is about.

`changes` are fields of the event; an unknown one is refused.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.bus.envelope import Envelope, Received, decode, encode
from shared.domain.events import (
    ActivityRecorded,
    AgreementActivated,
    AgreementRef,
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    Event,
    InquiryReceived,
    LeadAssigned,
    LeadBackdated,
    LeadClosed,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
    LeadRescheduled,
    LeadSplit,
    LeaveInterval,
    MoveRequested,
    NoticeDelivered,
    NoticeFailed,
    PeriodProgressed,
    Progress,
    PromisePeriod,
    RecordQuarantined,
    RepRef,
    WatermarkAdvanced,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
    WindowWarned,
)
from shared.domain.ids import event_id
from shared.domain.lead import Company, Consent, Contact
from shared.ports import Record

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AGREEMENT = AgreementRef("emea-inbound", 3, "sha256:" + "a" * 64)
PERSON = Contact(email="jo@example.com", first_name="Jo", last_name="Peeters", job_title="Head of IT")
COMPANY = Company(name="Example NV", domain="example.com")


MONTH = PromisePeriod("month", datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
OF_MARKETING = {
    "promise": "volume",
    "side": "marketing",
    "owner": "max",
    "generation": 0,
    "due_at": MONTH.ends_at,
    "period": MONTH,
    "progress": Progress(155, 200, 400.0, 310.0),
}


def after(minutes: float) -> datetime:
    """So long after nine."""
    return NINE + timedelta(minutes=minutes)


def envelope(event: Event, at: datetime = NINE, *, source: str = "baton/test") -> Envelope:
    """The event as its service publishes it at `at`; the same event always has the same id."""
    return Envelope(event_id(event.TYPE, msgspec.json.encode(event)), source, at, event)


def received(sent: Envelope, offset: int = 0) -> Received:
    """The envelope as a handler gets it."""
    message = encode(sent)
    return decode(Record(message.topic, 0, offset, message.key, message.value, dict(message.headers)))


def inquiry(lead: str = "ld_1", number: int = 1, **changes: Any) -> InquiryReceived:
    ordinary = InquiryReceived(
        lead_id=lead,
        inquiry_id=f"{lead}_{number}",
        source="website",
        kind="demo_request",
        accepted_at=NINE,
        contact=PERSON,
        company=COMPANY,
        consent=Consent(basis="opt_in"),
        campaign="q4-demo",
    )
    return replace(ordinary, **changes)


def activity(lead: str = "ld_1", kind: str = "call", **changes: Any) -> ActivityRecorded:
    ordinary = ActivityRecorded(
        lead_id=lead, activity_id=f"ac_{lead}", kind=kind, accepted_at=after(5), by="ann", outcome="connected"
    )
    return replace(ordinary, **changes)


def watermark(upto: datetime, **changes: Any) -> WatermarkAdvanced:
    return replace(WatermarkAdvanced(lead_id="", instance="ingest-1", upto=upto), **changes)


def assigned(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadAssigned:
    ordinary = LeadAssigned(
        lead_id=lead,
        lead_version=1,
        assignment_id=f"as_{lead}",
        generation=1,
        inquiry_id=f"{lead}_{number}",
        rep=RepRef("ann", "ann@acme.example"),
        previous_rep=None,
        pool="benelux",
        rule="everyone else",
        assigned_at=after(0.1),
        received_at=NINE,
        respond_by=after(15),
        stage="mql",
        score=65,
        reasons=("asked for a demo", "decision maker"),
        contact=PERSON,
        company=COMPANY,
        campaign="q4-demo",
        channel=None,
        agreement=AGREEMENT,
    )
    return replace(ordinary, **changes)


def reassigned(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadReassigned:
    moved = {"lead_version": 2, "generation": 2, "rep": RepRef("bob", "bob@acme.example"), "previous_rep": "ann"}
    return LeadReassigned(**msgspec.structs.asdict(assigned(lead, number, **moved | changes)))


def parked(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadParked:
    return LeadParked(**_decided(lead, number) | {"queue": "triage"} | changes)


def rejected(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadRejected:
    return LeadRejected(**_decided(lead, number) | {"reason": "student", "stage": "inquiry"} | changes)


def merged(lead: str = "ld_1", number: int = 2, **changes: Any) -> LeadMerged:
    return LeadMerged(**_decided(lead, number) | {"reason": "same_lead", "rep": "ann", "lead_version": 2} | changes)


def split(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadSplit:
    ordinary = LeadSplit(
        lead_id=lead,
        lead_version=4,
        inquiry_id=f"{lead}_{number}",
        decided_at=after(10),
        reason="mia says that it is another person than lead ld_2: two people share the phone",
        state="received",
        stage="mql",
        score=60,
        rep=None,
        contact=Contact(email="eva@example.com"),
        company=Company(),
        was_part_of="ld_2",
    )
    return replace(ordinary, **changes)


def backdated(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadBackdated:
    ordinary = LeadBackdated(lead_id=lead, lead_version=2, inquiry_id=f"{lead}_{number}", received_at=after(-1))
    return replace(ordinary, **changes)


def lead_closed(lead: str = "ld_1", number: int = 1, **changes: Any) -> LeadClosed:
    ordinary = LeadClosed(
        lead_id=lead,
        lead_version=2,
        inquiry_id=f"{lead}_{number}",
        rep="ann",
        outcome="consent_withdrawn",
        reason="consent withdrawn by sales",
        closed_at=after(5),
    )
    return replace(ordinary, **changes)


def lead_rescheduled(lead: str = "ld_1", **changes: Any) -> LeadRescheduled:
    ordinary = LeadRescheduled(
        lead_id=lead,
        lead_version=2,
        generation=1,
        rep=RepRef("ann", "ann@acme.example"),
        score=65,
        owner_leave=(LeaveInterval(after(0), after(1440)),),
        respond_by=after(1455),
        changed_at=after(5),
    )
    return replace(ordinary, **changes)


def window_rescheduled(lead: str = "ld_1", **changes: Any) -> WindowRescheduled:
    return WindowRescheduled(**_window(lead) | {"at": after(5), "due_at": after(1455)} | changes)


def window_paused(lead: str = "ld_1", **changes: Any) -> WindowPaused:
    return WindowPaused(**_window(lead) | {"at": after(5), "due_at": after(1455), "until": after(1445)} | changes)


def window_resumed(lead: str = "ld_1", **changes: Any) -> WindowResumed:
    return WindowResumed(**_window(lead) | {"at": after(10), "due_at": after(20)} | changes)


def opened(lead: str = "ld_1", **changes: Any) -> WindowOpened:
    return WindowOpened(**_window(lead) | changes)


def progressed(lead: str = "period:volume:2026-11", **changes: Any) -> PeriodProgressed:
    return PeriodProgressed(**_window(lead) | OF_MARKETING | {"at": after(5)} | changes)


def met(lead: str = "ld_1", **changes: Any) -> WindowMet:
    return WindowMet(**_window(lead) | {"at": after(5), "met_by": f"ac_{lead}"} | changes)


def breached(lead: str = "ld_1", **changes: Any) -> WindowBreached:
    ended = {"at": after(15), "breach_id": f"br_{lead}", "fault": "rep", "detected_at": after(16)}
    return WindowBreached(**_window(lead) | ended | changes)


def warned(lead: str = "ld_1", **changes: Any) -> WindowWarned:
    return WindowWarned(**_window(lead) | {"at": after(10), "level": 1, "told": ("rep",), "notify": ("rep",)} | changes)


def cancelled(lead: str = "ld_1", **changes: Any) -> WindowCancelled:
    return WindowCancelled(**_window(lead) | {"at": after(5), "reason": "reassigned"} | changes)


def retracted(lead: str = "ld_1", **changes: Any) -> BreachRetracted:
    proof = {"at": after(20), "breach_id": f"br_{lead}", "met_by": f"ac_{lead}"}
    return BreachRetracted(**_window(lead) | proof | changes)


def raised(lead: str = "ld_1", **changes: Any) -> EscalationRaised:
    roles = ("rep", "manager")
    fired = {"told": roles, "notify": roles, "page": False, "due_at": after(15), "agreement": AGREEMENT}
    return EscalationRaised(**_escalation(lead) | fired | changes)


def acknowledged(lead: str = "ld_1", **changes: Any) -> EscalationAcknowledged:
    return EscalationAcknowledged(**_escalation(lead) | {"at": after(20), "by": "mia", "until": after(50)} | changes)


def exhausted(lead: str = "ld_1", **changes: Any) -> EscalationExhausted:
    over = {"at": after(75), "due_at": after(75), "notify": ("rep", "manager"), "agreement": AGREEMENT}
    return EscalationExhausted(**_escalation(lead) | over | changes)


def closed(lead: str = "ld_1", **changes: Any) -> EscalationClosed:
    return EscalationClosed(**_escalation(lead) | {"at": after(30), "reason": "answered"} | changes)


def notice_delivered(lead: str = "ld_1", **changes: Any) -> NoticeDelivered:
    return NoticeDelivered(**_notice(lead) | {"channel": "email"} | changes)


def notice_failed(lead: str = "ld_1", **changes: Any) -> NoticeFailed:
    failure = {"channel": "slack", "reason": "answered 500", "next_channel": "email"}
    return NoticeFailed(**_notice(lead) | failure | changes)


def move_requested(lead: str = "ld_1", **changes: Any) -> MoveRequested:
    ordinary = MoveRequested(
        lead_id=lead, window_id=f"wi_{lead}", owner="ann", generation=1, within="pool", at=after(30)
    )
    return replace(ordinary, **changes)


def activated(**changes: Any) -> AgreementActivated:
    ordinary = AgreementActivated(
        lead_id=AGREEMENT.name,
        agreement=AGREEMENT,
        previous=None,
        effective_from=NINE,
        activated_at=NINE,
        approved_by={"sales": "Sal"},
    )
    return replace(ordinary, **changes)


def quarantined(service: str = "router", origin: str = "baton.inquiries.v1/3/17", **changes: Any) -> RecordQuarantined:
    ordinary = RecordQuarantined(
        lead_id="ld_1",
        quarantine_id=f"qu_{service}_{origin}",
        service=service,
        origin=origin,
        code="Refused",
        detail="the record is not a valid event",
        at=after(0.2),
        body=b"{",
        record_type=InquiryReceived.TYPE,
    )
    return replace(ordinary, **changes)


def _decided(lead: str, number: int) -> dict[str, Any]:
    return {
        "lead_id": lead,
        "lead_version": 1,
        "inquiry_id": f"{lead}_{number}",
        "decided_at": after(0.1),
        "reason": "nobody_available",
        "stage": "mql",
        "score": 65,
        "agreement": AGREEMENT,
    }


def _window(lead: str) -> dict[str, Any]:
    return {
        "lead_id": lead,
        "window_id": f"wi_{lead}",
        "promise": "first_response",
        "side": "sales",
        "owner": "ann",
        "generation": 1,
        "at": after(0.1),
        "due_at": after(15),
        "agreement": AGREEMENT,
    }


def _notice(lead: str) -> dict[str, Any]:
    return {
        "lead_id": lead,
        "notice_id": f"nt_{lead}",
        "window_id": f"wi_{lead}",
        "escalation_id": f"es_{lead}",
        "kind": "breach",
        "role": "manager",
        "person": "mia",
        "attempts": 1,
        "at": after(16),
    }


def _escalation(lead: str) -> dict[str, Any]:
    return {
        "lead_id": lead,
        "escalation_id": f"es_{lead}",
        "window_id": f"wi_{lead}",
        "promise": "first_response",
        "owner": "ann",
        "generation": 1,
        "level": 2,
        "at": after(15),
    }
