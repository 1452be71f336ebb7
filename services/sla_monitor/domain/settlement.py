"""What follows for a window and its escalation, with the events that say so: from a fact, from a new owner, and from
time passing. All state changes of the monitor are made here; what is returned is saved and announced as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from services.sla_monitor.domain import announcements, escalation, window
from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.window import Fact, Verdict, Window
from shared.bus.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Fired:
    """A level that is done: `outcome` is `warned`, `raised`, `silenced` (somebody had taken it on)."""

    window_id: str
    level: Level
    fired_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class Case:
    """A window with its escalation as they stand, and what has to be announced and noted of the way here."""

    window: Window
    escalation: Escalation | None = None
    announced: tuple[Envelope, ...] = ()
    fired: tuple[Fired, ...] = ()


def open_case(opened: Window, facts: Sequence[Fact], levels: Sequence[Level]) -> Case:
    """A new window; facts that came before the assignment count at once."""
    case = _counting(Case(_looking_ahead(opened, levels), announced=(announcements.opened(opened),)), facts)
    verdict = window.judged(case.window, facts, now=opened.opened_at, watermark=None)
    return _concluded(case, verdict, opened.known_at)


def hear(case: Case, fact: Fact, now: datetime) -> Case:
    """A fact came in. One that does not end the window yet, but counts for it, is kept with it."""
    if case.window.state not in ("open", "breached"):
        return case
    case = _counting(case, (fact,))
    return _concluded(case, window.heard(case.window, fact), now)


def move_start(case: Case, facts: Sequence[Fact], now: datetime) -> Case:
    """The person's first inquiry turned up late: facts count from then on, which may meet the window, or disprove its
    breach.
    """
    moved = window.starting(case.window, facts)
    if moved is case.window or moved.state not in ("open", "breached"):
        return case
    case = _counting(replace(case, window=moved), facts)
    if moved.state == "breached":
        return _judged_again(case, facts, now)
    return _concluded(case, window.judged(case.window, facts, now=now, watermark=None), now)


def supersede(case: Case, at: datetime, now: datetime, why: str = "reassigned") -> Case:
    """The promise no longer applies from `at` on: the lead has another owner, or is nobody's business any more."""
    if case.window.state == "open" and at > case.window.decide_at:
        orphan = msgspec.structs.replace(case.window, superseded=True, look_at=case.window.verdict_at)
        return replace(case, window=orphan)
    return _concluded(case, window.superseded(case.window, at, why), now)


def settle(
    case: Case, facts: Sequence[Fact], levels: Sequence[Level], *, now: datetime, watermark: datetime | None
) -> Case:
    """Do all that has fallen due: warn, give the verdict, climb the ladder; each level once, in order, however late.

    A level waits, like a breach, until the watermark has passed its instant and the tolerance, so that a follow-up
    on its way prevents it.
    """
    case = _counting(case, facts)
    verdict = window.judged(case.window, facts, now=now, watermark=watermark)
    if verdict.outcome in ("met", "cancelled"):
        return _concluded(case, verdict, now)
    if case.window.hold is not None or watermark is None:
        return case
    known_upto = min(now, watermark)
    if case.window.state == "open" and not case.window.superseded:
        case = _climb(case, [level for level in _left(case, levels) if level.warning], known_upto, now)
    if verdict.outcome == "breached":
        case = _judged_again(_concluded(case, verdict, now), facts, now)
        if case.window.superseded:
            case = _quiet(case)
    if case.window.state == "breached" and case.window.look_at is not None:
        case = _climb(case, _left(case, levels), known_upto, now)
    return replace(case, window=_looking_ahead(case.window, levels))


def release(case: Case) -> Case:
    """Nothing stands in the way of a verdict any more."""
    return replace(case, window=msgspec.structs.replace(case.window, hold=None))


def _counting(case: Case, facts: Iterable[Fact]) -> Case:
    counted = window.counting(case.window, facts)
    return case if counted is case.window else replace(case, window=counted)


def _judged_again(case: Case, facts: Iterable[Fact], now: datetime) -> Case:
    """A breached window with what the facts say of it; follow-ups come before what ended the lead."""
    case = _concluded(case, window.kept(case.window), now)
    for fact in facts:
        case = hear(case, fact, now)
    return case


def _concluded(case: Case, verdict: Verdict, now: datetime) -> Case:
    if verdict.outcome == "waits":
        return case
    ended = window.after(case.window, verdict)
    said = announcements.verdict(ended, verdict, now)
    case = Case(ended, case.escalation, (*case.announced, *said), case.fired)
    raised = case.escalation
    if verdict.outcome in ("closed", "retracted") and raised is not None and raised.state != "closed":
        why = verdict.why if verdict.outcome == "closed" else "breach retracted"
        done = escalation.closed(raised, reason=why, at=verdict.at or now)
        case = replace(case, escalation=done, announced=(*case.announced, announcements.escalation_closed(done)))
    return case


def _climb(case: Case, levels: Sequence[Level], known_upto: datetime, now: datetime) -> Case:
    for level in levels:
        if level.due_at + case.window.tolerance > known_upto:
            break
        case = _fire(case, level, now)
    return case


def _fire(case: Case, level: Level, now: datetime) -> Case:
    watched, raised, said = case.window, case.escalation, []
    if level.warning:
        outcome = "warned"
        said.append(announcements.warned(watched, level))
    elif escalation.in_hands(raised, level) and not level.if_unanswered:
        outcome = "silenced"
    else:
        outcome = "raised"
        raised = escalation.raised(watched, raised, level, now)
        said.append(announcements.escalation_raised(watched, raised, level, now))
    if level.move_within is not None and not level.warning:
        said.append(announcements.move_requested(watched, level, level.move_within, now))
    stepped = msgspec.structs.replace(watched, steps_done=watched.steps_done + 1)
    done = Fired(watched.window_id, level, now, outcome)
    return Case(stepped, raised, (*case.announced, *said), (*case.fired, done))


def _left(case: Case, levels: Sequence[Level]) -> Sequence[Level]:
    return levels[case.window.steps_done :]


def _quiet(case: Case) -> Case:
    return replace(case, window=msgspec.structs.replace(case.window, look_at=None))


def _looking_ahead(watched: Window, levels: Sequence[Level]) -> Window:
    """The window with the next instant at which something may have to be done."""
    left = levels[watched.steps_done :]
    look_at = watched.look_at
    if watched.state == "open":
        warns = left and left[0].warning and not watched.superseded
        look_at = left[0].due_at + watched.tolerance if warns else watched.verdict_at
    elif look_at is not None:
        look_at = left[0].due_at + watched.tolerance if left else None
    return msgspec.structs.replace(watched, look_at=look_at)
