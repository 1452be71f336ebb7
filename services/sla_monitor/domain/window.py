"""One promise running on one lead, and the facts that count for it. What ends it is in `verdict`.

A fact counts by the instant at which ingest accepted it, so the order in which facts arrive changes nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain import settlement
from shared.domain.agreement import Side
from shared.domain.events import AgreementRef, LeaveInterval, Progress, PromisePeriod, PromiseSegment
from shared.domain.promises import WindowStatus
from shared.domain.settlement import Terms

ASSIGNED = "assigned"
"""The kind of the fact that someone got the lead. No activity has it: it is made of the router's own word."""

INQUIRY = "inquiry"
"""The kind of the fact that an inquiry turned up that is the person's first. No activity has it: it is made of the
router's own word."""

DECIDED = "decided"
"""The kind of the fact that an inquiry has its verdict. No activity has it: it is made of the router's own word."""

READING_LAG = timedelta(seconds=30)
"""How much longer a promise that assignments keep waits for its verdict. Watermarks cover activities only, so an
assignment may still be on its way; this covers the usual lag, a retraction the rest."""

Fault = Literal["rep", "pipeline"]
"""Whose fault a breach is: `pipeline` if the owner had no fair chance, since the lead reached them too late."""


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """An activity, as promises see it. `accepted_at` is from ingest's clock, not the sender's; for an assignment,
    which keeps promises too, from the router's. `activity_id` is the event's `key`. `outcome` and `by` are None if they
    were not reported, or were by an earlier release. `reason` is that of a rejection. `happened_at` is by the clock of
    a sender who is trusted with it.
    """

    activity_id: str
    kind: str
    accepted_at: datetime
    outcome: str | None = None
    by: str | None = None
    reason: str | None = None
    happened_at: datetime | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One promise on one lead for one owner. `generation` is the number of the
    lead's owner, or 0 for operations.

    It is kept by `needed` facts of `kinds`, with one of the `outcomes` where these are listed, and by the owner if it
    is `by_owner`; `counted` are the earliest that make these up, late ones too.
    `cycle` and `partition` (in the activity topic) are the lead's. Facts count from `counts_from_at` to the deadline
    `due_at`, and within the tolerance before and after; `decide_at` is the end of that. Facts that end the lead count
    from `ends_from_at` on, the start of its cycle; None: as other facts. `known_at` is when the monitor learned of it,
    by the database's clock. `fault` is whose fault a breach would be, and `hand_off_s` how many seconds after the
    inquiry the first owner was to have the lead, if that is promised. `steps_done` levels of the ladder are done;
    `look_at` is the next instant at which something may be due, None for never. `hold` says why nothing is decided for
    now. `superseded` windows stopped applying after the deadline: they get a verdict but no ladder. `gone_at` is when
    the router ended the lead, if that was after the deadline: no fact says it. The lead of `moved` ones went to someone
    else after it: their ladder goes on, but warns no one and asks for no further move. `reopened`
    ones are of a lead that sales had rejected and accepted: nothing from before concerns them.
    `held_as` is the generation since which the same owner has the lead once its score has risen, and `then` are windows
    of that generation that do not open as long as this one runs. `leave` is the owner's, during which the clock waits.
    `score` is the lead's when the window opened, None if an earlier release did, and `segments` are those of promises
    in which the lead was then. `warned` are the levels that fired
    before the deadline changed.
    `pauses` are times during which the clock stands still.
    `ladder_us` are the instants of its ladder, in microseconds from the deadline; `calendar` is the version of the
    owner's calendar, and `zone_data` that of the rules of time zones, by which they and the deadline were found.
    Windows of an earlier release have none of these.
    `again` counts how often a verdict on it was taken back and the promise ran again.
    A promise of marketing is about all leads of a `period`, with its `progress` when last looked at; `on_pace` if it
    will be kept at this pace. Then `lead_id` names the period, and what it asks for is in the agreement.
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
    outcomes: dict[str, tuple[str, ...]] = {}
    by_owner: bool = False
    counted: tuple[Fact, ...] = ()
    opened_at: datetime
    counts_from_at: datetime
    cycle: int = 1
    ends_from_at: datetime | None = None
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
    gone_at: datetime | None = None
    moved: bool = False
    reopened: bool = False
    held_as: int = 0
    then: tuple["Window", ...] = ()
    leave: tuple[LeaveInterval, ...] = ()
    score: int | None = None
    warned: tuple[int, ...] = ()
    again: int = 0
    period: PromisePeriod | None = None
    progress: Progress | None = None
    on_pace: bool = False
    pauses: tuple[LeaveInterval, ...] = ()
    segments: tuple[PromiseSegment, ...] = ()
    ladder_us: tuple[int, ...] = ()
    calendar: str | None = None
    zone_data: str | None = None

    @property
    def paused_until(self) -> datetime | None:
        """When the last pause ends, while the promise is open."""
        return self.pauses[-1].ends_at if self.pauses and self.state == "open" else None

    @property
    def key(self) -> tuple[str | int, ...]:
        """What the ids of its events are computed from: another once a verdict was taken back."""
        return (self.window_id, self.again) if self.again else (self.window_id,)

    @property
    def owner_number(self) -> int:
        """The lead's generation as long as the window's owner has it."""
        return max(self.generation, self.held_as)

    @property
    def runs(self) -> bool:
        """Whether it is watched, for the owner that the lead or its queue has now."""
        return self.state in ("open", "breached") and not self.moved and not self.superseded

    @property
    def terms(self) -> Terms:
        """What keeps the promise."""
        return Terms(
            self.kinds,
            self.needed,
            self.counts_from_at,
            self.generation,
            self.tolerance,
            self.ends_from_at,
            self.outcomes,
            self.owner if self.by_owner else None,
            self.decide_at,
        )

    @property
    def done(self) -> int:
        """How many of the `needed` facts there are."""
        return settlement.done(self.terms, self.counted) if self.counted else 0

    @property
    def tolerance(self) -> timedelta:
        """How far clocks may differ before a fact counts as late."""
        return self.decide_at - self.due_at

    @property
    def verdict_at(self) -> datetime:
        """The instant that the clock and the watermark must reach for a breach: just after `decide_at`, because a
        watermark covers what was accepted before it, and a fact accepted at `decide_at` itself still counts.
        """
        lag = READING_LAG if ASSIGNED in self.kinds or self.period is not None else timedelta()
        return self.decide_at + lag + timedelta(microseconds=1)


