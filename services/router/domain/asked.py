"""An inquiry with what is known of the person who sent it, and what it adds to that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.router.domain.formats import WHOLE_PERSON
from services.router.domain.lead import (
    HELD,
    MAX_KEYS,
    Lead,
    consent_given_at,
    filled,
    joined_later,
    latest,
    other_inquiries,
    remembered_signals,
)
from services.router.domain.proof import (
    Proof,
    VerdictKind,
    consent_missing,
    counting,
    judging_instant,
    known_facts,
    proof_on,
)
from services.router.domain.qualification import Judgement, excluded, judge
from services.router.domain.routing_state import Owner
from services.router.domain.same_person import MAX_SHARING, contact_keys, person_keys
from shared.domain.agreement import Agreement
from shared.domain.conditions import DecisionFacts
from shared.domain.events import AgreementRef, InquiryReceived
from shared.domain.lead import Contact


class Asked(msgspec.Struct, frozen=True):
    """An inquiry with what is known of the person at `now`: their lead, other leads of theirs that it goes on for
    (`others`), ids that lead to it (`links`), leads that may be theirs (`maybe`), and who owns their company
    (`account`). `withdrew_at` is when they withdrew consent before they had a lead.
    """

    inquiry: InquiryReceived
    now: datetime
    before: Lead | None
    others: tuple[Lead, ...]
    links: tuple[Lead, ...]
    maybe: tuple[Lead, ...]
    account: Owner | None
    proof_format: int
    withdrew_at: datetime | None = None

    @property
    def known(self) -> Lead | None:
        """The person's lead that counts in the judgement."""
        return counting(self.before, self.inquiry, self.proof_format)

    @property
    def facts(self) -> DecisionFacts:
        """What the inquiry is judged on."""
        at = judging_instant(self.inquiry, self.now, self.proof_format)
        return known_facts(self.inquiry, self.known, self.account, at, proof_format=self.proof_format)

    @property
    def consent_at(self) -> datetime | None:
        """When the person last gave consent."""
        return latest((consent_given_at(self.inquiry), *(lead.consent_at for lead in self._persons)))

    @property
    def apart(self) -> tuple[tuple[str, str], ...]:
        """Ids of the person, each with one of another person, as someone said."""
        return apart_from(self._persons)

    @property
    def withdrawn_at(self) -> datetime | None:
        """When the person last withdrew consent."""
        return latest((self.withdrew_at, *(lead.withdrawn_at for lead in self._persons)))

    @property
    def withdrawn(self) -> bool:
        """Whether consent was withdrawn, and none has been given since."""
        return consent_missing(self._persons, self.inquiry, self.withdrew_at)

    @property
    def _persons(self) -> tuple[Lead, ...]:
        return (self.known, *self.others) if self.known is not None else self.others

    def proof(self, verdict: VerdictKind, reason: str, lead: Lead, agreement: AgreementRef) -> Proof:
        """The proof of a verdict on the inquiry, without what placing the lead adds to it."""
        return proof_on(
            lead,
            verdict,
            reason,
            agreement=agreement,
            now=self.now,
            inquiry=self.inquiry,
            before=self.before,
            same_person=(*self.links, *self.others),
            maybe_same_person=self.maybe,
            account=self.account,
            withdrawn_at=self.withdrew_at,
            format=self.proof_format,
        )


def maybe_same_person(asked: Asked) -> tuple[str, ...]:
    """The leads that may be of the same person, as far as known before and now."""
    before = asked.before.maybe_same_person if asked.before is not None else ()
    return tuple(dict.fromkeys((*before, *(lead.lead_id for lead in asked.maybe))))[:MAX_SHARING]


def about_person(asked: Asked) -> dict[str, Any]:
    """What the lead has of the person after the inquiry."""
    shared_before = asked.before is not None and asked.before.number_shared
    return {
        "maybe_same_person": maybe_same_person(asked),
        "apart": asked.apart,
        "number_shared": shared_before or len(asked.maybe) >= MAX_SHARING,
        "consent_at": asked.consent_at,
        "withdrawn_at": asked.withdrawn_at,
    }


