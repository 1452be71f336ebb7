"""Every event in one plain sentence, for timelines that people read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from shared.domain.events import (
    ActivityRecorded,
    AgreementActivated,
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationRaised,
    Event,
    InquiryReceived,
    LeadAssigned,
    LeadMerged,
    LeadParked,
    LeadReassigned,
    LeadRejected,
    MoveRequested,
    RecordQuarantined,
    WatermarkAdvanced,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
    WindowWarned,
)


def summarise(event: Event) -> str:
    """What happened, in a sentence. An event type without a sentence of its own is named in words."""
    say = SENTENCES.get(type(event))
    return say(event) if say else f"{words(event.TYPE.removeprefix('baton.').rpartition('.')[0]).capitalize()}."


def words(name: str) -> str:
    """A name from the wire as people say it.

    >>> words("demo_request")
    'demo request'
    """
    return name.replace("_", " ").replace(".", " ")


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence.

    >>> listed(("rep", "manager", "ops"))
    'rep, manager and ops'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), "".join(names[-1:])) if part)


def _inquiry(event: InquiryReceived) -> str:
    campaign = f", campaign {event.campaign}" if event.campaign else ""
    test = " This was a test." if event.test else ""
    return f"{words(event.kind).capitalize()} received through {event.source}{campaign}.{test}"


_DONE = {
    "call": "called",
    "email": "sent an e-mail",
    "meeting": "met the buyer",
    "accepted": "accepted the lead",
    "rejected": "rejected the lead",
    "declined": "gave the lead back",
    "disputed": "disputed the verdict",
    "objection": "heard an objection",
    "content_used": "used a piece of content",
    "stage": "moved the stage",
    "opportunity": "opened an opportunity",
    "won": "won the deal",
    "lost": "lost the deal",
    "renewed": "renewed the customer",
    "churned": "lost the customer",
    "note": "left a note",
    "consent_withdrawn": "recorded that consent was withdrawn",
}


def _activity(event: ActivityRecorded) -> str:
    done = _DONE.get(event.kind, f"recorded: {words(event.kind)}")
    details = (event.outcome, event.reason, event.objection, event.content_id, event.stage, event.text)
    what = "; ".join(words(d) if d is not event.text else d for d in details if d)
    return f"{event.by or 'Somebody'} {done}{f': {what}' if what else ''}."


def _assigned(event: LeadAssigned) -> str:
    return (
        f"Assigned to {event.rep.id} from the pool {event.pool}, by the rule “{event.rule}”, with score {event.score}."
    )


def _reassigned(event: LeadReassigned) -> str:
    before = f" from {event.previous_rep}" if event.previous_rep else ""
    return f"Moved{before} to {event.rep.id} in the pool {event.pool}, by the rule “{event.rule}”."


def _parked(event: LeadParked) -> str:
    return f"A good lead that nobody can take now: it waits in {event.queue}. {_sentence(event.reason)}"


def _rejected(event: LeadRejected) -> str:
    return f"Not a lead for sales under the agreement: {words(event.reason)}."


def _merged(event: LeadMerged) -> str:
    owner = f" {event.rep} keeps it." if event.rep else ""
    return f"Joined a lead that is already here: {words(event.reason)}.{owner}"


def _activated(event: AgreementActivated) -> str:
    before = f" in place of version {event.previous.version}" if event.previous else ""
    return f"Version {event.agreement.version} of the agreement {event.agreement.name} came into force{before}."


def _opened(event: WindowOpened) -> str:
    return f"The clock of the promise “{words(event.promise)}” began to run for {event.owner}."


def _warned(event: WindowWarned) -> str:
    return f"The promise “{words(event.promise)}” falls due soon; told {listed(event.told) or 'nobody'}."


def _met(event: WindowMet) -> str:
    return f"{event.owner} kept the promise “{words(event.promise)}”."


def _breached(event: WindowBreached) -> str:
    whose = f"{event.owner} was late" if event.fault == "rep" else "the hand-off reached the rep too late"
    return f"The promise “{words(event.promise)}” was missed: {whose}."


def _cancelled(event: WindowCancelled) -> str:
    return f"The promise “{words(event.promise)}” no longer applies: {words(event.reason)}."


def _retracted(event: BreachRetracted) -> str:
    return f"The breach of “{words(event.promise)}” was taken back: a fact that came late shows it was kept."


def _raised(event: EscalationRaised) -> str:
    page = " and somebody was paged" if event.page else ""
    told = f": told {listed(event.told)}" if event.told else ""
    return f"Escalated to level {event.level}{told}{page}."


def _acknowledged(event: EscalationAcknowledged) -> str:
    return f"{event.by} took the escalation on."


def _closed(event: EscalationClosed) -> str:
    return f"The escalation ended: {words(event.reason)}."


def _move(event: MoveRequested) -> str:
    return f"Asked for another rep within the {words(event.within)}, because {event.owner} has not answered."


def _quarantined(event: RecordQuarantined) -> str:
    return f"A record was set aside by {words(event.service)}: {_sentence(event.detail)}"


def _watermark(event: WatermarkAdvanced) -> str:
    return f"All facts that {event.instance} accepted until now are in the log."


def _sentence(text: str) -> str:
    said = words(text) if " " not in text else text
    return said[:1].upper() + said[1:] + ("" if said.endswith(".") else ".")


SENTENCES: Mapping[type[Event], Callable[[Any], str]] = MappingProxyType(
    {
        InquiryReceived: _inquiry,
        ActivityRecorded: _activity,
        WatermarkAdvanced: _watermark,
        LeadAssigned: _assigned,
        LeadReassigned: _reassigned,
        LeadParked: _parked,
        LeadRejected: _rejected,
        LeadMerged: _merged,
        AgreementActivated: _activated,
        WindowCancelled: _cancelled,
        WindowOpened: _opened,
        WindowWarned: _warned,
        WindowMet: _met,
        WindowBreached: _breached,
        BreachRetracted: _retracted,
        EscalationRaised: _raised,
        EscalationAcknowledged: _acknowledged,
        EscalationClosed: _closed,
        MoveRequested: _move,
        RecordQuarantined: _quarantined,
    }
)
"""Event type to the function that says it, in the order in which things follow from each other."""

RANKS: Mapping[str, int] = MappingProxyType({kind.TYPE: rank for rank, kind in enumerate(SENTENCES)})
"""In which order to tell what happened at the same instant."""
