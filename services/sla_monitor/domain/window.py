"""One promise running on one lead, and the only four things that end it: the follow-ups it asks for in time, a reason
why it no longer applies, a deadline that has surely passed without either, and, after a breach, a fact that disproves
it.

A fact counts by the instant at which ingest accepted it, so the order in which facts arrive changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain import settlement
from shared.domain.activities import ENDING
from shared.domain.agreement import Side
from shared.domain.events import AgreementRef, activity_id_of
from shared.domain.ids import event_id
from shared.domain.promises import WindowStatus
from shared.domain.settlement import Terms

ASSIGNED = "assigned"
"""The kind of the fact that someone got the lead. No activity has it: it is made of the router's own word."""

INQUIRY = "inquiry"
"""The kind of the fact that an inquiry turned up that is the person's first. No activity has it: it is made of the
router's own word."""

READING_LAG = timedelta(seconds=30)
"""How much longer a promise that an assignment keeps waits for its verdict. Watermarks cover activities only, so an
assignment may still be on its way; this covers the usual lag, a retraction the rest."""

Fault = Literal["rep", "pipeline"]
"""Whose fault a breach is: `pipeline` if the owner had no fair chance, since the lead reached them too late."""

WindowOutcome = Literal["waits", "met", "breached", "cancelled", "retracted", "closed"]


class Fact(msgspec.Struct, frozen=True):
    """An activity, as promises see it. `accepted_at` is from ingest's clock, never the sender's; for an assignment,
    which keeps promises too, from the router's. `activity_id` is the event's `key`.
    """

    activity_id: str
    kind: str
    accepted_at: datetime


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One promise on one lead for one owner. `generation` is the number of the
    lead's owner, or 0 for operations.

    It is kept by `needed` facts of `kinds`; `counted` are the earliest that make these up, late ones too.
    `partition` is the lead's in the activity topic. Facts count from `counts_from_at` to the deadline `due_at`, and
    within the tolerance before and after; `decide_at` is the end of that. `known_at` is when the monitor learned of it,
    by the database's clock. `fault` is whose fault a breach would be, and `hand_off_s` how many seconds after the
    inquiry the first owner was to have the lead, if that is promised. `steps_done` levels of the ladder are done;
    `look_at` is the next instant at which something may be due, None for never. `hold` says why nothing is decided for
    now. `superseded` windows stopped applying after the deadline: they get a verdict but no ladder.
    """

    window_id: str
    lead_id: str
    partition: int
    promise: str
    owner: str
    generation: int
    agreement: AgreementRef
    kinds: tuple[str, ...]
    side: Side = "sales"
    needed: int = 1
    counted: tuple[Fact, ...] = ()
    opened_at: datetime
    counts_from_at: datetime
    due_at: datetime
    decide_at: datetime
    known_at: datetime
    fault: Fault
    hand_off_s: int | None = None
    look_at: datetime | None
    state: WindowStatus = "open"
    ended_at: datetime | None = None
    met_by: str | None = None
    reason: str | None = None
    breach_id: str | None = None
    steps_done: int = 0
    hold: str | None = None
    superseded: bool = False

    @property
    def terms(self) -> Terms:
        """What keeps the promise."""
        return Terms(self.kinds, self.needed, self.counts_from_at, self.generation, self.tolerance)

    @property
    def done(self) -> int:
        """How many of the `needed` facts there are."""
        return settlement.done(self.terms, self.counted)

    @property
    def tolerance(self) -> timedelta:
        """How far clocks may differ before a fact counts as late."""
        return self.decide_at - self.due_at

    @property
    def verdict_at(self) -> datetime:
        """The instant that the clock and the watermark must reach for a breach: just after `decide_at`, because a
        watermark covers what was accepted before it, and a fact accepted at `decide_at` itself still counts.
        """
        lag = READING_LAG if ASSIGNED in self.kinds else timedelta()
        return self.decide_at + lag + timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What became of a window and why; `at` is the instant in event time, `fact` what decided it."""

    outcome: WindowOutcome
    why: str
    at: datetime | None = None
    fact: Fact | None = None


def starting(window: Window, facts: Iterable[Fact]) -> Window:
    """The window starting at the person's first inquiry, if one of the facts is an earlier inquiry. Unchanged if none
    is, or for operations and later owners, whose facts do not count from an inquiry.
    """
    first_at = min((fact.accepted_at for fact in facts if fact.kind == INQUIRY), default=window.counts_from_at)
    if window.generation != 1 or first_at >= window.counts_from_at:
        return window
    fault: Fault = "pipeline" if handed_off_late(first_at, window.opened_at, window.hand_off_s) else window.fault
    return msgspec.structs.replace(window, counts_from_at=first_at, fault=fault)


def handed_off_late(received_at: datetime, assigned_at: datetime, hand_off_s: int | None) -> bool:
    """Whether a lead reached its first owner later than the agreement promises; never without such a promise."""
    return hand_off_s is not None and assigned_at - received_at > timedelta(seconds=hand_off_s)


