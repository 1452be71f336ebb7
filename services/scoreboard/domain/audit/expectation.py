"""Which promises should have been watched on a lead, by the rules of docs/promises.md, written once more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from services.scoreboard.domain.audit.disputes import PART, disputes_on
from services.scoreboard.domain.audit.expected import (
    JUST_AFTER,
    Departure,
    Expected,
    counts,
    ended_at,
    kept_at,
    of_operations,
    reports,
    with_due,
)
from services.scoreboard.domain.audit.pauses import as_paused, due_as_of
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.working_time import NotChecked
from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.events import (
    Event,
    LeadAssigned,
    LeadClosed,
    LeadParked,
    LeadRejected,
    LeadRescheduled,
)
from shared.domain.ids import event_id

TRIAGE = "triage"


def promises_on(
    lead_id: str, persons: Persons, agreements: Mapping[str, Agreement], tolerance: timedelta
) -> Iterator[Expected]:
    """The promises of sales and operations on one lead that should be watched. Several of one window are all that it
    may be. Raises NotChecked.
    """
    parts = list(persons.ended_as_part(lead_id))
    for each in _owed_on(lead_id, persons, agreements, tolerance):
        ends = [Departure(at, PART) for version, at in parts if each.version < version]
        yield from as_paused(replace(each, departures=(*each.departures, *ends)), persons)
    yield from disputes_on(lead_id, persons, lambda each: _owed_on(each, persons, agreements, tolerance), tolerance)


def _owed_on(
    lead_id: str, persons: Persons, agreements: Mapping[str, Agreement], tolerance: timedelta
) -> list[Expected]:
    """The promises on one lead, but for those to answer disputes, as if it had never gone on under another id."""
    found: list[Expected] = []
    for event in _each_once(persons.decisions.get(lead_id, [])):
        if isinstance(event, LeadAssigned):
            found = _assign(event, _agreement(agreements, event.agreement.hash), found, persons, tolerance)
        elif isinstance(event, LeadParked):
            found = _park(event, _agreement(agreements, event.agreement.hash), found)
        elif isinstance(event, LeadRescheduled):
            found = [_reschedule(each, event, persons, tolerance) for each in found]
        elif isinstance(event, LeadRejected) and event.stays is None:
            found = [_leave(each, Departure(event.decided_at, "rejected")) for each in found]
        elif isinstance(event, LeadClosed):
            found = [_leave(each, Departure(event.closed_at, "consent withdrawn")) for each in found]
    return found


def _each_once(events: Iterable[Event]) -> Iterator[Event]:
    """The decisions without those that repeat an earlier one: an owner's number, or a version of a parked lead."""
    generation, parked = 0, set()
    for event in events:
        if isinstance(event, LeadAssigned):
            if event.generation <= generation:
                continue
            generation = event.generation
        elif isinstance(event, LeadParked):
            if event.lead_version in parked:
                continue
            parked.add(event.lead_version)
        yield event


def _assign(
    event: LeadAssigned, agreement: Agreement, found: Sequence[Expected], persons: Persons, tolerance: timedelta
) -> list[Expected]:
    """The promises with those of the new owner. The lead left those of the owner before, unless the same one has it
    still, or it had ended.
    """
    new = list(_of_sales(event, agreement, persons))
    if event.because == "rescored" and event.previous_rep == event.rep.id:
        new = [each for each in new if not _goes_on(found, each, persons, tolerance)]
    elif event.because != "reopened":
        moved = Departure(event.assigned_at, "reassigned", ladder_goes_on=True, missed=event.because == "missed")
        found = [each if each.promise.name == TRIAGE and not each.generation else _leave(each, moved) for each in found]
    return [*(_drained(each, event) for each in found), *new]


def _drained(expected: Expected, event: LeadAssigned) -> Expected:
    if "assigned" not in expected.kinds:
        return expected
    got = Activity(event.assignment_id, event.lead_id, "assigned", max(event.assigned_at, expected.starts_at))
    return replace(expected, assigned=(*expected.assigned, got))