def starting(window: Window, facts: Iterable[Fact]) -> Window:
    """The window starting at the person's first inquiry, if one of the facts is an earlier inquiry. For operations and
    later owners, only facts that end the lead count from there. Unchanged if none is earlier, or if the lead came back
    or was reopened.
    """
    first_at = min((fact.accepted_at for fact in facts if fact.kind == INQUIRY), default=None)
    if first_at is None or window.cycle > 1 or window.reopened:
        return window
    if window.ends_from_at is not None and first_at < window.ends_from_at:
        window = msgspec.structs.replace(window, ends_from_at=first_at)
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
    asked_for = [fact for fact in facts if fact.kind in window.kinds]
    if not asked_for and not window.counted:
        return window
    terms = window.terms
    found = {fact.activity_id: fact for fact in window.counted}
    for fact in asked_for:
        known = found.get(fact.activity_id)
        if settlement.counts(terms, fact) and (known is None or fact.accepted_at < known.accepted_at):
            found[fact.activity_id] = fact
    counted = tuple(settlement.counted(terms, sorted(found.values(), key=in_time_order)))
    return window if counted == window.counted else msgspec.structs.replace(window, counted=counted)


def in_time_order(fact: Fact) -> tuple[datetime, str]:
    """Facts sort by when they count."""
    return settlement.counts_at(fact), fact.activity_id
