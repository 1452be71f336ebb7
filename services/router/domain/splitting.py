"""An id that became part of a lead by mistake is a lead of its own again, because someone says so.

What only its inquiries gave goes back with it, and so does an end that was reported under it. A lead that was closed
before it became part of the other is closed again. Otherwise it is decided afterwards who gets it, like for any lead
(`services.router.domain.routing`).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from services.router.domain.lead import MAX_KEYS, Lead, consent_given_at, filled, latest, remembered_signals
from services.router.domain.proof import Inquiries, ReassignReason, proof_on
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import MAX_SHARING, contact_keys
from services.router.domain.verdict import Verdict, split_event
from shared.domain.errors import Conflict
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Contact

Party = TypeVar("Party", Contact, Company)
T = TypeVar("T")


def shared_out(routing: RoutingState, lead: Lead, found: Sequence[InquiryReceived]) -> Inquiries:
    """The inquiries of a person by whether they came under the lead's id, or one that became part of it. Raises
    `Conflict` if there are none of either.
    """
    ids = {each.lead_id for each in found}
    ids = {each for each in ids if lead.lead_id in {one.lead_id for one in routing.chain(each)}}
    theirs, others = ([each for each in found if (each.lead_id in ids) == mine] for mine in (True, False))
    if not theirs or not others:
        raise Conflict(f"The inquiries of lead {lead.lead_id}, or those of the other one, are no longer stored.")
    return Inquiries(tuple(theirs), tuple(others))


def split(
    routing: RoutingState, lead: Lead, other: Lead, inquiries: Inquiries, cause: ReassignReason, now: datetime
) -> Verdict:
    """The verdict that `lead` is not of the same person as `other`, under which it went on. Changes `routing`: both are
    saved, and noted as apart, so that no inquiry merges them again.
    """
    theirs = (lead.lead_id, *(inquiry.lead_id for inquiry in inquiries.theirs))
    after = _own_again(lead, other, inquiries.theirs, theirs, now)
    goes_on = _without(lead, other, inquiries, now)
    # In this order: a replay takes the facts of the lead from the other one before it looks at that.
    routing.save(after)
    routing.save(goes_on)
    words = f"{cause.by} says that it is another person than lead"
    why = f": {cause.reason}"
    proof = proof_on(
        after,
        "split",
        f"{words} {other.lead_id}{why}",
        agreement=lead.agreement,
        now=now,
        stays=after.state,
        ask=cause,
        before=lead,
        same_person=(other,),
        inquiries=inquiries,
    )
    event = split_event(after, f"{words} {other.lead_id}{why}", was_part_of=other.lead_id)
    news = split_event(goes_on, f"{words} {lead.lead_id}{why}", split_off=lead.lead_id)
    return Verdict(after, event, proof, lead.inquiry_id, further_events=(news,))


def _own_again(
    lead: Lead, other: Lead, inquiries: Sequence[InquiryReceived], ids: Collection[str], now: datetime
) -> Lead:
    """The lead with what its inquiries gave since; closed, if it was or if its end was reported under one of its
    `ids`.
    """
    if lead.state_before is None and lead.generation == 0:
        lead = _as_never_a_lead(lead)
    contact, company, signals = lead.contact, lead.company, lead.signals
    for each in inquiries:
        contact, company = filled(contact, each.contact), filled(company, each.company)
        signals = remembered_signals(signals, each.signals)
    gave: tuple[Lead | InquiryReceived, ...] = (lead, *inquiries)
    keys = (key for each in gave for key in contact_keys(each.contact))
    end: dict[str, Any] = {"state": "received"}
    if other.ended_under in ids:
        end = {name: getattr(other, name) for name in ("state", "outcome", "ended_at", "reason", "stage")}
    elif lead.state_before == "closed":
        end = {"state": "closed"}
    withdrawn_at = other.withdrawn_at if other.withdrawn_under in ids else None
    return replace(
        lead,
        # Above that of the other: an inquiry of the lead that is judged again has its latest verdict here.
        version=max(lead.version, other.version) + 1,
        into=None,
        one_person_since=None,
        was=None,
        updated_at=now,
        contact=contact,
        company=company,
        signals=signals,
        other_keys=_other_keys(contact, (*lead.other_keys, *keys)),
        rep=lead.last_rep if lead.state_before in ("assigned", "closed") else None,
        consent_at=latest((lead.consent_at, *map(consent_given_at, inquiries))),
        withdrawn_at=latest((lead.withdrawn_at, withdrawn_at)),
        apart=_noted(lead.apart, (lead.lead_id, other.lead_id)),
        maybe_same_person=_noted(lead.maybe_same_person, other.lead_id),
        **end,
    )


def _as_never_a_lead(lead: Lead) -> Lead:
    """An id that was only one more of the person's, without what it has from the lead that it led to."""
    return replace(
        lead,
        company=Company(),
        cycle=1,
        last_rep=None,
        earlier_rep=None,
        missed_by=(),
        declined_by=(),
        outcome=None,
        ended_at=None,
        ended_under=None,
        accepted_at=None,
        answered_at=None,
        reopened_at=None,
        consent_at=None,
        withdrawn_at=None,
        withdrawn_under=None,
        later=(),
        others=(),
    )


