"""The events that the monitor publishes. Each id is computed from what the event is about, so that it is one event no
matter how often it is decided or sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.sla_monitor.domain.escalation import Escalation, fault_of
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.recipients import NOBODY
from services.sla_monitor.domain.verdict import WindowVerdict
from services.sla_monitor.domain.window import Window
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationEvent,
    EscalationExhausted,
    EscalationRaised,
    Event,
    MoveRequested,
    NextStep,
    PeriodProgressed,
    Recipient,
    WindowBreached,
    WindowCancelled,
    WindowEvent,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
    WindowWarned,
    activity_id_of,
)
from shared.domain.ids import event_id
from shared.domain.silences import Silence

ACKNOWLEDGEMENT_ENDED = "acknowledgement_ended"
SILENCE_ENDED = "silence_ended"

OfWindow = TypeVar("OfWindow", bound=WindowEvent)
OfEscalation = TypeVar("OfEscalation", bound=EscalationEvent)


class Announcement(msgspec.Struct, frozen=True):
    """An event to publish, and when it happened. Its `id` is the same however often it is announced."""

    id: str
    time: datetime
    event: Event


def opened(window: Window) -> Announcement:
    """The promise began to run."""
    event = _of_window(WindowOpened, window, at=window.opened_at)
    return _announcement(event, "window.opened", window.window_id)


def rescheduled(
    window: Window, lead_version: int, changed_at: datetime, noted_at: datetime | None = None
) -> Announcement:
    """The deadline is another one since the owner's leave changed."""
    event = _of_window(WindowRescheduled, window, at=changed_at, noted_at=noted_at)
    return _announcement(event, "window.rescheduled", window.window_id, lead_version)


def pauses(before: Window, window: Window, noted_at: datetime) -> list[Announcement]:
    """The clock stopped, or runs again, since the window was `before`, which was noted now."""
    known, found = {each.starts_at: each for each in before.pauses}, []
    for each in window.pauses:
        was = known.get(each.starts_at)
        key = (*window.key, each.starts_at.isoformat(), each.ends_at.isoformat())
        if was is None:
            event: WindowEvent = _of_window(
                WindowPaused, window, at=each.starts_at, until=each.ends_at, noted_at=noted_at
            )
            found.append(_announcement(event, "window.paused", *key))
        elif each.ends_at < was.ends_at:
            event = _of_window(WindowResumed, window, at=each.ends_at, noted_at=noted_at)
            found.append(_announcement(event, "window.resumed", *key))
    return found


def opened_again(window: Window, now: datetime) -> Announcement:
    """The verdict on the promise was taken back: it runs again."""
    event = _of_window(WindowOpened, window, at=now, again=window.again)
    return _announcement(event, "window.opened", *window.key)


def verdict(window: Window, verdict: WindowVerdict, now: datetime) -> list[Announcement]:
    """How the window ended, which is noted `now`; nothing when it did not."""
    at = verdict.at or now
    met_by = activity_id_of(verdict.fact.activity_id) if verdict.fact else ""
    breach_id = window.breach_id or ""
    event: WindowEvent
    match verdict.outcome:
        case "met":
            event = _of_window(WindowMet, window, at=at, met_by=met_by, noted_at=now)
        case "cancelled":
            event = _of_window(WindowCancelled, window, at=at, reason=verdict.why, noted_at=now)
        case "breached":
            event = _of_window(WindowBreached, window, at=at, breach_id=breach_id, fault=window.fault, detected_at=now)
        case "retracted":
            why = verdict.why if window.state == "cancelled" else None
            event = _of_window(
                BreachRetracted, window, at=at, breach_id=breach_id, met_by=met_by, reason=why, noted_at=now
            )
        case _:
            return []
    return [_announcement(event, f"window.{verdict.outcome}", *window.key)]


def progressed(window: Window, now: datetime) -> Announcement:
    """Another number of leads counts in the period."""
    event = _of_window(PeriodProgressed, window, at=now)
    return _announcement(event, "period.progressed", window.window_id, now.isoformat())


def warned(
    window: Window,
    level: Level,
    to: Sequence[Recipient],
    silence: Silence | None = None,
    *,
    following: Level | None = None,
) -> Announcement:
    """The deadline is near; `silence` is why nobody is notified. `following` is the next level that does something."""
    reached, step = _reached(level, to, silence), _next_step(window, following)
    event = _of_window(WindowWarned, window, at=level.due_at, level=level.level, next_step=step, **reached)
    return _announcement(event, "window.warned", window.window_id, level.loop, level.level)


