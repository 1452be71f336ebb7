"""What a message says of the promise that it is about: from the notice, the agreement and what is known of the lead."""

import msgspec

from services.delivery.domain.action_links import LinkMaker, is_period, links_for
from services.delivery.domain.due_notices import DueNotice
from services.delivery.domain.notice import Buyer, Notice, Recipient
from services.delivery.domain.said import Said
from shared.agreement_text import terms
from shared.agreement_text.phrases import listed
from shared.domain.agreement import Agreement
from shared.domain.events import Event, LeadAssigned, LeadClosed, LeadParked, LeadRejected


class LeadContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of a lead for messages about it; `generation` is the number of the owner that it is from. `rep`
    is empty while nobody has the lead. `assignment` is how they got it; empty in rows of an earlier release.
    """

    generation: int
    rep: str
    assignment: str = ""
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    pool: str = ""
    rule: str = ""
    score: int | None = None
    reasons: tuple[str, ...] = ()


def context_of(event: LeadAssigned) -> LeadContext:
    """What an assignment says of a lead."""
    contact = event.contact
    return LeadContext(
        generation=event.generation,
        rep=event.rep.id,
        assignment=event.assignment_id,
        name=" ".join(filter(None, (contact.first_name, contact.last_name))),
        company=event.company.name or "",
        email=contact.email or "",
        phone=contact.phone or "",
        pool=event.pool,
        rule=event.rule,
        score=event.score,
        reasons=event.reasons,
    )


def after(known: LeadContext | None, event: Event) -> LeadContext | None:
    """What is known of a lead after an event: nobody has a lead that is parked or rejected."""
    match event:
        case LeadAssigned():
            return context_of(event)
        case LeadParked() | LeadRejected(stays=None) if known is not None:
            return msgspec.structs.replace(known, rep="", assignment="")
        case LeadClosed():
            return None
    return known


def notice(
    due: DueNotice,
    agreement: Agreement,
    lead: LeadContext | None,
    said: Said | None = None,
    *,
    incident_id: str,
    links: LinkMaker | None = None,
) -> Notice:
    """The message about one promise; without what is known of the lead and what the buyer said, it says less. A
    lead that nobody had yet, such as one that waits for triage, is known from its inquiry. `links` makes its links.
    """
    person = agreement.people.get(due.person or "")
    owner = agreement.people.get(due.owner)
    calendar = owner.calendar if owner is not None else None
    known, words = lead or LeadContext(generation=0, rep=due.owner), said or Said()
    buyer = known if lead is not None else words
    of_rep = due.promise in agreement.promises and not is_period(due)
    return Notice(
        notice_id=due.notice_id,
        incident_id=incident_id,
        kind=due.kind,
        page=due.page,
        at=due.at,
        due_at=due.due_at,
        zone=calendar.zone if calendar is not None else agreement.timezone,
        promise=_promise(due),
        recipient=Recipient(due.role, due.person or due.role, person.email if person is not None else ""),
        buyer=Buyer(buyer.name, buyer.company, buyer.email, buyer.phone),
        rep=due.owner if of_rep else lead.rep if lead is not None else "",
        owed_by="" if of_rep else due.owner,
        why_rep=_why(known),
        wrote=words.wrote,
        read=tuple(dict.fromkeys(filter(None, (words.page, *words.read)))),
        campaign=words.campaign,
        score=known.score,
        reasons=known.reasons,
        by=due.by,
        until=due.until,
        pace=due.pace or "",
        handed_over_late=due.fault == "pipeline",
        ran_out=due.because == "acknowledgement_ended",
        kept_by=_kept_by(due, agreement) if of_rep else "",
        next_at=due.next_at,
        next_does=due.next_does or "",
        links=links_for(links, due, agreement),
    )


def _promise(due: DueNotice) -> str:
    """The name of the promise, with the period that it is about, if it is about one."""
    period = due.lead_id.rpartition(":")[2] if is_period(due) else ""
    return " ".join(filter(None, (due.promise.replace("_", " "), period)))


def _kept_by(due: DueNotice, agreement: Agreement) -> str:
    """The activities that keep the promise, while it can still be kept or made good."""
    if due.kind not in ("warning", "breach", "exhausted"):
        return ""
    return listed(map(terms.activity, agreement.promises[due.promise].met_by), "or")


def _why(lead: LeadContext) -> str:
    if not lead.rule:
        return ""
    return f"The rule “{lead.rule}” of the agreement" + (f", from the pool {lead.pool}." if lead.pool else ".")