def _without(lead: Lead, other: Lead, inquiries: Inquiries, now: datetime) -> Lead:
    """The other lead without what only the split one gave; what is not known to come from it stays."""
    gone: tuple[Lead | InquiryReceived, ...] = (lead, *inquiries.theirs)
    left = {each.inquiry_id for each in inquiries.theirs}
    contact = _reduced(other.contact, [each.contact for each in gone], [each.contact for each in inquiries.others])
    company = _reduced(
        other.company, [each.company for each in inquiries.theirs], [each.company for each in inquiries.others]
    )
    theirs = {key for each in gone for key in contact_keys(each.contact)}
    others = [key for each in inquiries.others for key in contact_keys(each.contact)]
    keys = (*(key for key in (*contact_keys(other.contact), *other.other_keys) if key not in theirs), *others)
    return replace(
        other,
        version=other.version + 1,
        updated_at=now,
        contact=contact,
        company=company,
        other_keys=_other_keys(contact, keys),
        consent_at=latest(map(consent_given_at, inquiries.others)),
        signals=_remaining(other.signals, gone, inquiries.others),
        later=tuple([each for each in other.later if each.inquiry_id not in left]),
        others=tuple([each for each in other.others if each not in left]),
        apart=_noted(other.apart, (other.lead_id, lead.lead_id)),
        maybe_same_person=_noted(other.maybe_same_person, lead.lead_id),
    )


def _reduced(party: Party, gone: Iterable[Party], others: Sequence[Party]) -> Party:
    values: dict[str, set[Any]] = {name: set() for name in party.__struct_fields__}
    for each in gone:
        for name, known in values.items():
            known.add(getattr(each, name))
    for each in others:
        for name, known in values.items():
            known.discard(getattr(each, name))
    party = replace(party, **{name: None for name, known in values.items() if getattr(party, name) in known})
    for each in others:
        party = filled(party, each)
    return party


def _remaining(signals: Sequence[Any], gone: Iterable[Any], others: Iterable[InquiryReceived]) -> tuple[Any, ...]:
    theirs = {signal for each in gone for signal in each.signals}
    theirs -= {signal for each in others for signal in each.signals}
    return tuple([signal for signal in signals if signal not in theirs])


def _other_keys(contact: Contact, keys: Iterable[str]) -> tuple[str, ...]:
    shown = contact_keys(contact)
    return tuple(dict.fromkeys([key for key in keys if key not in shown]))[-MAX_KEYS:]


def _noted(known: Collection[T], new: T) -> tuple[T, ...]:
    return (*(each for each in known if each != new), new)[-MAX_SHARING:]
