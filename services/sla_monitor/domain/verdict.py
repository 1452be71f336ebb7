"""When a promise is met, breached or cancelled. Only four things end a window: the follow-ups it asks for in time, a
reason why it no longer applies, a deadline that has surely passed without either, and, after a breach, a fact that
disproves it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from services.sla_monitor.domain.window import ASSIGNED, DECIDED, Fact, Window, counting, in_time_order
from shared.domain import settlement
from shared.domain.activities import ENDING
from shared.domain.events import activity_id_of
from shared.domain.ids import event_id

_LATE: Mapping[str, str] = {ASSIGNED: "assigned late", DECIDED: "decided late"}

WindowOutcome = Literal["waits", "met", "breached", "cancelled", "retracted", "closed"]


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What became of a window and why; `at` is the instant in event time, `fact` what decided it. `kept` says that the
    promise was kept without a fact that did so, as a count keeps it.
    """

    outcome: WindowOutcome
    why: str
    at: datetime | None = None
    fact: Fact | None = None
    kept: bool = False


def verdict_on_counted(window: Window) -> WindowVerdict:
    """Whether the facts that the window has counted keep its promise; `at` is the instant of the last one."""
    if window.done < window.needed:
        return WindowVerdict("waits", f"{window.done} of {window.needed} so far")
    last = window.counted[-1]
    at = settlement.settles_at(window.terms, last)
    in_time = at <= window.decide_at
    if window.state == "open":
        if in_time:
            return WindowVerdict("met", f"{last.kind} in time", at, last)
        return WindowVerdict("waits", "the fact came after the deadline")
    if in_time:
        return WindowVerdict("retracted", f"{last.kind} was in time after all", at, last)
    return WindowVerdict("closed", _LATE.get(last.kind, "answered late"), at, last)


def verdict_on_fact(window: Window, fact: Fact) -> WindowVerdict:
    """What one fact does to a window, open or breached."""
    if window.state not in ("open", "breached"):
        return WindowVerdict("waits", f"the window is {window.state} already")
    if fact.kind not in window.kinds and fact.kind not in ENDING:
        return WindowVerdict("waits", f"{fact.kind} does not count for {window.promise}")
    if settlement.keeps(window.terms, fact):
        return verdict_on_counted(counting(window, (fact,)))
    if settlement.ends(window.terms, fact):
        return ended(window, fact)
    if settlement.counts(window.terms, fact):
        return WindowVerdict("waits", f"this {fact.kind} is not what {window.promise} asks for")
    return WindowVerdict("waits", "the fact is older than the promise")


def verdict_now(window: Window, facts: Iterable[Fact], *, now: datetime, watermark: datetime | None) -> WindowVerdict:
    """Whether an open window has ended, from all known facts about its lead.

    It is breached only if both the database's clock and the watermark of the lead's partition have passed
    `verdict_at`: then no activity that could keep it is still on its way. Follow-ups take precedence over cancelling.
    """
    if window.state != "open":
        return WindowVerdict("waits", f"the window is {window.state} already")
    known = sorted(facts, key=in_time_order)
    verdicts = [verdict_on_counted(counting(window, known))]
    if verdicts[0].outcome != "met":
        verdicts += [verdict_on_fact(window, fact) for fact in known]
    for outcome in ("met", "cancelled"):
        for verdict in verdicts:
            if verdict.outcome == outcome:
                return verdict
    if window.hold is not None:
        return WindowVerdict("waits", f"on hold: {window.hold}")
    if now < window.verdict_at:
        return WindowVerdict("waits", "the deadline is ahead")
    if watermark is None or watermark < window.verdict_at:
        return WindowVerdict("waits", "facts from before the deadline may be on their way")
    return WindowVerdict("breached", f"nobody did any of {', '.join(window.kinds)} in time", window.due_at)


def ended(window: Window, fact: Fact) -> WindowVerdict:
    """What the end of the lead by `fact`, which may be older than the promise, means for a window."""
    in_time = fact.accepted_at <= window.decide_at
    # The lead may have ended before its new owner got it.
    at = fact.accepted_at if settlement.counts(window.terms, fact) else window.opened_at
    if window.state == "breached":
        return WindowVerdict("retracted" if in_time else "closed", ENDING[fact.kind], at, fact)
    if not in_time:
        return WindowVerdict("waits", "the fact came after the deadline")
    return WindowVerdict("cancelled", ENDING[fact.kind], at, fact)


def superseded(window: Window, at: datetime, why: str = "reassigned") -> WindowVerdict:
    """What it means for a window that its promise no longer applies from `at` on, because the lead has ended or moved.

    Before the deadline that cancels it, and disproves a breach that was announced before this was read. Later it
    changes nothing about the promise that was missed by then.
    """
    in_time = at <= window.decide_at
    if window.state == "breached":
        return WindowVerdict("retracted" if in_time else "closed", why, at)
    if window.state == "open" and in_time:
        return WindowVerdict("cancelled", why, at)
    return WindowVerdict("waits", f"{why} after the deadline" if window.state == "open" else "ended already")


def after(window: Window, verdict: WindowVerdict) -> Window:
    """The window as the verdict leaves it."""
    replace = msgspec.structs.replace
    fact = verdict.fact
    kept = verdict.kept or (fact is not None and settlement.keeps(window.terms, fact))
    no_longer_applied = verdict.outcome == "retracted" and not kept
    if verdict.outcome in ("met", "retracted") and not no_longer_applied:
        met_by = activity_id_of(fact.activity_id) if fact else None
        return replace(window, state="met", ended_at=verdict.at, met_by=met_by, look_at=None, hold=None)
    if verdict.outcome == "cancelled" or no_longer_applied:
        return replace(window, state="cancelled", ended_at=verdict.at, reason=verdict.why, look_at=None, hold=None)
    if verdict.outcome == "breached":
        breach_id = event_id("breach", *window.key)
        return replace(window, state="breached", ended_at=verdict.at, breach_id=breach_id)
    if verdict.outcome == "closed":
        return replace(window, look_at=None, hold=None)
    return window
