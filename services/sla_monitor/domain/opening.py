"""Which windows open: those of a new owner, and that of a queue's owner when a lead is parked. That of a rep whose
rejection is disputed is in `disputes`. A window has the same id no matter how often it is opened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.window import ASSIGNED, Fact, Window, handed_off_late
from shared.domain import settlement
from shared.domain.agreement import Agreement, Promise
from shared.domain.events import LeadAssigned, LeadParked, LeadRescheduled, LeaveInterval
from shared.domain.ids import event_id
from shared.domain.pauses import PAUSING
from shared.domain.promises import Owed, owed, owed_by

TRIAGE = "triage"
DISPUTES = "disputes"
DISPUTED = "disputed"
MISSED = "missed"
REOPENED = "reopened"
RESCORED = "rescored"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Watch:
    """The context for opening windows: the lead's partition, the database's clock, the tolerance, and why its promises
    are on hold, if they are.
    """

    partition: int
    known_at: datetime
    tolerance: timedelta
    hold: str | None = None


def opened(assigned: LeadAssigned, agreement: Agreement, watch: Watch, facts: Iterable[Fact] = ()) -> list[Window]:
    """The windows that an assignment opens, one for each promise that its new owner has on the lead. Raises as `owed`.

    The first owner's facts count from the moment the lead came in, later ones' from the moment they got it.
    A lead that comes from a queue excuses nobody: the wait was that of the queue's owner. What pauses them is among the
    `facts`.
    """
    starts_at = settlement.starts_at(
        received_at=assigned.received_at, assigned_at=assigned.assigned_at, generation=assigned.generation
    )
    hand_off_s, since_at, leave = _hand_off_s(assigned, agreement), assigned.assigned_at, assigned.owner_leave
    late = handed_off_late(assigned.received_at, since_at, hand_off_s)
    cycle_at = settlement.cycle_starts_at(assigned.received_at, assigned.previous_ended_at)
    found = _promised(assigned, agreement, pausing_facts(facts, cycle_at))
    return [
        Window(
            window_id=event_id("window", assigned.lead_id, one.promise.name, assigned.generation),
            lead_id=assigned.lead_id,
            partition=watch.partition,
            promise=one.promise.name,
            side=one.promise.side,
            owner=assigned.rep.id,
            generation=assigned.generation,
            agreement=assigned.agreement,
            kinds=one.promise.met_by,
            needed=one.promise.at_least,
            outcomes=dict(one.promise.outcomes),
            by_owner=one.promise.by == "owner",
            opened_at=assigned.assigned_at,
            counts_from_at=starts_at,
            cycle=assigned.cycle,
            reopened=_reopened(assigned),
            ends_from_at=cycle_at,
            due_at=one.due_at,
            decide_at=one.due_at + watch.tolerance,
            known_at=watch.known_at,
            fault="pipeline" if late or watch.known_at >= one.due_at else "rep",
            hand_off_s=hand_off_s,
            look_at=None,
            hold=watch.hold,
            leave=leave,
            score=assigned.score,
            segments=assigned.segments,
            pauses=one.pauses,
        )
        for one in found
    ]


def _promised(assigned: LeadAssigned, agreement: Agreement, pausing: Sequence[Fact]) -> Sequence[Owed]:
    return owed(
        agreement,
        rep=assigned.rep.id,
        score=assigned.score,
        assigned_at=assigned.assigned_at,
        leave=assigned.owner_leave,
        facts=pausing,
        segments=assigned.segments,
    )


def _hand_off_s(assigned: LeadAssigned, agreement: Agreement) -> int | None:
    # A later owner, or one of a parked lead, gets it long after the inquiry; that is no fault of the pipeline.
    straight = assigned.generation == 1 and assigned.because is None
    promised = agreement.mql.hand_off_within
    return promised.seconds if promised is not None and straight else None


def waits_for(window: Window, event: LeadRescheduled) -> bool:
    """Whether the leave of this owner moves the deadline of the window. It may be read after the breach."""
    read_late = window.state == "breached" and event.changed_at <= window.decide_at
    if not (window.state == "open" or read_late) or window.superseded or window.moved or window.owner != event.rep.id:
        return False
    return window.promise == DISPUTES or (window.side == "sales" and window.owner_number == event.generation)


def pausing_facts(facts: Iterable[Fact], since_at: datetime) -> list[Fact]:
    """Those of the facts by which the clock of a lead that became one at `since_at` stops or runs again."""
    return [fact for fact in facts if fact.kind in PAUSING and fact.accepted_at >= since_at]


def paused(window: Window, facts: Iterable[Fact], agreement: Agreement) -> Window:
    """The window with what pauses it, and the deadline that follows; unchanged if nothing does that did not before.
    Raises as `owed`.
    """
    promise = agreement.promises.get(window.promise) if window.side == "sales" else None
    if promise is None or promise.pause is None or window.score is None:
        return window
    pausing = pausing_facts(facts, window.ends_from_at or window.opened_at)
    found = owed(
        agreement,
        rep=window.owner,
        score=window.score,
        assigned_at=window.opened_at,
        leave=window.leave,
        facts=pausing,
        segments=window.segments,
    )
    one = next((each for each in found if each.promise.name == window.promise), None)
    if one is None or one.pauses == window.pauses:
        return window
    then = tuple([paused(each, facts, agreement) for each in window.then])
    decide_at = one.due_at + window.tolerance
    return msgspec.structs.replace(window, pauses=one.pauses, due_at=one.due_at, decide_at=decide_at, then=then)


def rescheduled(window: Window, event: LeadRescheduled, agreement: Agreement, facts: Iterable[Fact] = ()) -> Window:
    """The window with the owner's leave and the deadline that follows. What pauses it is among the `facts`. Raises as
    `owed`.
    """
    leave, since_at = event.owner_leave, window.opened_at
    if window.side == "operations":
        promise = agreement.operations[window.promise]
        due_at = owed_by(agreement, promise, owner=window.owner, since_at=since_at, leave=leave).due_at
    else:
        score = event.score if window.score is None else window.score
        pausing = pausing_facts(facts, window.ends_from_at or window.opened_at)
        found = owed(
            agreement,
            rep=window.owner,
            score=score,
            assigned_at=since_at,
            leave=leave,
            facts=pausing,
            segments=window.segments,
        )
        due_at = next((one.due_at for one in found if one.promise.name == window.promise), window.due_at)
    then = tuple([rescheduled(each, event, agreement, facts) for each in window.then])
    return msgspec.structs.replace(window, leave=leave, due_at=due_at, decide_at=due_at + window.tolerance, then=then)


def covers(running: Window, new: Window) -> bool:
    """Whether the promise of a new window ran already when the score rose, with an earlier deadline that was still
    ahead: it had not been kept or ended before, whether its end is read by now or not.
    """
    same = (running.promise, running.owner, running.cycle) == (new.promise, new.owner, new.cycle)
    ran = running.state != "cancelled" or (running.ended_at is not None and running.ended_at >= new.opened_at)
    ahead = new.opened_at < running.decide_at and running.due_at <= new.due_at
    return same and ran and ahead and not _kept_before(running, new)


def following(window: Window) -> list[Window]:
    """The windows that were not to open while this one ran, as it turns out that it had been kept before."""
    return [new for new in window.then if _kept_before(window, new)]


def _kept_before(running: Window, new: Window) -> bool:
    return running.done >= running.needed and not settlement.counts(new.terms, running.counted[-1])


def parked(event: LeadParked, agreement: Agreement, watch: Watch, earlier: Iterable[Window] = ()) -> Window | None:
    """The window of the owner of the queue in which the lead waits; kept by assigning the lead. If one of the `earlier`
    windows of the lead was theirs while it waited, the time since then counts.

    None if the agreement promises no triage, or does not define the queue. Raises as `owed`.
    """
    promise, queue = agreement.operations.get(TRIAGE), agreement.queues.get(event.queue)
    if promise is None or queue is None:
        return None
    window_id = event_id("window", event.lead_id, TRIAGE, "version", event.lead_version)
    theirs = (each.opened_at for each in of_wait(event, earlier) if each.owner == queue.owner)
    window = of_operations(
        promise,
        agreement,
        watch,
        window_id=window_id,
        lead_id=event.lead_id,
        owner=queue.owner,
        since_at=min(theirs, default=event.decided_at),
        kinds=(ASSIGNED,),
    )
    if event.received_at is None:
        return window
    ends_from_at = settlement.cycle_starts_at(event.received_at, event.previous_ended_at)
    return msgspec.structs.replace(window, cycle=event.cycle, ends_from_at=ends_from_at, reopened=_reopened(event))


def of_wait(event: LeadParked, windows: Iterable[Window]) -> list[Window]:
    """The windows of owners of queues since the lead waits: it may have been routed elsewhere meanwhile."""
    since_at = event.parked_at or event.decided_at
    return [each for each in windows if each.promise == TRIAGE and each.opened_at >= since_at]


def _reopened(event: LeadAssigned | LeadParked) -> bool:
    return event.cycle == 1 and event.previous_ended_at is not None


def of_operations(
    promise: Promise,
    agreement: Agreement,
    watch: Watch,
    *,
    window_id: str,
    lead_id: str,
    owner: str,
    since_at: datetime,
    kinds: tuple[str, ...],
    leave: tuple[LeaveInterval, ...] = (),
) -> Window:
    """The window of something that operations owe since an instant. Raises as `owed`."""
    due_at = owed_by(agreement, promise, owner=owner, since_at=since_at, leave=leave).due_at
    return Window(
        window_id=window_id,
        lead_id=lead_id,
        partition=watch.partition,
        promise=promise.name,
        side="operations",
        owner=owner,
        generation=0,
        agreement=agreement.ref,
        kinds=kinds,
        opened_at=since_at,
        counts_from_at=since_at,
        due_at=due_at,
        decide_at=due_at + watch.tolerance,
        known_at=watch.known_at,
        fault="pipeline" if watch.known_at >= due_at else "rep",
        look_at=None,
        hold=watch.hold,
        leave=leave,
    )