def escalation_raised(
    window: Window,
    escalation: Escalation,
    level: Level,
    to: Sequence[Recipient],
    now: datetime,
    *,
    because: str | None = None,
    silence: Silence | None = None,
    following: Level | None = None,
) -> Announcement:
    """A level fired, or fired again `because` of something; `due_at` is when it was due, `at` when it fired. `silence`
    is why nobody is notified. `following` is the next level that does something.
    """
    event = _of_escalation(
        EscalationRaised,
        escalation,
        at=now,
        page=level.page and silence is None and bool(to or not level.tell),
        due_at=level.due_at,
        agreement=window.agreement,
        because=because,
        promise_due_at=window.due_at,
        progress=window.progress,
        fault=fault_of(window),
        next_step=_next_step(window, following),
        **_reached(level, to, silence),
    )
    which = (level.loop, level.level) if because is None else (because, level.due_at.isoformat())
    return _announcement(event, "escalation.raised", *window.key, *which)


def escalation_exhausted(
    window: Window,
    escalation: Escalation,
    level: Level,
    to: Sequence[Recipient],
    now: datetime,
    silence: Silence | None = None,
) -> Announcement:
    """The ladder was over at the instant of `level`, and nobody answered. Those in `to` are notified a last time."""
    event = _of_escalation(
        EscalationExhausted,
        escalation,
        at=now,
        due_at=level.due_at,
        notify=escalation.told,
        to=tuple(to),
        page=level.page and bool(to),
        skipped=f"silenced: {silence.reason}" if silence is not None else None if to else NOBODY,
        agreement=window.agreement,
        promise_due_at=window.due_at,
    )
    return _announcement(event, "escalation.exhausted", *window.key, level.due_at.isoformat())


def escalation_acknowledged(escalation: Escalation, by: str, now: datetime) -> Announcement:
    """Someone has taken it on."""
    event = _of_escalation(EscalationAcknowledged, escalation, at=now, by=by, until=escalation.quiet_until_at)
    return _announcement(event, "escalation.acknowledged", escalation.escalation_id, by, now.isoformat())


def escalation_closed(escalation: Escalation, now: datetime) -> Announcement:
    """The escalation closed, which is noted `now`; at most one event per escalation."""
    at = escalation.closed_at or escalation.raised_at
    event = _of_escalation(EscalationClosed, escalation, at=at, reason=escalation.reason or "", noted_at=now)
    return _announcement(event, "escalation.closed", escalation.escalation_id)


def move_requested(window: Window, level: Level, within: str, now: datetime) -> Announcement:
    """The ladder asks for another owner."""
    event = MoveRequested(
        lead_id=window.lead_id,
        window_id=window.window_id,
        owner=window.owner,
        generation=window.owner_number,
        within=within,
        at=now,
    )
    return _announcement(event, "move.requested", *window.key, level.loop, level.level)


def _next_step(window: Window, level: Level | None) -> NextStep | None:
    if level is None:
        return None
    moves = level.move_within is not None and not window.moved
    return NextStep(level.due_at, level.tell, level.page, moves)


def _reached(level: Level, to: Sequence[Recipient], silence: Silence | None) -> dict[str, Any]:
    roles = tuple(each.role for each in to)
    nobody = NOBODY if level.tell and not to else None
    skipped = f"silenced: {silence.reason}" if silence is not None else nobody
    absent = tuple(role for role in level.tell if role not in roles) if silence is None else ()
    return {"told": roles, "notify": roles, "to": tuple(to), "skipped": skipped, "absent": absent}


def _announcement(event: WindowEvent | EscalationEvent | MoveRequested, *identity: object) -> Announcement:
    return Announcement(event_id(*identity), event.at, event)


def _of_window(kind: type[OfWindow], window: Window, **more: Any) -> OfWindow:
    return kind(
        lead_id=window.lead_id,
        window_id=window.window_id,
        promise=window.promise,
        side=window.side,
        owner=window.owner,
        generation=window.generation,
        due_at=window.due_at,
        agreement=window.agreement,
        period=window.period,
        progress=window.progress,
        **more,
    )


def _of_escalation(kind: type[OfEscalation], escalation: Escalation, **more: Any) -> OfEscalation:
    return kind(
        lead_id=escalation.lead_id,
        escalation_id=escalation.escalation_id,
        window_id=escalation.window_id,
        promise=escalation.promise,
        owner=escalation.owner,
        generation=escalation.generation,
        level=escalation.level,
        period=escalation.period,
        **more,
    )
