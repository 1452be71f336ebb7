"""What the scoreboard shows of one lead: who, where it stands, whose it is and until when to answer."""

from datetime import datetime

import msgspec

from services.scoreboard.domain.inquiries import OUTCOME_OF
from shared.domain.events import ActivityRecorded, InquiryReceived, LeadAssigned, LeadDecided, LeadMerged
from shared.domain.lead import Company, Contact

SALES_STAGES = {"accepted": "sal", "opportunity": "opportunity", "won": "customer", "lost": "lost"}


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """One lead. `stage` is the router's word, `sales_stage` what sales made of it since; `version` guards against
    going back; `received_at` is when the latest inquiry came.
    """

    lead_id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    job_title: str | None = None
    company: str | None = None
    source: str | None = None
    channel: str | None = None
    campaign: str | None = None
    received_at: datetime | None = None
    state: str = "received"
    reason: str | None = None
    stage: str | None = None
    sales_stage: str | None = None
    score: int | None = None
    owner: str | None = None
    pool: str | None = None
    assigned_at: datetime | None = None
    respond_by: datetime | None = None
    version: int = -1


def inquire(lead: Lead, event: InquiryReceived) -> Lead:
    """Another inquiry of this person; the latest one says what is shown, and takes away nothing that is known."""
    if lead.received_at is not None and event.accepted_at < lead.received_at:
        return lead
    return msgspec.structs.replace(
        lead,
        **_who(event.contact, event.company),
        source=event.source,
        channel=event.channel,
        campaign=event.campaign,
        received_at=event.accepted_at,
    )


def settle(lead: Lead, event: LeadAssigned | LeadDecided) -> Lead:
    """The router's verdict; an older one than is known changes nothing. A merged inquiry leaves its lead as it was."""
    if event.lead_version <= lead.version:
        return lead
    changes = {"version": event.lead_version, "stage": event.stage, "score": event.score}
    if isinstance(event, LeadAssigned):
        return msgspec.structs.replace(
            lead,
            **changes,
            **(_who(event.contact, event.company) if lead.received_at is None else {}),
            state="assigned",
            reason=None,
            owner=event.rep.id,
            pool=event.pool,
            assigned_at=event.assigned_at,
            respond_by=event.respond_by,
        )
    if isinstance(event, LeadMerged):
        first = lead.state == "received"
        state = ("assigned" if event.rep else "merged") if first else lead.state
        return msgspec.structs.replace(lead, version=event.lead_version, state=state, owner=event.rep or lead.owner)
    return msgspec.structs.replace(
        lead, **changes, state=OUTCOME_OF[event.TYPE], reason=event.reason, owner=None, pool=None, respond_by=None
    )


def act(lead: Lead, event: ActivityRecorded) -> Lead:
    """Sales did something that may move the stage."""
    stage = event.stage if event.kind == "stage" else SALES_STAGES.get(event.kind)
    return msgspec.structs.replace(lead, sales_stage=stage) if stage else lead


def _who(contact: Contact, company: Company) -> dict[str, str]:
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    known = {
        "name": name,
        "email": contact.email,
        "phone": contact.phone,
        "job_title": contact.job_title,
        "company": company.name or company.domain,
    }
    return {field: value for field, value in known.items() if value}
