"""The leave of those who own leads: what changes about their leads when it changes, and which leads others get."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import RepState, leave_ahead
from services.router.domain.lead import Lead
from services.router.domain.lookup import Lookup
from services.router.domain.reassignment import agreement_for
from services.router.domain.routing_state import RoutingState
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured
from shared.domain.event import LeaveInterval
from shared.domain.events import LeadRescheduled, RepRef
from shared.domain.leave import changed
from shared.domain.promises import owed, respond_by
from shared.domain.settlement import starts_at


def held_by(rep: str, state: RoutingState, lookup: Lookup) -> list[Lead]:
    """All leads that the rep has, loaded into `state`."""
    found = lookup.held_by(rep)
    state.load(lead for lead in found if lead.lead_id not in state.leads)
    held = [state.leads[lead.lead_id] for lead in found]
    return [lead for lead in held if lead.state == "assigned" and lead.rep == rep]


def rescheduled(
    leads: Iterable[Lead], state: RepState, agreement: Agreement, lookup: Lookup, now: datetime
) -> Iterator[tuple[Lead, LeadRescheduled]]:
    """Those of a rep's leads on which a change of their leave at `now` has an effect, with the events that say so.
    `agreement` is the one in force. Leads of an agreement that this release cannot read stay as they are.
    """
    for lead in leads:
        assigned_under = _assigned_under(lead, lookup)
        after = with_leave(lead, state, agreement, assigned_under, now) if assigned_under is not None else lead
        if assigned_under is None or after is lead:
            continue
        after = replace(after, version=lead.version + 1, updated_at=now)
        yield after, _event(after, assigned_under, now)


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
    found = owed(
        assigned_under,
        rep=person.id,
        score=lead.score,
        assigned_at=lead.assigned_at,
        leave=leave,
        segments=lead.segments,
    )
    return replace(lead, owner_leave=leave, respond_by=respond_by(found))


def to_relieve(
    agreement: Agreement, state: RoutingState, lookup: Lookup, now: datetime, spared: Callable[[str], bool]
) -> Iterator[Lead]:
    """The leads that others are to get at `now` because their owner is on leave, rep by rep, loaded into `state`, but
    for those that are `spared`. A rep who has none is not looked at again during the same leave.
    """
    since = on_leave_since(agreement, state, now)
    state.relieved = {rep: at for rep, at in state.relieved.items() if since.get(rep) == at}
    for rep in not_relieved(since, state):
        held = held_by(rep, state, lookup) if state.state(rep).open else ()
        under = [(lead, _assigned_under(lead, lookup)) for lead in held]
        leads = [lead for lead, each in under if each is not None and goes_to_others(lead, agreement, each, now)]
        if not leads:
            state.relieved[rep] = since[rep]
        yield from (lead for lead in leads if not spared(lead.lead_id))


def _assigned_under(lead: Lead, lookup: Lookup) -> Agreement | None:
    try:
        return lookup.agreement(lead.agreement.hash)
    except Misconfigured:
        return None


def goes_to_others(lead: Lead, agreement: Agreement, assigned_under: Agreement, now: datetime) -> bool:
    """Whether the owner went on leave before anyone got in touch about the lead or accepted it, and others are to get
    it. One that they got while they were away stays. So does one that was assigned when the agreement did not say so:
    whether sales got in touch was not noted then.
    """
    people = [each.people.get(str(lead.rep)) for each in (agreement_for(agreement, lead), assigned_under)]
    since = lead.assigned_at
    if since is None or any(person is None or person.on_leave != "move" for person in people):
        return False
    left = any(since < each.starts_at <= now < each.ends_at for each in lead.owner_leave)
    answers_from = starts_at(received_at=lead.received_at, assigned_at=since, generation=lead.generation)
    return left and not any(at is not None and at >= answers_from for at in (lead.answered_at, lead.accepted_at))


def moves_on_leave(agreement: Agreement) -> bool:
    """Whether others are to get anyone's leads during their leave, also under a pilot."""
    return any(person.on_leave == "move" for each in agreement.with_drafts for person in each.people.values())


def on_leave_since(agreement: Agreement, state: RoutingState, now: datetime) -> dict[str, datetime]:
    """The reps who are on leave while others are to get their leads, and since when."""
    return {rep: leave.starts_at for rep, leave in _leave_of_reps(agreement, state, now) if leave.starts_at <= now}


def not_relieved(since: Mapping[str, datetime], state: RoutingState) -> list[str]:
    """Those of the reps on leave, given with since when, who may still have leads that others are to get."""
    return sorted(rep for rep, starts_at in since.items() if state.relieved.get(rep) != starts_at)


def next_leave_at(agreement: Agreement, state: RoutingState, now: datetime) -> datetime | None:
    """When the next rep whose leads others are to get goes on leave; None if none does."""
    starts = (leave.starts_at for _, leave in _leave_of_reps(agreement, state, now))
    return min((starts_at for starts_at in starts if starts_at > now), default=None)


def _leave_of_reps(agreement: Agreement, state: RoutingState, now: datetime) -> Iterator[tuple[str, LeaveInterval]]:
    """The leave, as far as it is not over, of reps whose leads others are to get meanwhile."""
    for each in agreement.deciding:
        for rep, rep_state in state.reps.items():
            person = each.people.get(rep)
            if rep_state.leave and person is not None and person.on_leave == "move":
                yield from ((rep, leave) for leave in leave_ahead(person, rep_state, now))


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
