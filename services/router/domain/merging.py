"""Several leads of one person become one: all ids but that of the lead that goes on cease. The person showed it by what
they gave, or someone says so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.router.domain.asked import joined
from services.router.domain.facts import Fact, RememberedFact
from services.router.domain.formats import BOTH_LEADS_END
from services.router.domain.lead import HELD, Lead, latest, may_be_contacted
from services.router.domain.proof import Proof, ReassignReason, proof_on
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict, decided_event
from shared.domain.activities import CLOSING
from shared.domain.errors import Conflict
from shared.domain.events import InquiryReceived, LeadMerged
from shared.domain.lead import LeadState
from shared.domain.settlement import passes_on


def absorb(
    routing: RoutingState, verdict: Verdict, inquiry: InquiryReceived, others: Sequence[Lead], own: Lead | None
) -> Verdict:
    """Let `others`, and the inquiry's id (`own` is its lead), cease in favour of the lead that goes on. Changes
    `routing`: they are saved.

    Each id that ends announces its end. An inquiry that joined a lead under an id that ends announces both at once.
    """
    into, ending = verdict.lead, list(others)
    if into.lead_id != inquiry.lead_id and (own is None or own.into is not None or own.test):
        ending.append(own or _link(inquiry, into))
    if not ending:
        return verdict
    events, event = [], verdict.event
    for before in ending:
        was = before.state if before.version and not before.test and before.into is None else None
        since = inquiry.accepted_at if was is not None and verdict.proof.format >= BOTH_LEADS_END else None
        earlier = [each.one_person_since for each in routing.chain(before.lead_id)]
        lead = _ceased(before, into, verdict.proof.decided_at, latest((since, *earlier)), was=was or before.was)
        routing.save(lead)
        ends: dict[str, Any] = {"into": into.lead_id, "was": was, "one_person_since": since}
        if lead.lead_id == inquiry.lead_id and isinstance(event, LeadMerged):
            event = replace(event, lead_id=lead.lead_id, lead_version=lead.version, **ends)
        else:
            events.append(decided_event(LeadMerged, lead, rep=into.rep, **ends))
    return replace(verdict, event=event, further_events=tuple(events))


def refuse_wrong_merge(lead: Lead, into: Lead) -> None:
    """Raise `Conflict` if a person can't merge these: they are one, one is of tests, only the first is open, or an open
    lead would go on although its person has withdrawn consent.
    """
    if lead.lead_id == into.lead_id:
        raise Conflict(f"Both are lead {into.lead_id} already.")
    if lead.test or into.test:
        raise Conflict("A lead of test inquiries is nobody's, so it can't be merged.")
    if lead.state in HELD and into.state not in HELD:
        raise Conflict(f"Lead {into.lead_id} is {into.state}. Merge it into {lead.lead_id} instead, which goes on.")
    if into.state in HELD and not may_be_contacted(with_consent_of(into, lead)):
        raise Conflict(
            f"The person of lead {lead.lead_id} has withdrawn consent. Report that for lead {into.lead_id} first, which"
            " ends it, if they are one person."
        )


def with_consent_of(lead: Lead, other: Lead) -> Lead:
    """The lead with the consent that the person last gave or withdrew on either."""
    return replace(
        lead,
        consent_at=latest((lead.consent_at, other.consent_at)),
        withdrawn_at=latest((lead.withdrawn_at, other.withdrawn_at)),
    )


def concerns_heir(fact: Fact, chain: Iterable[Lead]) -> bool:
    """Whether a fact counts for the lead under which the person goes on. `chain` are the lead with the id under which
    it was reported, and those that it became part of.
    """
    return all(passes_on(fact.kind, fact.accepted_at, each.one_person_since) for each in chain if each.into is not None)


def passed_on(lead: Lead, since: datetime | None) -> list[RememberedFact]:
    """What sales did about a lead that ceases, as far as it concerns the lead that goes on: that they accepted it, and
    how they ended it, `since` the two are one person. Nothing if that is None.
    """
    ended = lead.state == "closed" and lead.outcome in CLOSING
    accepted_at = latest((lead.accepted_at, lead.reopened_at))
    known = (("accepted", accepted_at), (lead.outcome, lead.ended_at if ended else None))
    found = [(at, str(kind)) for kind, at in known if at is not None and since is not None and at >= since]
    return [RememberedFact(lead.lead_id, kind, at, lead.reason) for at, kind in sorted(found)]


def passed_on_by(proof: Proof, inquiry: InquiryReceived) -> list[RememberedFact]:
    """What sales did about leads that ceased with a verdict on the inquiry, as far as it concerns the lead that goes
    on: the inquiry showed that they are one person.
    """
    if proof.format < BOTH_LEADS_END:
        return []
    ceased = [lead for lead in proof.same_person if lead.into is None and not lead.test]
    return [fact for lead in ceased for fact in passed_on(lead, inquiry.accepted_at)]


def merge(routing: RoutingState, lead: Lead, into: Lead, cause: ReassignReason, now: datetime) -> Verdict:
    """The verdict that `lead` goes on as `into`, because a person said that both are of one person. Changes `routing`:
    both are saved.
    """
    after = replace(
        with_consent_of(joined(into, lead, (lead,), now), lead),
        maybe_same_person=tuple([each for each in into.maybe_same_person if each != lead.lead_id]),
    )
    said = f"{cause.by} says that it is the same person as lead"
    reason = f"{said} {lead.lead_id}: {cause.reason}"
    ended = _ceased(lead, after, now, now, was=lead.state)
    routing.save(ended)
    routing.save(after)
    proof = proof_on(
        after,
        "merged",
        reason,
        agreement=into.agreement,
        now=now,
        rep=into.rep,
        joined=into.inquiry_id,
        ask=cause,
        before=into,
        same_person=(lead,),
    )
    announced = f"{said} {into.lead_id}: {cause.reason}"
    event = decided_event(LeadMerged, ended, reason=announced, rep=into.rep, into=into.lead_id, was=lead.state)
    return Verdict(after, event, proof, into.inquiry_id)


def _link(inquiry: InquiryReceived, into: Lead) -> Lead:
    return replace(
        into,
        lead_id=inquiry.lead_id,
        version=0,
        generation=0,
        contact=inquiry.contact,
        pilot=None,
        pilot_arms=None,
        signals=(),
        intents=(),
        other_keys=(),
        maybe_same_person=(),
        later=(),
        others=(),
        apart=(),
    )


def _ceased(lead: Lead, into: Lead, now: datetime, since: datetime | None, *, was: LeadState | None) -> Lead:
    return replace(
        lead,
        state="merged",
        was=was,
        version=lead.version + 1,
        into=into.lead_id,
        one_person_since=since,
        reason=f"the same person is lead {into.lead_id}",
        updated_at=now,
        rep=None,
        parked_at=None,
        assignment_id=None,
        respond_by=None,
    )
