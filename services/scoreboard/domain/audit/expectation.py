"""Which promises should have been watched on a lead, by the rules of docs/promises.md, written once more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.expected import (
    JUST_AFTER,
    Departure,
    Expected,
    counts,
    ended_at,
    kept_at,
    reports,
)
from services.scoreboard.domain.audit.pauses import with_pauses
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.working_time import NotChecked, due_at
from shared.domain.agreement import Agreement, Duration, Promise
from shared.domain.calendar import ALWAYS
from shared.domain.events import (
    Event,
    LeadAssigned,
    LeadClosed,
    LeadParked,
    LeadRejected,
    LeadRescheduled,
)
from shared.domain.ids import event_id

TRIAGE, DISPUTES = "triage", "disputes"
SPLIT = "the lead was merged and split again"


def promises_on(
    lead_id: str, persons: Persons, agreements: Mapping[str, Agreement], tolerance: timedelta
) -> Iterator[Expected]:
    """The promises of sales and operations on one lead that should be watched. Raises NotChecked."""
    found: list[Expected] = []
    for event in _each_once(persons.decisions.get(lead_id, [])):
        if isinstance(event, LeadAssigned):
            found = _assign(event, _agreement(agreements, event.agreement.hash), found, persons, tolerance)
        elif isinstance(event, LeadParked):
            found = _park(event, _agreement(agreements, event.agreement.hash), found)
        elif isinstance(event, LeadRescheduled):
            found = [_reschedule(each, event, tolerance) for each in found]
        elif isinstance(event, LeadRejected) and event.stays is None:
            found = [_leave(each, Departure(event.decided_at, "rejected")) for each in found]
        elif isinstance(event, LeadClosed):
            found = [_leave(each, Departure(event.closed_at, "consent withdrawn")) for each in found]
    found += _of_disputes(lead_id, found, persons, tolerance)
    for version, at in persons.ended_as_part(lead_id):
        found = [_leave(e, Departure(at, "part of another lead")) if e.version < version else e for e in found]
    split_at = persons.split_at(lead_id)
    if split_at is not None:
        found = [_since_split(each, split_at, persons) for each in found]
    yield from (with_pauses(each, persons) for each in found)


def _since_split(expected: Expected, split_at: datetime, persons: Persons) -> Expected:
    """What was promised on one of the parts since the split, with facts of its own, is checked like any other promise.
    What counted for the person before does not count any more, so it shows nothing about earlier promises, nor about
    one that may go on instead of a later one.
    """
    first_at = persons.first_at.get(expected.lead_id)
    since_split = expected.opened_at > split_at and (first_at is None or first_at > split_at)
    earlier = [
        each
        for each in persons.decisions.get(expected.lead_id, [])
        if isinstance(each, LeadAssigned) and each.because == "rescored" and each.lead_version == expected.version
    ]
    return expected if since_split and not earlier else replace(expected, unchecked=SPLIT)


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
        found = [_leave(each, moved, (TRIAGE, DISPUTES)) for each in found]
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
        yield _due(expected)


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
    found = [_leave(each, parked, (DISPUTES,)) for each in found]
    promise, queue = agreement.operations.get(TRIAGE), agreement.queues.get(event.queue)
    if promise is None or queue is None:
        return found
    previous, ends_from_at = event.previous_ended_at, event.received_at
    if ends_from_at is not None and previous is not None:
        ends_from_at = max(ends_from_at, previous + JUST_AFTER)
    window_id = event_id("window", event.lead_id, TRIAGE, "version", event.lead_version)
    expected = _of_operations(promise, agreement, queue.owner, event.decided_at, (event.lead_id, window_id))
    expected = replace(expected, version=event.lead_version, ends_from_at=ends_from_at, kinds=("assigned",))
    waits_since = event.parked_at or event.decided_at
    if not any(each.promise.name == TRIAGE and each.opened_at >= waits_since for each in found):
        return [*found, expected]
    why = "the lead was routed to another queue while it waited"
    return [replace(e, unchecked=why) if e.promise.name == TRIAGE else e for e in (*found, expected)]


def _of_disputes(lead_id: str, found: Sequence[Expected], persons: Persons, tolerance: timedelta) -> Iterator[Expected]:
    for activity in persons.about(lead_id):
        if activity.kind != "disputed":
            continue
        had = [each for each in found if each.generation and each.opened_at <= activity.at]
        holder = max(had, key=lambda each: (each.generation, each.window_id), default=None)
        promise = holder.agreement.operations.get(DISPUTES) if holder is not None else None
        if holder is None or promise is None or _disputed_late(holder.agreement, activity, persons, lead_id, tolerance):
            continue
        window_id = event_id("window", lead_id, DISPUTES, "activity", activity.key)
        expected = _of_operations(promise, holder.agreement, holder.owner, activity.at, (lead_id, window_id))
        over = tuple(each for each in holder.departures if not each.ladder_goes_on and each.at >= activity.at)
        why = "a dispute under one of several ids, or of someone with leave"
        several = len(persons.decisions) > 1 or bool(holder.leave)
        kinds = ("accepted", "rejected")
        yield replace(expected, version=holder.version, kinds=kinds, departures=over, unchecked=why if several else "")


def _disputed_late(
    agreement: Agreement, dispute: Activity, persons: Persons, lead_id: str, tolerance: timedelta
) -> bool:
    """Whether the last rejection is longer ago than the agreement lets marketing dispute it, by the first calendar of
    the agreement that closes.
    """
    rejected = [each.at for each in persons.about(lead_id) if each.kind == "rejected" and each.at <= dispute.at]
    within = agreement.dispute_within
    if within is None or not rejected:
        return False
    office = next((each for each in agreement.calendars.values() if not each.always), ALWAYS)
    return dispute.at > due_at(within, office, max(rejected), (), wall=True) + tolerance


def _of_operations(
    promise: Promise, agreement: Agreement, owner: str, since_at: datetime, ids: tuple[str, str]
) -> Expected:
    if owner not in agreement.people:
        raise NotChecked(f"the agreement does not know {owner}")
    lead_id, window_id = ids
    return _due(Expected(window_id, lead_id, promise, agreement, owner, 0, 0, since_at, since_at, None, ()))


def _due(expected: Expected) -> Expected:
    promise = expected.promise
    wall = promise.clock == "wall"
    due = due_at(expected.within or promise.within, expected.calendar, expected.opened_at, expected.leave, wall=wall)
    return replace(expected, dues=(*expected.dues, due))


def _reschedule(expected: Expected, event: LeadRescheduled, tolerance: timedelta) -> Expected:
    """The owner's leave changed before the deadline, and the promise was still theirs."""
    late = event.changed_at > expected.due_at + tolerance
    gone = any(each.at <= event.changed_at for each in expected.departures)
    if late or gone or not expected.generation or expected.owner != event.rep.id:
        return expected
    if event.generation < expected.generation:
        return expected
    return _due(replace(expected, leaves=(*expected.leaves, event.owner_leave)))


def _goes_on(found: Sequence[Expected], new: Expected, persons: Persons, tolerance: timedelta) -> bool:
    """Whether a promise of the owner runs already, with an earlier deadline that is still ahead and not kept since
    before their lead's score rose.
    """
    for each in found:
        same = (each.promise.name, each.owner, each.cycle) == (new.promise.name, new.owner, new.cycle)
        ahead = new.opened_at < each.due_at + tolerance and each.due_at <= new.due_at
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


def _leave(expected: Expected, departure: Departure, spared: Sequence[str] = ()) -> Expected:
    if expected.promise.name in spared and not expected.generation:
        return expected
    return replace(expected, departures=(*expected.departures, departure))


def _agreement(agreements: Mapping[str, Agreement], digest: str) -> Agreement:
    if digest not in agreements:
        raise NotChecked("its agreement is not stored")
    return agreements[digest]