def counting(window: Window, facts: Iterable[Fact]) -> Window:
    """The window with the facts that count for it, in any order and with duplicates: the earliest ones that are needed.
    Unchanged if they make no difference. A fact that several ingest processes accepted counts as of the first time.
    """
    terms = window.terms
    found = {fact.activity_id: fact for fact in window.counted}
    for fact in facts:
        known = found.get(fact.activity_id)
        if settlement.counts(terms, fact) and (known is None or fact.accepted_at < known.accepted_at):
            found[fact.activity_id] = fact
    counted = tuple(settlement.counted(terms, sorted(found.values(), key=_in_time_order)))
    return window if counted == window.counted else msgspec.structs.replace(window, counted=counted)


def verdict_on_counted(window: Window) -> WindowVerdict:
    """Whether the facts that the window has counted keep its promise; `at` is the instant of the last one."""
    if window.done < window.needed:
        return WindowVerdict("waits", f"{window.done} of {window.needed} so far")
    last = window.counted[-1]
    in_time = last.accepted_at <= window.decide_at
    if window.state == "open":
        if in_time:
            return WindowVerdict("met", f"{last.kind} in time", last.accepted_at, last)
        return WindowVerdict("waits", "the fact came after the deadline")
    if in_time:
        return WindowVerdict("retracted", f"{last.kind} was in time after all", last.accepted_at, last)
    late = "assigned late" if last.kind == ASSIGNED else "answered late"
    return WindowVerdict("closed", late, last.accepted_at, last)


def verdict_on_fact(window: Window, fact: Fact) -> WindowVerdict:
    """What one fact does to a window, open or breached."""
    if window.state not in ("open", "breached"):
        return WindowVerdict("waits", f"the window is {window.state} already")
    if fact.kind not in window.kinds and fact.kind not in ENDING:
        return WindowVerdict("waits", f"{fact.kind} does not count for {window.promise}")
    if not settlement.counts(window.terms, fact):
        return WindowVerdict("waits", "the fact is older than the promise")
    return verdict_on_counted(counting(window, (fact,))) if fact.kind in window.kinds else _ended(window, fact)


def verdict_now(window: Window, facts: Iterable[Fact], *, now: datetime, watermark: datetime | None) -> WindowVerdict:
    """Whether an open window has ended, from all known facts about its lead.

    It is breached only if both the database's clock and the watermark of the lead's partition have passed
    `verdict_at`: then no activity that could keep it is still on its way. Follow-ups take precedence over cancelling.
    """
    if window.state != "open":
        return WindowVerdict("waits", f"the window is {window.state} already")
    known = sorted(facts, key=_in_time_order)
    verdicts = (verdict_on_counted(counting(window, known)), *(verdict_on_fact(window, fact) for fact in known))
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


def superseded(window: Window, at: datetime, why: str = "reassigned") -> WindowVerdict:
    """What it means for a window that its promise no longer applies from `at` on, such as for the owner before.

    Before the deadline that cancels it. Later it changes nothing about the promise that was missed by then.
    """
    if window.state == "breached":
        return WindowVerdict("closed", why, at)
    if window.state == "open" and at <= window.decide_at:
        return WindowVerdict("cancelled", why, at)
    return WindowVerdict("waits", f"{why} after the deadline" if window.state == "open" else "ended already")


def after(window: Window, verdict: WindowVerdict) -> Window:
    """The window as the verdict leaves it."""
    replace = msgspec.structs.replace
    fact = verdict.fact
    ended_lead = verdict.outcome == "retracted" and fact is not None and fact.kind not in window.kinds
    if verdict.outcome in ("met", "retracted") and not ended_lead:
        met_by = activity_id_of(fact.activity_id) if fact else None
        return replace(window, state="met", ended_at=verdict.at, met_by=met_by, look_at=None, hold=None)
    if verdict.outcome == "cancelled" or ended_lead:
        return replace(window, state="cancelled", ended_at=verdict.at, reason=verdict.why, look_at=None, hold=None)
    if verdict.outcome == "breached":
        breach_id = event_id("breach", window.window_id)
        return replace(window, state="breached", ended_at=verdict.at, breach_id=breach_id)
    if verdict.outcome == "closed":
        return replace(window, look_at=None, hold=None)
    return window


def _ended(window: Window, fact: Fact) -> WindowVerdict:
    in_time = fact.accepted_at <= window.decide_at
    if window.state == "breached":
        return WindowVerdict("retracted" if in_time else "closed", ENDING[fact.kind], fact.accepted_at, fact)
    if not in_time:
        return WindowVerdict("waits", "the fact came after the deadline")
    return WindowVerdict("cancelled", ENDING[fact.kind], fact.accepted_at, fact)


def _in_time_order(fact: Fact) -> tuple[datetime, str]:
    return fact.accepted_at, fact.activity_id
