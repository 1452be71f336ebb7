"""How a breach climbs its ladder: each level once and in order, again when an acknowledgement runs out, and exhausted
after the last one. What is due follows from the stored window and escalation alone, whenever it is looked at.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from services.sla_monitor.domain import announcements, escalation, ladder
from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.recipients import recipients
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import FiredStep, StepOutcome, WindowState
from shared.domain.agreement import Agreement


def warn(
    state: WindowState, levels: Sequence[Level], agreement: Agreement, known_upto: datetime, now: datetime
) -> WindowState:
    """Fire the warnings of an open window that are due. A level is due once its instant and the tolerance after it lie
    before `known_upto`, up to which facts are complete.
    """
    at_once = False
    left = [level for level in _left(state.window, levels) if level.warning]
    for level in left if _warns(state.window) else ():
        is_due = level.due_at + state.window.tolerance <= known_upto
        if not is_due and not at_once:
            break
        state = _fire(state, level if is_due else replace(level, due_at=now), agreement, now)
        at_once = state.fired[-1].outcome == "skipped"
    return state


def climb(
    state: WindowState, levels: Sequence[Level], agreement: Agreement, known_upto: datetime, now: datetime
) -> WindowState:
    """Do all that is due on the ladder of a breached window. After a level that finds nobody on duty, the next fires at
    once, but for repeats: these find nobody either, and wait for their time.
    """
    at_once = False
    while (due_at := _next_at(state, levels, agreement)) is not None:
        is_due = due_at + state.window.tolerance <= known_upto
        level = next(iter(_left(state.window, levels)), None)
        if is_due and due_at == escalation.again_at(state.escalation):
            state, at_once = _fire_again(state, due_at, levels, agreement, now)
        elif level is not None and (is_due or (at_once and not level.loop)):
            state = _fire(state, level if is_due else replace(level, due_at=now), agreement, now)
            at_once = state.fired[-1].outcome == "skipped"
        elif level is None and is_due:
            state = _exhaust(state, due_at, now)
        else:
            break
    return state


def acknowledge(
    state: WindowState, levels: Sequence[Level], agreement: Agreement, *, by: str, until: datetime | None, now: datetime
) -> WindowState:
    """Someone takes the escalation on until then, or until it closes; it must not be closed."""
    assert state.escalation is not None  # noqa: S101
    taken = escalation.acknowledged(state.escalation, by=by, until=until)
    announced = (*state.announced, announcements.escalation_acknowledged(taken, by, now))
    state = replace(state, escalation=taken, announced=announced)
    look_at = _look_at(state, levels, agreement)
    return replace(state, window=msgspec.structs.replace(state.window, look_at=look_at))


def looking_ahead(watched: Window, levels: Sequence[Level]) -> Window:
    """An open window with the next instant at which something may have to be done."""
    left = _left(watched, levels)
    warns = left and left[0].warning and _warns(watched)
    look_at = left[0].due_at + watched.tolerance if warns else watched.verdict_at
    return msgspec.structs.replace(watched, look_at=look_at)


def looking_on(state: WindowState, levels: Sequence[Level], agreement: Agreement) -> WindowState:
    """A window, open or breached, with the next instant at which something may have to be done."""
    if state.window.state == "open":
        return replace(state, window=looking_ahead(state.window, levels))
    if state.window.look_at is None:
        return state
    look_at = _look_at(state, levels, agreement)
    return replace(state, window=msgspec.structs.replace(state.window, look_at=look_at))


def _look_at(state: WindowState, levels: Sequence[Level], agreement: Agreement) -> datetime | None:
    due_at = _next_at(state, levels, agreement)
    return due_at + state.window.tolerance if due_at is not None else None


def _next_at(state: WindowState, levels: Sequence[Level], agreement: Agreement) -> datetime | None:
    """When the next thing on the ladder of a breached window is due; None for never."""
    left = _left(state.window, levels)
    again_at = escalation.again_at(state.escalation)
    if left and again_at is not None:
        return min(left[0].due_at, again_at)
    if left or again_at is not None:
        return left[0].due_at if left else again_at
    if state.escalation is None or state.escalation.state != "firing":
        return None
    return ladder.exhausted_at(agreement, state.window, state.escalation.fired_at)


def _fire(state: WindowState, level: Level, agreement: Agreement, now: datetime) -> WindowState:
    watched, raised, announced = state.window, state.escalation, []
    to = recipients(agreement, watched.owner, level.tell, now)
    outcome: StepOutcome
    if (watched.moved and (level.warning or not (level.tell or level.page))) or (level.warning and watched.on_pace):
        outcome = "silenced"
    elif level.warning:
        outcome = "warned" if to or not level.tell else "skipped"
        announced.append(announcements.warned(watched, level, to))
    elif raised is not None and escalation.in_hands(raised) and not level.if_unanswered:
        outcome = "silenced"
        raised = escalation.passed(raised, level)
    else:
        outcome = "raised" if to or not level.tell else "skipped"
        raised = escalation.raised(watched, raised, level, to, now)
        announced.append(announcements.escalation_raised(watched, raised, level, to, now))
    if level.move_within is not None and not level.warning and not watched.moved:
        announced.append(announcements.move_requested(watched, level, level.move_within, now))
    stepped = msgspec.structs.replace(watched, steps_done=watched.steps_done + 1)
    done = FiredStep(watched.window_id, level, now, outcome)
    return WindowState(stepped, raised, (*state.announced, *announced), (*state.fired, done))


def _fire_again(
    state: WindowState, due_at: datetime, levels: Sequence[Level], agreement: Agreement, now: datetime
) -> tuple[WindowState, bool]:
    """The acknowledgement has run out: notify those whom the last level notified, and those whose levels came due
    meanwhile. Also whether there is nobody.
    """
    assert state.escalation is not None  # noqa: S101
    level = _together(state.escalation, levels, due_at)
    to = recipients(agreement, state.window.owner, level.tell, now)
    fired = escalation.fired_again(state.escalation, level, to, now)
    because = announcements.ACKNOWLEDGEMENT_ENDED
    news = announcements.escalation_raised(state.window, fired, level, to, now, because=because)
    return replace(state, escalation=fired, announced=(*state.announced, news)), bool(level.tell) and not to


def _together(raised: Escalation, levels: Sequence[Level], due_at: datetime) -> Level:
    """The last level that fired and those that were passed over, as one."""
    reaching = [each for each in levels if not (each.warning or each.loop) and (each.tell or each.page)]
    fired = [each.level for each in reaching if each.level <= raised.level]
    wanted = {*fired[-1:], *raised.passed}
    found = [each for each in reaching if each.level in wanted]
    return Level(
        loop=0,
        level=max([raised.level, *wanted]),
        due_at=due_at,
        warning=False,
        tell=tuple(dict.fromkeys(role for each in found for role in each.tell)),
        page=any(each.page for each in found),
        move_within=None,
    )


def _exhaust(state: WindowState, due_at: datetime, now: datetime) -> WindowState:
    assert state.escalation is not None  # noqa: S101
    over = msgspec.structs.replace(state.escalation, state="exhausted")
    news = announcements.escalation_exhausted(state.window, over, due_at, now)
    return replace(state, escalation=over, announced=(*state.announced, news))


def _left(watched: Window, levels: Sequence[Level]) -> Sequence[Level]:
    return levels[watched.steps_done :]


def _warns(watched: Window) -> bool:
    """Whether the rep can still be warned."""
    return not watched.superseded and not watched.moved
