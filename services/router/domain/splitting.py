"""An id that became part of a lead by mistake is a lead of its own again, because someone says so.

What only its inquiries gave goes back with it, and so does an end that was reported under it. A lead that was closed
before it became part of the other is closed again. Otherwise it is decided afterwards who gets each of the two, as for
any lead (`services.router.domain.routing`), and their promises start then: what was reported before may have been about
either.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from services.router.domain.lead import (
    HELD,
    MAX_KEYS,
    Lead,
    ReportedEnd,
    consent_given_at,
    filled,
    latest,
    may_be_contacted,
    remembered_signals,
)
from services.router.domain.lead_ends import ended_by, released
from services.router.domain.proof import Inquiries, ReassignReason, proof_on
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import MAX_SHARING, contact_keys
from services.router.domain.verdict import Verdict, split_event
from shared.domain.activities import WITHDRAWN
from shared.domain.errors import Conflict
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Contact
from shared.domain.settlement import cycle_starts_at

Party = TypeVar("Party", Contact, Company)
T = TypeVar("T")


def shared_out(routing: RoutingState, lead: Lead, found: Sequence[InquiryReceived]) -> Inquiries:
    """The inquiries of a person by whether they came under the lead's id, or one that became part of it. Raises
    `Conflict` if there are none of either.
    """
    # Of a person who was split off before, the other lead has inquiries in its record.
    chains = {each.lead_id: [one.lead_id for one in routing.chain(each.lead_id)] for each in found}
    last = [each.lead_id for each in routing.chain(lead.lead_id)][-1:]
    theirs = [each for each in found if lead.lead_id in chains[each.lead_id]]
    others = [each for each in found if each not in theirs and chains[each.lead_id][-1:] == last]
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
    ends = [end for end in (*lead.ends, *other.ends) if end.under in theirs]
    after = _reachable(_own_again(lead, other, inquiries.theirs, ends, now))
    goes_on = _reachable(_without(lead, other, inquiries, now))
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
    lead: Lead, other: Lead, inquiries: Sequence[InquiryReceived], ends: Collection[ReportedEnd], now: datetime
) -> Lead:
    """The lead with what its inquiries gave since; closed, if it was, or by one of the `ends` that were reported under
    its ids.
    """
    if lead.state_before is None and lead.generation == 0:
        lead = _as_never_a_lead(lead, inquiries)
    contact, company, signals = lead.contact, lead.company, lead.signals
    for each in inquiries:
        contact, company = filled(contact, each.contact), filled(company, each.company)
        signals = remembered_signals(signals, each.signals)
    gave: tuple[Lead | InquiryReceived, ...] = (lead, *inquiries)
    keys = (key for each in gave for key in contact_keys(each.contact))
    # The person may have asked again since an end.
    last = [end for end in ends if end.at >= inquiries[-1].accepted_at]
    if last:
        lead = ended_by(lead, last)
    else:
        lead = replace(lead, state="closed" if lead.state_before == "closed" else "received")
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
        withdrawn_at=latest((lead.withdrawn_at, *_withdrawn(ends))),
        apart=_noted(lead.apart, (lead.lead_id, other.lead_id)),
        maybe_same_person=_noted(lead.maybe_same_person, other.lead_id),
        # An id of tests only that became a person's is theirs.
        test=False,
    )


def _as_never_a_lead(lead: Lead, inquiries: Sequence[InquiryReceived]) -> Lead:
    """An id that was only one more of the person's, without what it has from the lead that it led to."""
    first, last = inquiries[0], inquiries[-1]
    return replace(
        lead,
        inquiry_id=last.inquiry_id,
        campaign=last.campaign,
        channel=last.channel,
        received_at=first.accepted_at,
        score=0,
        segments=(),
        reasons=(),
        pool=None,
        rule=None,
        company=Company(),
        cycle=1,
        last_rep=None,
        earlier_rep=None,
        missed_by=(),
        declined_by=(),
        outcome=None,
        ended_at=None,
        ends=(),
        accepted_at=None,
        answered_at=None,
        reopened_at=None,
        consent_at=None,
        withdrawn_at=None,
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
    other = _as_ended(other, lead, {lead.lead_id, *(each.lead_id for each in inquiries.theirs)})
    if other.state in HELD and other.inquiry_id in left:
        other = replace(other, state="received", rep=None, parked_at=None)
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


def _reachable(lead: Lead) -> Lead:
    """The lead; if its person has withdrawn consent, nobody has it, and it is judged again."""
    if may_be_contacted(lead) or lead.state not in (*HELD, "received"):
        return lead
    return replace(lead, state="received", rep=None, parked_at=None)


def _as_ended(lead: Lead, split_off: Lead, ids: Collection[str]) -> Lead:
    """The other lead without the ends that were reported under the `ids` of the one that is split off. One that only
    these had ended is open again.
    """
    gone = [end for end in lead.ends if end.under in ids]
    ends = tuple([end for end in lead.ends if end not in gone])
    if lead.withdrawn_at is not None and lead.withdrawn_at in (split_off.withdrawn_at, *_withdrawn(gone)):
        lead = replace(lead, withdrawn_at=latest(_withdrawn(ends)))
    lead = replace(lead, ends=ends)
    if lead.state != "closed" or (lead.outcome, lead.ended_at) not in [(end.kind, end.at) for end in gone]:
        return lead
    ends_cycle = [end for end in ends if end.at >= cycle_starts_at(lead.received_at, lead.previous_ended_at)]
    return ended_by(lead, ends_cycle) if ends_cycle else replace(released(lead), state="received")


def _withdrawn(ends: Collection[ReportedEnd]) -> list[datetime]:
    return [end.at for end in ends if end.kind == WITHDRAWN]


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
