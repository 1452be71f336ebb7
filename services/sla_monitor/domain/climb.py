"""How a breach climbs its ladder: each level once and in order, again when an acknowledgement or a silence ends, and
exhausted after the last one. What is due follows from the stored window and escalation alone, whenever it is looked at.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from services.sla_monitor.domain import announcements, escalation, ladder
from services.sla_monitor.domain.arrangements import NOTHING_ARRANGED, Arrangements
from services.sla_monitor.domain.escalation import Escalation
from services.sla_monitor.domain.ladder import Level
from services.sla_monitor.domain.recipients import recipients
from services.sla_monitor.domain.window import Window
from services.sla_monitor.domain.window_state import FiredStep, StepOutcome, WindowState
from shared.domain.agreement import Agreement
from shared.domain.events import Recipient
from shared.domain.silences import Silence

LAST_RESORT = "ops"
"""The role that learns that a ladder is over, if those whom its last level notifies are nobody now."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a window at `now`: the levels of its ladder, the agreement under which it runs, what operators
    arranged, and up to when facts are complete. A level is due once its instant and the tolerance lie before that.
    """

    levels: Sequence[Level]
    agreement: Agreement
    known_upto: datetime
    now: datetime
    arranged: Arrangements = NOTHING_ARRANGED


def warn(state: WindowState, look: Look) -> WindowState:
    """Fire the warnings of an open window that are due."""
    at_once = False
    left = [level for level in _left(state.window, look.levels) if level.warning]
    for level in left if _warns(state.window) else ():
        is_due = level.due_at + state.window.tolerance <= look.known_upto
        if not is_due and not at_once:
            break
        state = _fire(state, level if is_due else replace(level, due_at=look.now), look)
        at_once = state.fired[-1].outcome == "skipped"
    return state


def climb(state: WindowState, look: Look) -> WindowState:
    """Do all that is due on the ladder of a breached window. After a level that finds nobody on duty, the next fires at
    once, but for repeats: these find nobody either, and wait for their time.
    """
    at_once = False
    while (due_at := _next_at(state, look.levels, look.agreement)) is not None:
        is_due = due_at + state.window.tolerance <= look.known_upto
        level = next(iter(_left(state.window, look.levels)), None)
        if is_due and due_at == escalation.again_at(state.escalation):
            state, at_once = _fire_again(state, due_at, look)
        elif level is not None and (is_due or (at_once and not level.loop)):
            state = _fire(state, level if is_due else replace(level, due_at=look.now), look)
            at_once = state.fired[-1].outcome == "skipped"
        elif level is None and is_due:
            state = _exhaust(state, due_at, look)
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


def over(state: WindowState, silence_id: str, now: datetime) -> WindowState:
    """The silence ended early, at `now`."""
    if state.escalation is None or state.escalation.silence_id != silence_id:
        return state
    ended = msgspec.structs.replace(state.escalation, silenced_until_at=now)
    return replace(state, escalation=ended, window=msgspec.structs.replace(state.window, look_at=now))


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
    due = [each for each in (left[0].due_at if left else None, again_at) if each is not None]
    if due:
        return min(due)
    if state.escalation is None or state.escalation.state != "firing":
        return None
    return ladder.exhausted_at(agreement, state.window, state.escalation.fired_at)


def _fire(state: WindowState, level: Level, look: Look) -> WindowState:
    watched, raised, announced, now = state.window, state.escalation, [], look.now
    silence, to = _who(watched, level, look)
    following = _following(watched, look.levels[watched.steps_done + 1 :])
    outcome: StepOutcome
    if (watched.moved and (level.warning or not (level.tell or level.page))) or (level.warning and watched.on_pace):
        outcome = "silenced"
    elif level.warning:
        outcome = _outcome("warned", level, to, silence)
        announced.append(announcements.warned(watched, level, to, silence, following=following))
    elif raised is not None and escalation.in_hands(raised) and not level.if_unanswered:
        outcome = "silenced"
        raised = escalation.passed(raised, level)
    else:
        outcome = _outcome("raised", level, to, silence)
        raised = escalation.raised(watched, raised, level, to, now)
        if silence is not None:
            raised = escalation.silenced(raised, [level.level], silence)
        announced.append(
            announcements.escalation_raised(watched, raised, level, to, now, silence=silence, following=following)
        )
    if level.move_within is not None and not level.warning and not watched.moved:
        announced.append(announcements.move_requested(watched, level, level.move_within, now))
    stepped = msgspec.structs.replace(watched, steps_done=watched.steps_done + 1)
    done = FiredStep(watched.window_id, level, now, outcome)
    return WindowState(stepped, raised, (*state.announced, *announced), (*state.fired, done))


def _who(watched: Window, level: Level, look: Look) -> tuple[Silence | None, tuple[Recipient, ...]]:
    """Whom a level reaches now, and the silence because of which that is nobody."""
    silence = look.arranged.silence_on(look.agreement, watched, look.now) if level.tell or level.page else None
    if silence is not None:
        return silence, ()
    return None, recipients(look.agreement, watched.owner, level.tell, look.now, look.arranged.overrides)


def _outcome(reached: StepOutcome, level: Level, to: Sequence[Recipient], silence: Silence | None) -> StepOutcome:
    if silence is not None:
        return "silenced"
    return reached if to or not level.tell else "skipped"


def _fire_again(state: WindowState, due_at: datetime, look: Look) -> tuple[WindowState, bool]:
    """The acknowledgement or the silence is over. Notify those whose levels came due meanwhile, and after an
    acknowledgement those whom the last level notified. Also whether there is nobody on duty.
    """
    raised = state.escalation
    assert raised is not None  # noqa: S101
    ran_out = escalation.in_hands(raised) and raised.quiet_until_at == due_at
    numbers = _numbers(raised, look.levels) if ran_out else set(raised.silenced)
    level = _together(raised, numbers, look.levels, due_at)
    silence, to = _who(state.window, level, look)
    if silence is not None and not ran_out:
        return replace(state, escalation=escalation.silenced(raised, (), silence)), False
    fired = escalation.fired_again(raised, level, to, look.now, ran_out=ran_out)
    if silence is not None:
        fired = escalation.silenced(fired, sorted(numbers), silence)
    because = announcements.ACKNOWLEDGEMENT_ENDED if ran_out else announcements.SILENCE_ENDED
    following = _following(state.window, _left(state.window, look.levels))
    news = announcements.escalation_raised(
        state.window, fired, level, to, look.now, because=because, silence=silence, following=following
    )
    nobody = bool(level.tell) and not to and silence is None
    return replace(state, escalation=fired, announced=(*state.announced, news)), nobody


def _numbers(raised: Escalation, levels: Sequence[Level]) -> set[int]:
    """The last level that fired, and those that came due since then and notified no one."""
    fired = [each.level for each in _reaching(levels) if each.level <= raised.level]
    return {*fired[-1:], *raised.passed, *raised.silenced}


def _together(raised: Escalation, numbers: Collection[int], levels: Sequence[Level], due_at: datetime) -> Level:
    """Several levels as one."""
    found = [each for each in _reaching(levels) if each.level in numbers]
    return Level(
        loop=0,
        level=max([raised.level, *numbers]),
        due_at=due_at,
        warning=False,
        tell=tuple(dict.fromkeys(role for each in found for role in each.tell)),
        page=any(each.page for each in found),
        move_within=None,
    )


def _reaching(levels: Sequence[Level]) -> list[Level]:
    """The levels after the deadline that notify or page someone, without repeats."""
    return [each for each in levels if not (each.warning or each.loop) and (each.tell or each.page)]


def _exhaust(state: WindowState, due_at: datetime, look: Look) -> WindowState:
    """The ladder is over. Those whom its last level notified learn that nothing follows; ops, if that is nobody."""
    raised = state.escalation
    assert raised is not None  # noqa: S101
    fired = [each.level for each in _reaching(look.levels) if each.level <= raised.level]
    last = _together(raised, fired[-1:], look.levels, due_at)
    silence, to = _who(state.window, last, look)
    if not to and silence is None:
        silence, to = _who(state.window, replace(last, tell=(LAST_RESORT,)), look)
    over = msgspec.structs.replace(raised, state="exhausted")
    news = announcements.escalation_exhausted(state.window, over, last, to, look.now, silence)
    return replace(state, escalation=over, announced=(*state.announced, news))


def _following(watched: Window, levels: Sequence[Level]) -> Level | None:
    """The first of the levels that notifies someone or moves the lead; a lead that has moved does not move again."""
    does = (each for each in levels if each.tell or each.page or (each.move_within is not None and not watched.moved))
    return next(does, None)


def _left(watched: Window, levels: Sequence[Level]) -> Sequence[Level]:
    return levels[watched.steps_done :]


def _warns(watched: Window) -> bool:
    """Whether the rep can still be warned."""
    return not watched.superseded and not watched.moved
