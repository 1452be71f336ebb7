"""The events about promises: their windows, breaches and escalations. `events` lists them with all others."""

from datetime import datetime

from shared.domain.event import ESCALATIONS, AgreementRef, Event, NextStep, Progress, PromisePeriod, Recipient


class WindowEvent(Event, frozen=True, kw_only=True):
    """The base of events about one window. `at` is the instant of the change, in event time. A promise about a `period`
    is about no single lead: `lead_id` names the period, like `period:volume:2026-11`.
    """

    TOPIC = ESCALATIONS

    window_id: str
    promise: str
    side: str
    owner: str
    generation: int
    at: datetime
    due_at: datetime
    agreement: AgreementRef
    period: PromisePeriod | None = None
    progress: Progress | None = None


class WindowOpened(WindowEvent, frozen=True, kw_only=True):
    """A promise started, or runs `again`: the verdict on it is taken back, since it rested on what was reported for
    another person.
    """

    TYPE = "baton.window.opened.v1"

    again: int = 0


class WindowRescheduled(WindowEvent, frozen=True, kw_only=True):
    """The promise is due at another time, `due_at`, because the owner's leave changed at `at`."""

    TYPE = "baton.window.rescheduled.v1"

    noted_at: datetime | None = None


class WindowPaused(WindowEvent, frozen=True, kw_only=True):
    """The clock of the promise stands still since `at`, at the latest until `until`. `due_at` is the deadline if it is
    not resumed before.
    """

    TYPE = "baton.window.paused.v1"

    until: datetime
    noted_at: datetime | None = None


class WindowResumed(WindowEvent, frozen=True, kw_only=True):
    """The clock of the promise runs again since `at`, before its pause would have run out; `due_at` follows."""

    TYPE = "baton.window.resumed.v1"

    noted_at: datetime | None = None


class WindowWarned(WindowEvent, frozen=True, kw_only=True):
    """The promise is due soon and not kept yet: a warning to those in `to` is due. `next_step` follows."""

    TYPE = "baton.window.warned.v1"

    level: int
    told: tuple[str, ...]
    notify: tuple[str, ...] = ()
    to: tuple[Recipient, ...] = ()
    skipped: str | None = None
    absent: tuple[str, ...] = ()
    next_step: NextStep | None = None


class PeriodProgressed(WindowEvent, frozen=True, kw_only=True):
    """More leads count for a promise about a period, or fewer; published at most once a minute."""

    TYPE = "baton.period.progressed.v1"


class WindowMet(WindowEvent, frozen=True, kw_only=True):
    """The promise was kept by the activity `met_by`, accepted at `at`; `met_by` is empty for a period."""

    TYPE = "baton.window.met.v1"

    met_by: str
    noted_at: datetime | None = None


class WindowBreached(WindowEvent, frozen=True, kw_only=True):
    """The promise was not kept in time. `fault` is `rep`, or `pipeline` if Baton handed the lead over too late."""

    TYPE = "baton.window.breached.v1"

    breach_id: str
    fault: str
    detected_at: datetime


class WindowCancelled(WindowEvent, frozen=True, kw_only=True):
    """The promise no longer applies; `reason` says why."""

    TYPE = "baton.window.cancelled.v1"

    reason: str
    noted_at: datetime | None = None


class BreachRetracted(WindowEvent, frozen=True, kw_only=True):
    """What arrived after a breach was announced disproves it: the promise was kept by `met_by`. Or it no longer applied
    by its deadline, and `reason` says why; then `met_by` is what ended the lead, and empty if another event did.
    """

    TYPE = "baton.breach.retracted.v1"

    breach_id: str
    met_by: str
    reason: str | None = None
    noted_at: datetime | None = None


class EscalationEvent(Event, frozen=True, kw_only=True):
    """The base of events about one escalation; `at` is when it happened."""

    TOPIC = ESCALATIONS

    escalation_id: str
    window_id: str
    promise: str
    owner: str
    generation: int
    level: int
    at: datetime
    period: PromisePeriod | None = None


class EscalationRaised(EscalationEvent, frozen=True, kw_only=True):
    """A level of the ladder fired: a notification to those in `to` is due, and a page if `page` is true. Or nobody was
    on duty or a silence applies, as `skipped` says. `absent` are roles that nobody was on duty for. Or it fired again,
    as `because` says. `due_at` is when the level was due, and `promise_due_at` when the promise was; None in records of
    an earlier release. `fault` is that of the breach; None there too, and for a period. `next_step` follows; None there
    too, and after the last step.
    """

    TYPE = "baton.escalation.raised.v1"

    told: tuple[str, ...]
    page: bool
    due_at: datetime
    agreement: AgreementRef
    notify: tuple[str, ...] = ()
    to: tuple[Recipient, ...] = ()
    skipped: str | None = None
    absent: tuple[str, ...] = ()
    because: str | None = None
    promise_due_at: datetime | None = None
    progress: Progress | None = None
    fault: str | None = None
    next_step: NextStep | None = None


class EscalationExhausted(EscalationEvent, frozen=True, kw_only=True):
    """The ladder is over: nobody answered after its last level, which was `level`. `notify` are the roles that were
    notified. A last notification to those in `to` is due, urgent if `page` is true, or to nobody, as `skipped` says.
    Records of an earlier release have none of it.
    """

    TYPE = "baton.escalation.exhausted.v1"

    due_at: datetime
    notify: tuple[str, ...]
    to: tuple[Recipient, ...] = ()
    page: bool = False
    skipped: str | None = None
    agreement: AgreementRef | None = None
    promise_due_at: datetime | None = None


class EscalationAcknowledged(EscalationEvent, frozen=True, kw_only=True):
    """Someone acknowledged the escalation; it stays quiet until `until`."""

    TYPE = "baton.escalation.acknowledged.v1"

    by: str
    until: datetime | None


class EscalationClosed(EscalationEvent, frozen=True, kw_only=True):
    """The escalation ended; `reason` says why."""

    TYPE = "baton.escalation.closed.v1"

    reason: str
    noted_at: datetime | None = None


class MoveRequested(Event, frozen=True, kw_only=True):
    """The ladder asks the router to move the lead if `generation` is still the current one."""

    TYPE = "baton.move.requested.v1"
    TOPIC = ESCALATIONS

    window_id: str
    owner: str
    generation: int
    within: str
    at: datetime
