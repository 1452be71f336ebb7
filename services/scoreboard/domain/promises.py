"""Windows and escalations as the scoreboard shows them: what ended stays ended, whatever comes late or twice."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from services.scoreboard.domain.counters import ALL, CounterKey
from services.scoreboard.domain.day import quarter_of
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationEvent,
    EscalationExhausted,
    EscalationRaised,
    Progress,
    WindowBreached,
    WindowCancelled,
    WindowEvent,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
)
from shared.domain.progress_text import progress_in_words
from shared.domain.promises import EscalationStatus, WindowStatus, escalation_status

FIRST_RESPONSE = "first_response"
PIPELINE = "pipeline"
TRIAGE = "triage"
OPEN = "windows_open"


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One promise on one lead: `open`, then `met`, `breached` or `cancelled`. It is due at `due_at`, as was found at
    `due_since`; None: when it opened. A promise on a period (`per`) has its progress as of `counted_at`. Its clock
    stands still until `paused_until`.
    """

    window_id: str
    lead_id: str | None = None
    promise: str | None = None
    side: str | None = None
    owner: str | None = None
    generation: int = 0
    opened_at: datetime | None = None
    due_at: datetime | None = None
    state: WindowStatus | None = None
    ended_at: datetime | None = None
    fault: str | None = None
    due_since: datetime | None = None
    paused_until: datetime | None = None
    per: str | None = None
    counted: int | None = None
    counted_of: int | None = None
    target: float | None = None
    pace: float | None = None
    counted_at: datetime | None = None

    @property
    def progress(self) -> str | None:
        """How a promise on a period goes, in words; None for others and before anything counts."""
        if self.promise is None or self.counted is None or self.counted_of is None or self.target is None:
            return None
        return progress_in_words(self.promise, Progress(self.counted, self.counted_of, self.target, self.pace))


class EscalationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One climb of the ladder: `firing`, perhaps `acknowledged` (until a time, None for no end), `exhausted` once the
    ladder is over without an answer, at last `closed`. `fault` is that of the breach, None if it is not known.
    """

    escalation_id: str
    lead_id: str | None = None
    window_id: str | None = None
    promise: str | None = None
    owner: str | None = None
    level: int = 0
    state: EscalationStatus | None = None
    raised_at: datetime | None = None
    changed_at: datetime | None = None
    acknowledged_by: str | None = None
    quiet_until: datetime | None = None
    fault: str | None = None


def run(window: WindowRow, event: WindowEvent) -> WindowRow:
    """The window after one more event. Only a retraction changes what has ended, or that it runs again."""
    if isinstance(event, WindowOpened) and window.opened_at is None:
        window = msgspec.structs.replace(window, opened_at=event.at)
    ended = window.state not in (None, "open")
    again = isinstance(event, WindowOpened) and event.again > 0
    if ended and not again and not isinstance(event, BreachRetracted):
        return window
    window = msgspec.structs.replace(
        window,
        lead_id=event.lead_id,
        promise=event.promise,
        side=event.side,
        owner=event.owner,
        generation=event.generation,
        due_at=event.due_at if window.due_since is None else window.due_at,
        state="open",
        ended_at=None,
        fault=None,
    )
    window = _counted(window, event)
    if isinstance(event, WindowRescheduled | WindowPaused | WindowResumed):
        window = _moved(window, event)
    if isinstance(event, BreachRetracted) and event.reason is not None:
        return msgspec.structs.replace(window, state="cancelled", ended_at=event.at, fault=None)
    if isinstance(event, WindowMet | BreachRetracted):
        return msgspec.structs.replace(window, state="met", ended_at=event.at, fault=None)
    if isinstance(event, WindowBreached):
        return msgspec.structs.replace(window, state="breached", ended_at=event.at, fault=event.fault)
    if isinstance(event, WindowCancelled):
        return msgspec.structs.replace(window, state="cancelled", ended_at=event.at)
    return window


def _moved(window: WindowRow, event: WindowRescheduled | WindowPaused | WindowResumed) -> WindowRow:
    """The window with the deadline that was found last. A pause may be read after one that began later."""
    since = event.noted_at or event.at
    if window.due_since is not None and window.due_since > since:
        return window
    until = window.paused_until
    if isinstance(event, WindowPaused):
        until = max(event.until, until or event.until)
    elif isinstance(event, WindowResumed):
        until = None
    return msgspec.structs.replace(window, due_at=event.due_at, due_since=since, paused_until=until)


def _counted(window: WindowRow, event: WindowEvent) -> WindowRow:
    if event.period is not None:
        window = msgspec.structs.replace(window, per=event.period.per)
    if event.progress is None or (window.counted_at is not None and event.at < window.counted_at):
        return window
    found = event.progress
    return msgspec.structs.replace(
        window,
        counted=found.counted,
        counted_of=found.of,
        target=found.target,
        pace=found.pace,
        counted_at=event.at,
    )


def climb(escalation: EscalationRow, event: EscalationEvent) -> EscalationRow:
    """The escalation after one more event. Closed is the end; a level raised after an acknowledgement has run out fires
    again.
    """
    if escalation.state == "closed":
        return escalation
    if isinstance(event, EscalationRaised) and (escalation.raised_at is None or event.at < escalation.raised_at):
        escalation = msgspec.structs.replace(escalation, raised_at=event.at)
    if isinstance(event, EscalationRaised) and event.fault is not None:
        escalation = msgspec.structs.replace(escalation, fault=event.fault)
    if escalation.changed_at is not None and event.at < escalation.changed_at:
        return escalation
    escalation = msgspec.structs.replace(
        escalation,
        lead_id=event.lead_id,
        window_id=event.window_id,
        promise=event.promise,
        owner=event.owner,
        level=max(event.level, escalation.level),
        changed_at=event.at,
    )
    if isinstance(event, EscalationAcknowledged):
        return msgspec.structs.replace(
            escalation, state="acknowledged", acknowledged_by=event.by, quiet_until=event.until
        )
    if isinstance(event, EscalationRaised):
        return standing(escalation, event.due_at)
    if isinstance(event, EscalationExhausted):
        return msgspec.structs.replace(escalation, state="exhausted")
    return msgspec.structs.replace(escalation, state="closed") if isinstance(event, EscalationClosed) else escalation


def standing(escalation: EscalationRow, now: datetime) -> EscalationRow:
    """The escalation as it stands at `now`."""
    state = escalation_status(escalation.state or "firing", escalation.quiet_until, now)
    return msgspec.structs.replace(escalation, state=state)


def counts_for(window: WindowRow) -> Iterator[CounterKey]:
    """The counters of this window: running windows, and first responses by the quarter hour of their promise."""
    if window.state == "open":
        yield ALL, OPEN
    if window.promise == FIRST_RESPONSE and window.opened_at is not None:
        quarter = quarter_of(window.opened_at)
        if window.state == "met":
            yield quarter, "responded"
        if window.state == "breached":
            yield quarter, "breached"
            if window.fault == PIPELINE:
                yield quarter, "breached_by_pipeline"
