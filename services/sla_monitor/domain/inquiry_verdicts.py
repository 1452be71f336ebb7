"""The promise that an inquiry gets its verdict: within `hand_off_within` of its acceptance, by the version of the
agreement that was in force then. What keeps it is the router's first word on that inquiry, whatever it is.

Nearly all inquiries get it at once, so that none but the others leave anything in the database.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.window import DECIDED, Fact, Window
from shared.domain.agreement import Agreement, Promise
from shared.domain.events import AgreementRef, Event, InquiryReceived, LeadAssigned, LeadDecided
from shared.domain.ids import event_id

HAND_OFF = "hand_off"
OWNER = "ops"
"""Who owes it: the role, since no rep has the lead yet."""

NO_PARTITION = -2
"""The partition of windows on inquiries. They wait for assignments of any partition: an inquiry may be judged under
another id of the person than it came under."""

FORGET_AFTER = timedelta(seconds=10)
"""How long a verdict waits for its inquiry at least. It is in the log after it, so the inquiry is read by then, or was
long before."""


LEFT_TO_THE_ROUTER = timedelta(seconds=5)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of an inquiry that has not come to its end yet: its acceptance, by the agreement with the hash
    `agreement`, or its verdict, or both if it was late. It is looked at again at `look_at`.
    """

    inquiry_id: str
    lead_id: str
    accepted_at: datetime | None = None
    agreement: str | None = None
    decided_at: datetime | None = None
    verdict_id: str | None = None
    look_at: datetime

    @property
    def verdict(self) -> Fact | None:
        """The verdict as a fact; None if it is not read."""
        if self.decided_at is None:
            return None
        return verdict_fact(self.verdict_id or self.inquiry_id, self.decided_at, self.accepted_at)


def promised(agreement: Agreement) -> Promise | None:
    """What the agreement promises on each inquiry, on the wall clock; without a ladder if it has none for that."""
    within = agreement.mql.hand_off_within
    if within is None:
        return None
    return agreement.operations.get(HAND_OFF) or Promise(HAND_OFF, within, (), "", "wall", side="operations")


def verdict_in(event: Event, now: datetime) -> Arrival | None:
    """The verdict that an event gives, or repeats, on an inquiry; None if it is none."""
    if isinstance(event, LeadAssigned):
        at, name = event.assigned_at, event.assignment_id
    elif isinstance(event, LeadDecided):
        at, name = event.decided_at, event.inquiry_id
    else:
        return None
    return Arrival(
        inquiry_id=event.inquiry_id,
        lead_id=event.lead_id,
        decided_at=at,
        verdict_id=name,
        look_at=now + FORGET_AFTER,
    )


def arrival(event: InquiryReceived, agreement: Agreement, look_at: datetime, now: datetime) -> Arrival:
    """The inquiry as accepted, not later than it was read: a later instant comes from a clock that is ahead."""
    return Arrival(
        inquiry_id=event.inquiry_id,
        lead_id=event.lead_id,
        accepted_at=min(event.accepted_at, now),
        agreement=agreement.hash,
        look_at=look_at,
    )


def verdict_fact(verdict_id: str, decided_at: datetime, accepted_at: datetime | None) -> Fact:
    """The verdict, never older than its inquiry: that is certain by the log, and the clocks are two."""
    return Fact(verdict_id, DECIDED, max(decided_at, accepted_at or decided_at))


def paired(waiting: Arrival, decided: Arrival, now: datetime) -> Arrival:
    """An inquiry with its verdict, to be looked at now."""
    return msgspec.structs.replace(
        waiting, decided_at=decided.decided_at, verdict_id=decided.verdict_id, look_at=min(waiting.look_at, now)
    )


def in_time(both: Arrival, promise: Promise, tolerance: timedelta) -> bool:
    """Whether the verdict came in time."""
    assert both.accepted_at is not None  # noqa: S101 (only those whose inquiry is read)
    fact = both.verdict
    return fact is not None and fact.accepted_at <= _due_at(both.accepted_at, promise) + tolerance


def window_id(inquiry_id: str) -> str:
    """The id of the window on an inquiry."""
    return event_id("window", HAND_OFF, inquiry_id)


def window_on(
    each: Arrival, agreement: Agreement, promise: Promise, *, known_at: datetime, tolerance: timedelta
) -> Window:
    """The window on an inquiry that has no verdict in time, or not yet."""
    assert each.accepted_at is not None  # noqa: S101 (only those whose inquiry is read)
    due_at = _due_at(each.accepted_at, promise)
    return Window(
        window_id=window_id(each.inquiry_id),
        lead_id=each.lead_id,
        partition=NO_PARTITION,
        promise=HAND_OFF,
        side="operations",
        owner=OWNER,
        generation=0,
        agreement=AgreementRef(agreement.name, agreement.version, agreement.hash),
        kinds=(DECIDED,),
        opened_at=each.accepted_at,
        counts_from_at=each.accepted_at,
        due_at=due_at,
        decide_at=due_at + tolerance,
        known_at=known_at,
        fault="pipeline",
        look_at=None,
    )


def first_look(window: Window, warnings: Sequence[datetime]) -> datetime:
    """When there is something to do on an inquiry without a verdict: at the first warning, else after the deadline. One
    that is read late, as after an outage of the log, leaves the router a moment, so that nobody is notified of what is
    over.
    """
    due_at = min((at + window.tolerance for at in warnings), default=window.verdict_at)
    return max(due_at, window.known_at + LEFT_TO_THE_ROUTER)


def _due_at(accepted_at: datetime, promise: Promise) -> datetime:
    return accepted_at + timedelta(seconds=promise.within.seconds)
