"""The levels of an escalation as instants, computed from the agreement under which the window was opened, so that a new
agreement never changes a running ladder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from services.sla_monitor.domain.window import Window
from shared.domain.agreement import Agreement, Commitment, Ladder, Promise, Step
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.follow_up import is_warning, step_at, warning_at
from shared.domain.promises import office
from shared.domain.zones import ZONE_DATA

_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of one round. Round 0 is the ladder itself, later ones are its repeats. A `warning` comes before the
    deadline. `move_within` asks for another owner. `if_unanswered`: an acknowledgement does not silence it.
    """

    loop: int
    level: int
    due_at: datetime
    warning: bool
    tell: tuple[str, ...]
    page: bool
    move_within: str | None
    if_unanswered: bool = False


def levels(agreement: Agreement, window: Window) -> list[Level]:
    """All levels of the window's ladder, first due first; empty without a ladder.

    Business offsets count in the owner's calendar, and nobody is warned during leave or a pause. A warning that was due
    before the window opened is left out. Repeats fire the last level again, but never move the lead again. A promise of
    operations moves no lead, because there is no owner; nor does one of marketing, whose offsets count in the
    organisation's calendar. Raises NeverOpens as `deadline`.
    """
    ladder = _ladder(agreement, window)
    if ladder is None:
        return []
    steps = _steps(ladder, window)
    rounds = [(0, step) for step in steps] + [(loop, steps[-1]) for loop in range(1, _repeats(ladder, steps) + 1)]
    found = [
        _level(step, loop, due_at) for (loop, step), due_at in zip(rounds, _instants(agreement, window), strict=False)
    ]
    due = [level for level in found if not (level.warning and level.due_at < window.opened_at) or _done(level, window)]
    return sorted(due, key=lambda level: (not _done(level, window), level.due_at, level.loop, level.level))


def planned(agreement: Agreement, window: Window) -> Window:
    """The window with the instants of its ladder, which stay as they are: what a later version of the library of
    holidays, or of the zones, says about them changes nothing. Raises NeverOpens as `deadline`.
    """
    instants = _instants(agreement, msgspec.structs.replace(window, ladder_us=()))
    calendar = _calendar(agreement, window).version[:12]
    offsets = tuple([(each - window.due_at) // _US for each in instants])
    return msgspec.structs.replace(window, ladder_us=offsets, calendar=calendar, zone_data=ZONE_DATA)


def _instants(agreement: Agreement, window: Window) -> list[datetime]:
    """When the steps are due, then the repeats of the last one, then when the wait after these is over."""
    ladder = _ladder(agreement, window)
    if ladder is None or not ladder.steps:
        return []
    if window.ladder_us:
        return [window.due_at + each * _US for each in window.ladder_us]
    steps, calendar = _steps(ladder, window), _calendar(agreement, window)
    found = [_due_at(step, window, calendar) for step in steps]
    for loop in range(1, _repeats(ladder, steps) + 1):
        again = timedelta(seconds=loop * ladder.repeat_every_s)
        found.append(step_at(steps[-1], window.due_at, calendar, again))
    return [*found, step_at(ladder.steps[-1], window.due_at, calendar, _wait(ladder) * (ladder.repeats + 1))]


def _steps(ladder: Ladder, window: Window) -> Sequence[Step]:
    return ladder.steps if window.side == "sales" else _without_moves(ladder.steps)


def _repeats(ladder: Ladder, steps: Sequence[Step]) -> int:
    last = steps[-1] if steps else None
    return ladder.repeats if last is not None and not is_warning(last) and (last.tell or last.page) else 0


def _wait(ladder: Ladder) -> timedelta:
    return timedelta(seconds=ladder.repeat_every_s) if ladder.repeats else LAST_WAIT


LAST_WAIT = timedelta(minutes=30)
"""How long the last level has to get an answer, if it does not repeat."""


def exhausted_at(agreement: Agreement, window: Window, fired_at: datetime | None) -> datetime | None:
    """When the ladder is over: once its last level was due, and its wait after that has passed, which is the time
    between its repeats. Those who were notified late, at `fired_at`, have that wait as well. None without a ladder.
    Raises NeverOpens as `deadline`.
    """
    climbed, instants = _ladder(agreement, window), _instants(agreement, window)
    if climbed is None or not instants:
        return None
    return max(instants[-1], fired_at + _wait(climbed)) if fired_at is not None else instants[-1]


def _ladder(agreement: Agreement, window: Window) -> Ladder | None:
    by_side: Mapping[str, Mapping[str, Promise | Commitment]] = {
        "sales": agreement.promises,
        "operations": agreement.operations,
        "marketing": agreement.commitments,
    }
    promise = by_side[window.side].get(window.promise)
    return agreement.ladders.get(promise.ladder) if promise else None


def _calendar(agreement: Agreement, window: Window) -> Calendar:
    if window.period is not None:
        return office(agreement)
    owner = agreement.people.get(window.owner)
    return (owner.calendar if owner else None) or ALWAYS


def _done(level: Level, window: Window) -> bool:
    """Whether the level had fired before the deadline changed: no level fires twice."""
    return level.loop == 0 and level.level in window.warned


def carried_over(agreement: Agreement, window: Window, moved: Window) -> Window:
    """The `moved` window, which has another deadline, with the levels that have fired for the one before: all of an
    open one, and the warnings of one whose breach is taken back.
    """
    fired = levels(agreement, window)[: window.steps_done]
    done = [level for level in fired if level.warning or window.state != "breached"]
    moved = msgspec.structs.replace(moved, warned=tuple([level.level for level in done]), steps_done=len(done))
    return planned(agreement, moved)


def _due_at(step: Step, window: Window, calendar: Calendar) -> datetime:
    if is_warning(step):
        return warning_at(step, window.due_at, calendar, (*window.leave, *window.pauses))
    return step_at(step, window.due_at, calendar)


def _level(step: Step, loop: int, due_at: datetime) -> Level:
    move_within = step.move_within if not loop else None
    return Level(loop, step.level, due_at, is_warning(step), step.tell, step.page, move_within, step.if_unanswered)


def _without_moves(steps: Sequence[Step]) -> list[Step]:
    return [replace(step, move_within=None) for step in steps if step.tell or step.page]
