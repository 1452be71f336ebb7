"""What follows for a window and its escalation from a fact, a new owner or the passing of time, with the events. All
state changes of the monitor are made here; the result is saved and published in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from services.sla_monitor.domain import announcements, escalation, window
from services.sla_monitor.domain.announcements import Announcement
from services.sla_monitor.domain.arrangements import NOTHING_ARRANGED, Arrangements
from services.sla_monitor.domain.climb import Look, climb, looking_ahead, looking_on, warn
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.verdict import (
    WindowVerdict,
    after,
    ended,
    superseded,
    verdict_now,
    verdict_on_counted,
    verdict_on_fact,
)
from services.sla_monitor.domain.window import Fact, Window
from services.sla_monitor.domain.window_state import WindowState
from shared.domain import settlement
from shared.domain.agreement import Agreement
from shared.domain.events import LeadRescheduled
from shared.domain.pauses import PAUSED


def open_window(opened: Window, facts: Sequence[Fact], levels: Sequence[Level]) -> WindowState:
    """A new window; facts from before the assignment count immediately."""
    state = _counting(WindowState(looking_ahead(opened, levels), announced=_news(opened)), facts)
    verdict = verdict_now(state.window, facts, now=opened.opened_at, watermark=None)
    return _concluded(state, verdict, opened.known_at)


def _news(opened: Window) -> tuple[Announcement, ...]:
    if not opened.pauses:
        return (announcements.opened(opened),)
    without = msgspec.structs.replace(opened, pauses=())
    return announcements.opened(opened), *announcements.pauses(without, opened, opened.known_at)


def apply_fact(state: WindowState, fact: Fact, now: datetime) -> WindowState:
    """Apply a fact. One that counts but does not end the window is stored with it."""
    if state.window.state not in ("open", "breached"):
        return state
    state = _counting(state, (fact,))
    return _concluded(state, verdict_on_fact(state.window, fact), now)


def move_start(state: WindowState, facts: Sequence[Fact], now: datetime) -> WindowState:
    """The person's first inquiry turned up late: facts count from then on, which may meet the window, or disprove its
    breach.
    """
    moved = window.starting(state.window, facts)
    if moved is state.window or moved.state not in ("open", "breached"):
        return state
    state = _counting(replace(state, window=moved), facts)
    if moved.state == "breached":
        return _judged_again(state, facts, now)
    return _concluded(state, verdict_now(state.window, facts, now=now, watermark=None), now)


def reschedule(
    state: WindowState, moved: Window, levels: Sequence[Level], event: LeadRescheduled, now: datetime | None = None
) -> WindowState:
    """The owner's leave changed, which is noted `now`: `moved` is the window with what follows, `levels` are those of
    its ladder. What has fired stays so.
    """
    announced = state.announced
    if moved.due_at != state.window.due_at:
        announced = (*announced, announcements.rescheduled(moved, event.lead_version, event.changed_at, now))
    return replace(state, window=looking_ahead(moved, levels), announced=announced)


def take_back(
    state: WindowState,
    moved: Window,
    levels: Sequence[Level],
    facts: Sequence[Fact],
    event: LeadRescheduled,
    now: datetime | None = None,
) -> WindowState:
    """The owner's leave changed before a breach, and that is read after it: the promise runs again until its later
    deadline, with the levels that have not fired before the first one.
    """
    gone_at = state.window.gone_at
    if moved.due_at <= state.window.due_at or (gone_at is not None and gone_at > moved.decide_at):
        return state
    taken = _concluded(state, superseded(state.window, event.changed_at, "on leave"), now or event.changed_at)
    if gone_at is not None:
        return taken
    moved = looking_ahead(_running_again(moved), levels)
    news = (
        announcements.opened_again(moved, event.changed_at),
        announcements.rescheduled(moved, event.lead_version, event.changed_at, now),
    )
    state = _counting(replace(taken, window=moved, announced=(*taken.announced, *news)), facts)
    verdict = verdict_now(state.window, facts, now=event.changed_at, watermark=None)
    return _concluded(state, verdict, now or event.changed_at)


def pause(
    state: WindowState, moved: Window, levels: Sequence[Level], facts: Sequence[Fact], now: datetime
) -> WindowState:
    """The clock stopped, or runs again: `moved` is the window with what follows, `levels` are those of its ladder. A
    breach from before that is read is taken back, if the pause began before its deadline.
    """
    news = announcements.pauses(state.window, moved, now)
    if state.window.state == "breached":
        if moved.due_at <= state.window.due_at:
            return state
        state = _not_breached(state, moved, now)
        moved = _running_again(moved)
        news = [announcements.opened_again(moved, now), *news]
    moved = looking_ahead(moved, levels)
    state = _counting(replace(state, window=moved, announced=(*state.announced, *news)), facts)
    return _concluded(state, verdict_now(state.window, facts, now=now, watermark=None), now)


def pause_after_end(state: WindowState, moved: Window, left_at: datetime | None, now: datetime) -> WindowState:
    """The clock had stopped before a breach whose lead ended, or went to someone else, at `left_at`: by the deadline of
    `moved`, the window with what follows, nothing was owed any more. Unchanged if the lead left after that.
    """
    if moved.due_at <= state.window.due_at or left_at is None or left_at > moved.decide_at:
        return state
    return _not_breached(state, moved, now)


def _not_breached(state: WindowState, moved: Window, now: datetime) -> WindowState:
    # Of the pauses that are new the first began before the deadline: one that did not would not have moved it.
    new = [each.starts_at for each in moved.pauses if each not in state.window.pauses]
    return _concluded(state, superseded(state.window, min((state.window.due_at, *new)), PAUSED), now)


def join(state: WindowState, facts: Sequence[Fact], hold: str | None, now: datetime) -> WindowState:
    """The person turned out to have another id: `facts` are those under all ids, and `hold` says why promises of the
    person are on hold.
    """
    if state.window.state not in ("open", "breached"):
        return state
    state = _counting(state, facts)
    if state.window.state == "breached":
        return _judged_again(state, facts, now)
    if hold is not None and state.window.look_at is not None:
        state = replace(state, window=msgspec.structs.replace(state.window, hold=hold))
    return _concluded(state, verdict_now(state.window, facts, now=now, watermark=None), now)


def _running_again(watched: Window) -> Window:
    return msgspec.structs.replace(
        watched,
        state="open",
        ended_at=None,
        met_by=None,
        reason=None,
        breach_id=None,
        look_at=watched.verdict_at,
        again=watched.again + 1,
    )


def move_on(
    state: WindowState, at: datetime, now: datetime, why: str = "reassigned", *, missed: bool = False
) -> WindowState:
    """The lead went to another rep or queue at `at`. That cancels a promise that was not due yet, even if the move is
    read after its breach. A breach goes on, because the buyer still waits: only an answer or an end of the lead stops
    its ladder, counted from its deadline. A breach that caused the move (`missed`) came before it, whatever the
    router's clock says.
    """
    watched = state.window
    if at <= watched.decide_at and not (missed and watched.state == "breached"):
        return supersede(state, at, now, why)
    if watched.state not in ("open", "breached") or watched.look_at is None or watched.moved:
        return state
    look_at = watched.verdict_at if watched.state == "open" else watched.look_at
    return replace(state, window=msgspec.structs.replace(watched, moved=True, look_at=look_at))


def supersede(state: WindowState, at: datetime, now: datetime, why: str = "reassigned") -> WindowState:
    """The promise no longer applies from `at` on: the lead has ended, or has another owner before the deadline."""
    if state.window.state in ("open", "breached") and at > state.window.decide_at:
        gone_at = min(at, state.window.gone_at or at)
        state = replace(state, window=msgspec.structs.replace(state.window, gone_at=gone_at))
    if state.window.state == "open" and at > state.window.decide_at:
        orphan = msgspec.structs.replace(state.window, superseded=True, look_at=state.window.verdict_at)
        return replace(state, window=orphan)
    return _concluded(state, superseded(state.window, at, why), now)


def withdraw(state: WindowState, fact: Fact, now: datetime) -> WindowState:
    """The router ended the lead by a withdrawal of consent that is older than the promise."""
    if state.window.state not in ("open", "breached") or settlement.ends(state.window.terms, fact):
        return state
    return _concluded(state, ended(state.window, fact), now)


def settle(
    state: WindowState,
    facts: Sequence[Fact],
    levels: Sequence[Level],
    agreement: Agreement,
    *,
    now: datetime,
    watermark: datetime | None,
    judged: WindowVerdict | None = None,
    arranged: Arrangements = NOTHING_ARRANGED,
) -> WindowState:
    """Do everything that is due: warn, decide, climb the ladder. Each level fires once, in order, however late. After
    one that finds nobody on duty, the next fires at once. `agreement` is the one under which the window was opened.

    A level waits, like a breach, until the watermark has passed its instant plus the tolerance, so that a follow-up on
    its way prevents it. About a promise on a period no facts decide, but what was `judged` on all leads together.
    """
    state = _counting(state, facts)
    verdict = judged or verdict_now(state.window, facts, now=now, watermark=watermark)
    if verdict.outcome in ("met", "cancelled", "retracted"):
        return _concluded(state, verdict, now)
    if state.window.hold is not None or watermark is None:
        return state
    look = Look(levels, agreement, min(now, watermark), now, arranged)
    if state.window.state == "open":
        state = warn(state, look)
    if verdict.outcome == "breached":
        state = _judged_again(_concluded(state, verdict, now), facts, now)
        if state.window.superseded:
            state = replace(state, window=msgspec.structs.replace(state.window, look_at=None))
    if state.window.state == "breached" and state.window.look_at is not None:
        state = climb(state, look)
    return looking_on(state, levels, agreement)


def release(state: WindowState) -> WindowState:
    """The hold ends."""
    return replace(state, window=msgspec.structs.replace(state.window, hold=None))


def _counting(state: WindowState, facts: Iterable[Fact]) -> WindowState:
    counted = window.counting(state.window, facts)
    return state if counted is state.window else replace(state, window=counted)


def _judged_again(state: WindowState, facts: Iterable[Fact], now: datetime) -> WindowState:
    """A breached window after applying facts; follow-ups take precedence over the end of the lead."""
    state = _concluded(state, verdict_on_counted(state.window), now)
    for fact in sorted(facts, key=window.in_time_order):
        state = apply_fact(state, fact, now)
    return state


def _concluded(state: WindowState, verdict: WindowVerdict, now: datetime) -> WindowState:
    if verdict.outcome == "waits":
        return state
    concluded = after(state.window, verdict)
    announced = announcements.verdict(concluded, verdict, now)
    state = WindowState(concluded, state.escalation, (*state.announced, *announced), state.fired)
    raised = state.escalation
    if verdict.outcome in ("closed", "retracted") and raised is not None and raised.state != "closed":
        why = verdict.why if verdict.outcome == "closed" else "breach retracted"
        done = escalation.closed(raised, reason=why, at=verdict.at or now)
        state = replace(
            state, escalation=done, announced=(*state.announced, announcements.escalation_closed(done, now))
        )
    return state
