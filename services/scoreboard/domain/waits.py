"""How long buyers wait for a first response, next to how long the rep who gave it had the lead.

Computed from all events of a person at once, by the instants at which facts count, so that the order in which they are
read changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil

import msgspec

from shared.domain.activities import ANSWERS, FAILED
from shared.domain.agreement import Agreement
from shared.domain.business_time import elapsed
from shared.domain.calendar import ALWAYS
from shared.domain.events import (
    ActivityRecorded,
    AgreementRef,
    Event,
    LeadAssigned,
    LeadBackdated,
    LeadMerged,
    LeadParked,
    LeaveInterval,
)
from shared.domain.leave import without_leave
from shared.domain.promises import office
from shared.domain.settlement import counts_at


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer's wait in one cycle of a lead: since `asked_at`, when ingest accepted the inquiry that began it, until
    `answered_at`, from when the first call, e-mail or meeting counts that got through. `rep` had the lead then, since
    `since_at`.

    Waits in seconds, by the clock and in working time: that of the buyer in the organisation's calendar, that of the
    rep in theirs, without their leave. None without an answer, without a rep, or if the agreement does not know them.
    `agreement` and `leave` are those of that rep's assignment.
    """

    lead_id: str
    cycle: int
    asked_at: datetime
    answered_at: datetime | None = None
    rep: str | None = None
    since_at: datetime | None = None
    buyer_s: float | None = None
    buyer_work_s: float | None = None
    rep_s: float | None = None
    rep_work_s: float | None = None
    agreement: AgreementRef | None = None
    leave: tuple[LeaveInterval, ...] = ()


def waits(lead_id: str, events: Iterable[Event]) -> list[Wait]:
    """The waits of a lead, one for each cycle in which it qualified, from the `events` of all ids of the person."""
    found = list(events)
    starts: dict[int, list[LeadAssigned | LeadParked]] = {}
    for event in found:
        if isinstance(event, LeadAssigned | LeadParked) and event.lead_id == lead_id:
            starts.setdefault(event.cycle, []).append(event)
    asked = {cycle: _asked_at(cycle, theirs, lead_id, found) for cycle, theirs in starts.items()}
    answers = sorted(
        counts_at(fact)
        for fact in found
        if isinstance(fact, ActivityRecorded) and fact.kind in ANSWERS and fact.outcome != FAILED
    )
    return [_wait(lead_id, cycle, starts[cycle], asked, answers) for cycle in sorted(starts)]


def measured(wait: Wait, agreement: Agreement | None) -> Wait:
    """The wait with its seconds; without those in working time if the agreement is not known."""
    if wait.answered_at is None:
        return wait
    answered_at = wait.answered_at
    buyer_work_s = rep_work_s = None
    if agreement is not None:
        buyer_work_s = elapsed(office(agreement), wait.asked_at, answered_at)
        person = agreement.people.get(wait.rep or "")
        if person is not None and wait.since_at is not None:
            calendar = without_leave(person.calendar or ALWAYS, wait.leave, wait.since_at)
            rep_work_s = elapsed(calendar, wait.since_at, answered_at)
    return msgspec.structs.replace(
        wait,
        buyer_s=(answered_at - wait.asked_at).total_seconds(),
        buyer_work_s=buyer_work_s,
        rep_s=max((answered_at - wait.since_at).total_seconds(), 0.0) if wait.since_at is not None else None,
        rep_work_s=rep_work_s,
    )


def place_of(percent: int, count: int) -> int:
    """The place, from 0, of a percentile among `count` values in order: the smallest value that so many percent do not
    exceed (the nearest-rank method, as for hand-off latency).

    >>> place_of(50, 4), place_of(95, 100), place_of(95, 1)
    (1, 94, 0)
    """
    return max(ceil(count * percent / 100) - 1, 0)


def _asked_at(
    cycle: int, starts: Sequence[LeadAssigned | LeadParked], lead_id: str, events: Iterable[Event]
) -> datetime:
    known = [_began_at(event) for event in starts]
    if cycle == 1:
        earlier = (
            event.received_at
            for event in events
            if isinstance(event, LeadMerged | LeadBackdated) and event.lead_id == lead_id
        )
        known += [at for at in earlier if at is not None]
    return min(known)


def _began_at(event: LeadAssigned | LeadParked) -> datetime:
    # A record of an earlier release does not say when a parked lead came in.
    return event.received_at or (event.decided_at if isinstance(event, LeadParked) else event.assigned_at)


def _wait(
    lead_id: str,
    cycle: int,
    starts: Sequence[LeadAssigned | LeadParked],
    asked: dict[int, datetime],
    answers: Sequence[datetime],
) -> Wait:
    next_at = min((at for number, at in asked.items() if number > cycle), default=None)
    asked_at = asked[cycle]
    answered_at = next((at for at in answers if at >= asked_at and (next_at is None or at < next_at)), None)
    owners = sorted((each for each in starts if isinstance(each, LeadAssigned)), key=lambda each: each.generation)
    had = [each for each in owners if answered_at is not None and each.assigned_at <= answered_at]
    owner = had[-1] if had else owners[0] if owners else None
    return Wait(
        lead_id=lead_id,
        cycle=cycle,
        asked_at=asked_at,
        answered_at=answered_at,
        rep=owner.rep.id if owner is not None else None,
        since_at=owner.assigned_at if owner is not None else None,
        agreement=owner.agreement if owner is not None else starts[0].agreement,
        leave=owner.owner_leave if owner is not None else (),
    )
