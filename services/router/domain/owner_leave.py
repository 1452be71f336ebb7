"""The leave of those who own leads: what changes about their leads when it changes."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import RepState, leave_ahead
from services.router.domain.lead import Lead
from services.router.domain.lookup import Lookup
from services.router.domain.reassignment import agreement_for
from services.router.domain.routing_state import RoutingState
from shared.domain.agreement import Agreement
from shared.domain.events import LeadRescheduled, RepRef
from shared.domain.leave import changed
from shared.domain.promises import owed, respond_by


def held_by(rep: str, state: RoutingState, lookup: Lookup) -> list[Lead]:
    """All leads that the rep has, loaded into `state`."""
    found = lookup.assigned_to([rep], max(state.state(rep).open, 1))
    state.load(lead for lead in found if lead.lead_id not in state.leads)
    held = [state.leads[lead.lead_id] for lead in found]
    return [lead for lead in held if lead.state == "assigned" and lead.rep == rep]


def rescheduled(
    leads: Iterable[Lead], state: RepState, agreement: Agreement, lookup: Lookup, now: datetime
) -> Iterator[tuple[Lead, LeadRescheduled]]:
    """Those of a rep's leads on which a change of their leave at `now` has an effect, with the events that say so.
    `agreement` is the one in force.
    """
    for lead in leads:
        after = with_leave(lead, state, agreement, lookup.agreement(lead.agreement.hash), now)
        if after is lead:
            continue
        after = replace(after, version=lead.version + 1, updated_at=now)
        yield after, _event(after, lookup.agreement(lead.agreement.hash), now)


def with_leave(lead: Lead, state: RepState, agreement: Agreement, assigned_under: Agreement, now: datetime) -> Lead:
    """The lead with what is known at `now` of its owner's leave, and the deadline that follows; the same if that is
    nothing new. What it is owed follows from the agreement under which it was assigned.
    """
    person = agreement_for(agreement, lead).people.get(str(lead.rep))
    if person is None or lead.assigned_at is None:
        return lead
    leave = changed(lead.owner_leave, leave_ahead(person, state, now), now)
    if leave == lead.owner_leave:
        return lead
    found = owed(assigned_under, rep=person.id, score=lead.score, assigned_at=lead.assigned_at, leave=leave)
    return replace(lead, owner_leave=leave, respond_by=respond_by(found))


def _event(lead: Lead, assigned_under: Agreement, now: datetime) -> LeadRescheduled:
    person = assigned_under.people[str(lead.rep)]
    return LeadRescheduled(
        lead_id=lead.lead_id,
        lead_version=lead.version,
        generation=lead.generation,
        rep=RepRef(person.id, person.email),
        score=lead.score,
        owner_leave=lead.owner_leave,
        respond_by=lead.respond_by,
        changed_at=now,
    )
