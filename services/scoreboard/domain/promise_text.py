"""Each event about a promise or its escalation as a sentence, for the timeline of a lead."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from services.scoreboard.domain.event_words import moment, plain, words
from shared.agreement_text.phrases import listed
from shared.domain.events import (
    BreachRetracted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationExhausted,
    EscalationRaised,
    Event,
    PeriodProgressed,
    WindowBreached,
    WindowCancelled,
    WindowEvent,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
    WindowWarned,
)
from shared.domain.progress_text import pace_in_words, progress_in_words

_OWED = {
    "first_response": "to respond",
    "acceptance": "to accept the lead or give a reason",
    "attempts": "to make the agreed number of attempts",
    "disposition": "to accept or reject the lead",
    "feedback": "to say what became of the lead",
    "hand_off": "to see that the inquiry gets its verdict",
    "triage": "to find a rep for the lead",
    "disputes": "to answer the dispute",
    "volume": "to bring as many leads as sales is to accept",
    "accepted_share": "to bring leads that sales accepts",
    "completeness": "to hand over complete leads",
    "hand_off_latency": "to hand leads over quickly",
}
"""What the owner of a promise has to do, by the promise's name in the agreement."""


def _opened(event: WindowOpened) -> str:
    if event.again:
        return f"The promise “{words(event.promise)}” runs again: what ended it no longer counts."
    owed = f": {event.owner} has {_OWED[event.promise]}" if event.promise in _OWED else f" for {event.owner}"
    return f"The promise “{words(event.promise)}” started{owed}."


def _due_again(event: WindowRescheduled) -> str:
    promise = words(event.promise)
    return f"The promise “{promise}” is due at {moment(event.due_at)} now, since leave is no working time."


def _paused(event: WindowPaused) -> str:
    waits = f"The clock of the promise “{words(event.promise)}” stands still until {moment(event.until)} at the latest"
    return f"{waits}; then it is due at {moment(event.due_at)}."


def _resumed(event: WindowResumed) -> str:
    return f"The clock of the promise “{words(event.promise)}” runs again: it is due at {moment(event.due_at)}."


def _warned(event: WindowWarned) -> str:
    silent = f"no warning, {_why(event)}"
    due = silent if event.skipped else f"a warning is due to {_reached(event) or 'no one'}"
    return f"The promise “{words(event.promise)}” is due soon{_pace(event)}: {due}."


def _pace(event: WindowEvent) -> str:
    if event.period is None or event.progress is None:
        return ""
    return f", {pace_in_words(event.promise, event.period, event.progress)}"


def _progressed(event: PeriodProgressed) -> str:
    so_far = progress_in_words(event.promise, event.progress) if event.progress is not None else "not known"
    return f"The promise “{words(event.promise)}”: {so_far}."


def _why(event: WindowWarned | EscalationRaised) -> str:
    skipped = event.skipped or ""
    return plain(skipped) if skipped.startswith("silenced: ") else f"since there was {skipped}"


def _reached(event: WindowWarned | EscalationRaised) -> str:
    people = [f"{each.role} ({each.person})" if each.person else each.role for each in event.to]
    absent = f" (nobody is on duty as {listed(event.absent)})" if event.absent else ""
    return listed(tuple(people) or event.notify or event.told) + absent


def _met(event: WindowMet) -> str:
    how = ": the lead has a rep" if event.promise == "triage" else ""
    how = ": the inquiry has its verdict" if event.promise == "hand_off" else how
    return f"{event.owner} kept the promise “{words(event.promise)}”{how}."


def _breached(event: WindowBreached) -> str:
    if event.period is not None and event.progress is not None:
        figures = progress_in_words(event.promise, event.progress)
        return f"The promise “{words(event.promise)}” was missed by the {event.period.per}'s end: {figures}."
    late = f"{event.owner} was late" if event.fault == "rep" else f"the hand-off reached {event.owner} too late"
    whose = f"{event.owner} did not find a rep in time" if event.promise == "triage" else late
    whose = "the inquiry had no verdict in time" if event.promise == "hand_off" else whose
    return f"The promise “{words(event.promise)}” was missed: {whose}."


def _cancelled(event: WindowCancelled) -> str:
    return f"The promise “{words(event.promise)}” no longer applies: {plain(event.reason)}."


def _retracted(event: BreachRetracted) -> str:
    why = "was kept" if event.reason is None else f"no longer applied: {plain(event.reason)}"
    return f"The breach of “{words(event.promise)}” was retracted: a late fact shows that the promise {why}."


_AGAIN = {
    "acknowledgement_ended": "The acknowledgement ran out without an answer",
    "silence_ended": "The silence ended without an answer",
    "": "Escalated again",
}


def _raised(event: EscalationRaised) -> str:
    if event.skipped and event.skipped.startswith("silenced: "):
        return f"Escalated to level {event.level}, and nobody is notified; {plain(event.skipped)}."
    if event.skipped:
        return f"Escalated to level {event.level}, but there was {event.skipped}: the next level follows at once."
    reached = _reached(event)
    due = [f"a notification to {reached}"] if reached else []
    due += ["a page"] if event.page else []
    what = f"Escalated to level {event.level}" if event.because is None else _AGAIN.get(event.because, _AGAIN[""])
    return f"{what}; due: {' and '.join(due) or 'nothing'}."


def _exhausted(event: EscalationExhausted) -> str:
    return f"The ladder is over after level {event.level}: nobody has answered, and nothing more will follow."


def _acknowledged(event: EscalationAcknowledged) -> str:
    return f"{event.by} acknowledged the escalation."


def _closed(event: EscalationClosed) -> str:
    return f"The escalation closed: {plain(event.reason)}."


OF_PROMISES: Mapping[type[Event], Callable[[Any], str]] = MappingProxyType(
    {
        WindowCancelled: _cancelled,
        WindowOpened: _opened,
        WindowPaused: _paused,
        WindowRescheduled: _due_again,
        WindowResumed: _resumed,
        PeriodProgressed: _progressed,
        WindowWarned: _warned,
        WindowMet: _met,
        WindowBreached: _breached,
        BreachRetracted: _retracted,
        EscalationRaised: _raised,
        EscalationExhausted: _exhausted,
        EscalationAcknowledged: _acknowledged,
        EscalationClosed: _closed,
    }
)
"""Event type to its sentence, in causal order."""