def _of_sales(event: LeadAssigned, agreement: Agreement, persons: Persons) -> Iterator[Expected]:
    if event.rep.id not in agreement.people:
        raise NotChecked(f"the agreement does not know {event.rep.id}")
    began = event.cycle == 1 and event.previous_ended_at is None
    first_at = min(persons.first_at.get(event.lead_id, event.received_at), event.received_at)
    came_at = first_at if began else event.received_at
    starts_at = min(came_at, event.assigned_at) if event.generation == 1 else event.assigned_at
    previous = event.previous_ended_at
    ends_from_at = came_at if previous is None else max(event.received_at, previous + JUST_AFTER)
    for promise in agreement.promises.values():
        within = _within(promise, event)
        if within is None:
            continue
        expected = Expected(
            event_id("window", event.lead_id, promise.name, event.generation),
            event.lead_id,
            promise,
            agreement,
            event.rep.id,
            event.generation,
            event.lead_version,
            event.assigned_at,
            starts_at,
            ends_from_at,
            (),
            event.cycle,
            promise.met_by,
            (event.owner_leave,),
            within,
        )
        yield with_due(expected)


def _within(promise: Promise, event: LeadAssigned) -> Duration | None:
    """How soon the promise was to be kept; None if it was not promised. The router has stated in which segment the lead
    is where that depends on its fields; else the first for which its score is enough counts.
    """
    if not promise.segments:
        return promise.within
    by_fields = [each for each in promise.segments if each.when is not None]
    stated = [each.segment for each in event.segments if each.promise == promise.name]
    if by_fields and stated:
        numbered = dict(enumerate(promise.segments, start=1))
        return numbered[stated[0]].within if stated[0] in numbered else None
    for each in promise.segments:
        if each.when is None and (each.at_least_score is None or each.at_least_score <= event.score):
            return each.within
    return None


def _park(event: LeadParked, agreement: Agreement, found: Sequence[Expected]) -> list[Expected]:
    """The promises with that of the queue's owner; the lead left those of its rep. An owner of the queue who has it
    since before, while it was only routed to another queue, owes it since then.
    """
    parked = Departure(event.decided_at, f"parked in {event.queue}", ladder_goes_on=True)
    found = [_leave(each, parked) for each in found]
    promise, queue = agreement.operations.get(TRIAGE), agreement.queues.get(event.queue)
    if promise is None or queue is None:
        return found
    previous, ends_from_at = event.previous_ended_at, event.received_at
    if ends_from_at is not None and previous is not None:
        ends_from_at = max(ends_from_at, previous + JUST_AFTER)
    window_id = event_id("window", event.lead_id, TRIAGE, "version", event.lead_version)
    expected = with_due(of_operations(promise, agreement, queue.owner, event.decided_at, (event.lead_id, window_id)))
    expected = replace(expected, version=event.lead_version, ends_from_at=ends_from_at, kinds=("assigned",))
    waits_since = event.parked_at or event.decided_at
    if not any(each.promise.name == TRIAGE and each.opened_at >= waits_since for each in found):
        return [*found, expected]
    why = "the lead was routed to another queue while it waited"
    return [replace(e, unchecked=why) if e.promise.name == TRIAGE else e for e in (*found, expected)]


def _reschedule(expected: Expected, event: LeadRescheduled, persons: Persons, tolerance: timedelta) -> Expected:
    """The owner's leave changed before the deadline, and the promise was still theirs."""
    late = event.changed_at > due_as_of(expected, persons, event.changed_at) + tolerance
    gone = any(each.at <= event.changed_at for each in expected.departures)
    if late or gone or not expected.generation or expected.owner != event.rep.id:
        return expected
    if event.generation < expected.generation:
        return expected
    return with_due(replace(expected, leaves=(*expected.leaves, event.owner_leave)))


def _goes_on(found: Sequence[Expected], new: Expected, persons: Persons, tolerance: timedelta) -> bool:
    """Whether a promise of the owner runs already, with an earlier deadline that is still ahead and not kept since
    before their lead's score rose.
    """
    for each in found:
        same = (each.promise.name, each.owner, each.cycle) == (new.promise.name, new.owner, new.cycle)
        due, new_due = (due_as_of(e, persons, new.opened_at) for e in (each, new))
        ahead = new.opened_at < due + tolerance and due <= new_due
        gone = any(departure.at <= new.opened_at for departure in each.departures)
        if not same or not ahead or gone or not each.generation:
            continue
        known = reports(each, persons)
        over = ended_at(each, known, tolerance)
        kept = kept_at(each, known, tolerance)
        if over is not None and over.at < new.opened_at:
            continue
        if kept is None or counts(new, kept, tolerance):
            return True
    return False


def _leave(expected: Expected, departure: Departure) -> Expected:
    return replace(expected, departures=(*expected.departures, departure))


def _agreement(agreements: Mapping[str, Agreement], digest: str) -> Agreement:
    if digest not in agreements:
        raise NotChecked("its agreement is not stored")
    return agreements[digest]
