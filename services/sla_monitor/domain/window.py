"""One promise running on one lead, and the only four things that end it: a follow-up in time, a reason why it no longer
applies, a deadline that has surely passed without either, and, after a breach, a fact that disproves it.

A fact counts by the instant at which ingest accepted it, so the order in which facts arrive changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

import msgspec

from shared.bus.envelope import event_id
from shared.domain.agreement import Agreement
from shared.domain.events import AgreementRef, LeadAssigned
from shared.domain.promises import Owed, owed

ENDING: Mapping[str, str] = MappingProxyType(
    {"rejected": "rejected", "won": "won", "lost": "lost", "consent_withdrawn": "consent withdrawn"}
)
"""Kinds of activity after which nothing more is owed on the lead, with the reason that is given."""

Outcome = Literal["waits", "met", "breached", "cancelled", "retracted", "closed"]


class Fact(msgspec.Struct, frozen=True):
    """An activity as far as promises go. `accepted_at` is ingest's clock, never the sender's."""

    activity_id: str
    kind: str
    accepted_at: datetime


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One promise on one lead for one owner.

    `partition` is the lead's in the activity topic. Facts count from `counts_from_at` to `decide_at`, which is the
    deadline `due_at` and the published tolerance, in the rep's favour. `known_at` is when the monitor learned of it, by
    the database's clock. `fault` says whose a breach would be. `steps_done` levels of the ladder are done; `look_at` is
    the next instant at which something may have to be done, None for never. `hold` says why nothing is decided for
    now. `superseded` windows lost their owner after the deadline: they get their verdict, and no ladder.
    """

    window_id: str
    lead_id: str
    partition: int
    promise: str
    owner: str
    generation: int
    agreement: AgreementRef
    kinds: tuple[str, ...]
    opened_at: datetime
    counts_from_at: datetime
    due_at: datetime
    decide_at: datetime
    known_at: datetime
    fault: str
    look_at: datetime | None
    state: str = "open"
    ended_at: datetime | None = None
    met_by: str | None = None
    reason: str | None = None
    breach_id: str | None = None
    steps_done: int = 0
    hold: str | None = None
    superseded: bool = False

    @property
    def tolerance(self) -> timedelta:
        """How far clocks may differ before a fact counts as late."""
        return self.decide_at - self.due_at

    @property
    def verdict_at(self) -> datetime:
        """The first instant that a clock and a watermark must have reached for a breach: just past `decide_at`, since
        a watermark speaks of what was accepted before it, and a fact accepted at `decide_at` itself still counts.
        """
        return self.decide_at + timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a window and why; `at` is the instant in event time, `fact` what decided it."""

    outcome: Outcome
    why: str
    at: datetime | None = None
    fact: Fact | None = None


def opened(
    assigned: LeadAssigned, agreement: Agreement, *, partition: int, known_at: datetime, tolerance: timedelta
) -> list[Window]:
    """The windows that an assignment opens. Raises as `owed`."""
    found = owed(agreement, rep=assigned.rep.id, score=assigned.score, assigned_at=assigned.assigned_at)
    return [_window(assigned, agreement, one, partition, known_at, tolerance) for one in found]


def heard(window: Window, fact: Fact) -> Verdict:
    """What one fact does to a window, open or breached."""
    if window.state not in ("open", "breached"):
        return Verdict("waits", f"the window is {window.state} already")
    if fact.kind not in window.kinds and fact.kind not in ENDING:
        return Verdict("waits", f"{fact.kind} does not count for {window.promise}")
    if fact.accepted_at < window.counts_from_at:
        return Verdict("waits", "the fact is older than the promise")
    return _heard_open(window, fact) if window.state == "open" else _heard_breached(window, fact)


def judged(window: Window, facts: Iterable[Fact], *, now: datetime, watermark: datetime | None) -> Verdict:
    """Whether an open window has ended, from all facts that are known of its lead.

    It is breached only when both the database's clock and the watermark of the lead's partition have passed
    `decide_at`: then no fact that could meet it can be still on its way. A follow-up beats a reason to cancel.
    """
    if window.state != "open":
        return Verdict("waits", f"the window is {window.state} already")
    verdicts = [heard(window, fact) for fact in sorted(facts, key=lambda f: (f.accepted_at, f.activity_id))]
    for outcome in ("met", "cancelled"):
        for verdict in verdicts:
            if verdict.outcome == outcome:
                return verdict
    if window.hold is not None:
        return Verdict("waits", f"on hold: {window.hold}")
    if now < window.verdict_at:
        return Verdict("waits", "the deadline is ahead")
    if watermark is None or watermark < window.verdict_at:
        return Verdict("waits", "facts from before the deadline may be on their way")
    return Verdict("breached", f"nobody did any of {', '.join(window.kinds)} in time", window.due_at)


def superseded(window: Window, assigned_at: datetime) -> Verdict:
    """What a new owner from `assigned_at` on means for the window of the one before.

    A move before the deadline cancels it. A later one changes nothing about the promise that was missed by then.
    """
    if window.state == "breached":
        return Verdict("closed", "reassigned", assigned_at)
    if window.state == "open" and assigned_at <= window.decide_at:
        return Verdict("cancelled", "reassigned", assigned_at)
    return Verdict("waits", "the owner changed after the deadline" if window.state == "open" else "ended already")


def after(window: Window, verdict: Verdict) -> Window:
    """The window as the verdict leaves it."""
    replace = msgspec.structs.replace
    if verdict.outcome in ("met", "retracted"):
        fact = verdict.fact
        met_by = fact.activity_id if fact else None
        return replace(window, state="met", ended_at=verdict.at, met_by=met_by, look_at=None, hold=None)
    if verdict.outcome == "cancelled":
        return replace(window, state="cancelled", ended_at=verdict.at, reason=verdict.why, look_at=None, hold=None)
    if verdict.outcome == "breached":
        breach_id = event_id("breach", window.window_id)
        return replace(window, state="breached", ended_at=verdict.at, breach_id=breach_id)
    if verdict.outcome == "closed":
        return replace(window, look_at=None, hold=None)
    return window


def _heard_open(window: Window, fact: Fact) -> Verdict:
    if fact.accepted_at > window.decide_at:
        return Verdict("waits", "the fact came after the deadline")
    if fact.kind in window.kinds:
        return Verdict("met", f"{fact.kind} in time", fact.accepted_at, fact)
    return Verdict("cancelled", ENDING[fact.kind], fact.accepted_at, fact)


def _heard_breached(window: Window, fact: Fact) -> Verdict:
    if fact.kind not in window.kinds:
        return Verdict("closed", ENDING[fact.kind], fact.accepted_at, fact)
    if fact.accepted_at > window.decide_at:
        return Verdict("closed", "answered late", fact.accepted_at, fact)
    return Verdict("retracted", f"{fact.kind} was in time after all", fact.accepted_at, fact)


def _window(
    assigned: LeadAssigned, agreement: Agreement, one: Owed, partition: int, known_at: datetime, tolerance: timedelta
) -> Window:
    first = assigned.generation == 1
    return Window(
        window_id=event_id("window", assigned.lead_id, one.promise.name, assigned.generation),
        lead_id=assigned.lead_id,
        partition=partition,
        promise=one.promise.name,
        owner=assigned.rep.id,
        generation=assigned.generation,
        agreement=assigned.agreement,
        kinds=one.promise.met_by,
        opened_at=assigned.assigned_at,
        counts_from_at=min(assigned.received_at, assigned.assigned_at) if first else assigned.assigned_at,
        due_at=one.due_at,
        decide_at=one.due_at + tolerance,
        known_at=known_at,
        fault=_fault(assigned, agreement, one.due_at, known_at),
        look_at=None,
    )


def _fault(assigned: LeadAssigned, agreement: Agreement, due_at: datetime, known_at: datetime) -> str:
    promised = agreement.mql.hand_off_within
    took = assigned.assigned_at - assigned.received_at
    # A later owner gets the lead long after the inquiry; that is no fault of the pipeline.
    late_hand_off = promised is not None and assigned.generation == 1 and took > timedelta(seconds=promised.seconds)
    return "pipeline" if late_hand_off or known_at >= due_at else "rep"