def joined(lead: Lead, given: InquiryReceived | Lead, others: Sequence[Lead], now: datetime) -> Lead:
    """The lead with what an inquiry, or another lead of the person, adds to it. `others` are all their other leads."""
    contact = filled(lead.contact, given.contact)
    return replace(
        lead,
        version=lead.version + 1,
        updated_at=now,
        contact=contact,
        other_keys=known_by(
            contact, (lead, *others), contact_keys(given.contact) if isinstance(given, InquiryReceived) else ()
        ),
        company=filled(lead.company, given.company),
        signals=remembered_signals(lead.signals, given.signals),
        answered_at=latest(each.answered_at for each in (lead, *others)),
        apart=apart_from((lead, *others)),
    )


def apart_from(persons: Sequence[Lead]) -> tuple[tuple[str, str], ...]:
    """The ids of the person with these leads, each with one of another person, as someone said. Both ids of a pair are
    the person's if they were split and are merged again.
    """
    pairs = dict.fromkeys(pair for lead in persons for pair in lead.apart)
    return tuple([(ours, theirs) for ours, theirs in pairs if (theirs, ours) not in pairs])[-MAX_SHARING:]


def other_keys(contact: Contact, inquiry: InquiryReceived, persons: Sequence[Lead]) -> tuple[str, ...]:
    """By what the person is known besides `contact`; of very many the newest."""
    return known_by(contact, persons, contact_keys(inquiry.contact))


def known_by(contact: Contact, persons: Sequence[Lead], given: Sequence[str] = ()) -> tuple[str, ...]:
    """The keys of these leads, and those `given`, besides those of `contact`; of very many the newest."""
    shown = contact_keys(contact)
    found = [*(key for lead in persons for key in person_keys(lead)), *given]
    return tuple(dict.fromkeys([key for key in found if key not in shown]))[-MAX_KEYS:]


def remembered(asked: Asked, lead: Lead) -> dict[str, Any]:
    """What the lead that the inquiry joins remembers of it, should sales have ended the lead before."""
    if asked.proof_format < WHOLE_PERSON or lead.state not in HELD:
        return {}
    read_late = (asked.inquiry.inquiry_id,) if asked.inquiry.accepted_at < lead.received_at else ()
    return {"later": joined_later(lead, asked.inquiry), "others": other_inquiries(lead, *read_late)}


def rejected_before(asked: Asked, before: Lead) -> tuple[str, ...]:
    """The inquiries that made nobody a lead in this cycle; those from before a consent was withdrawn do not count."""
    if asked.proof_format < WHOLE_PERSON or before.state != "rejected":
        return ()
    if before.withdrawn_at is not None and before.withdrawn_at >= before.received_at:
        return ()
    return other_inquiries(before, *before.inquiry_ids)


def scored_again(asked: Asked, lead: Lead, agreement: Agreement) -> dict[str, Any]:
    """What the inquiry, judged on all that is known of the person, changes about the score of the lead it joins. It
    can only raise the score, and is remembered. One that the agreement excludes does neither.
    """
    if asked.proof_format < WHOLE_PERSON or lead.state not in HELD:
        return {}
    facts = asked.facts
    judgement = judged(asked, lead, agreement, facts)
    if excluded(agreement, facts) or judgement.score <= lead.score:
        return {"intents": judgement.intents}
    return {"intents": judgement.intents, "score": judgement.score, "reasons": judgement.reasons}


def judged(asked: Asked, lead: Lead | None, agreement: Agreement, facts: DecisionFacts) -> Judgement:
    """The inquiry judged with what is remembered of `lead`. One that the agreement excludes adds nothing to that."""
    before = lead.intents if lead is not None else ()
    judgement = judge(agreement, asked.inquiry, facts, before)
    if asked.proof_format < WHOLE_PERSON or judgement.intents == before or not excluded(agreement, facts):
        return judgement
    return replace(judgement, intents=before)
