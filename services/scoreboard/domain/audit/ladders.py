"""Which levels of a ladder should have fired by now."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.scoreboard.domain.audit.expected import Expected, ended_at, kept_at, reports
from services.scoreboard.domain.audit.persons import Persons
from services.scoreboard.domain.audit.working_time import step_due_at, written
from shared.domain.agreement import Step

READ_WITHIN = timedelta(minutes=15)
"""How late the monitor may read something, as far as levels go. An answer that it reads before a level fires prevents
the level, even if the level was due before the answer came.
"""


class Level(NamedTuple):
    """A level of a round of the ladder (0 is the ladder, later ones repeat its last level), and when it is due."""

    loop: int
    number: int
    due_at: datetime
    warning: bool


class FiredLevel(NamedTuple):
    """A level that the monitor recorded, and what came of it."""

    loop: int
    number: int
    fired_at: datetime
    outcome: str


def levels_of(expected: Expected) -> list[Level]:
    """All levels of the promise's ladder. Raises NotChecked."""
    ladder = expected.agreement.ladders.get(expected.promise.ladder)
    if ladder is None:
        return []
    steps = [step for step in ladder.steps if expected.generation or step.tell or step.page]
    found = [_level(expected, step, 0, 0) for step in steps]
    last = steps[-1] if steps else None
    if last is not None and not _is_warning(last) and (last.tell or last.page):
        rounds = range(1, ladder.repeats + 1)
        found += [_level(expected, last, each, each * ladder.repeat_every_s) for each in rounds]
    return [each for each in found if not (each.warning and each.due_at < expected.opened_at)]


def ladder_differences(
    expected: Expected,
    fired: Sequence[FiredLevel],
    persons: Persons,
    *,
    breached: bool,
    known_upto: datetime,
    tolerance: timedelta,
) -> Iterator[str]:
    """What is wrong with the levels that fired, in words. Raises NotChecked.

    A level has to fire once its time has passed, unless what ends the ladder came by then, or soon after. None may fire
    before its time (except at once after one that found nobody on duty), or for a promise that was answered before.
    """
    levels = {(each.loop, each.number): each for each in levels_of(expected)}
    stops_at, answered_at = _stops_at(expected, persons, tolerance)
    there = {(each.loop, each.number) for each in fired}
    for key, level in sorted(levels.items()):
        certain = level.due_at + tolerance
        required = certain <= known_upto and (stops_at is None or certain + READ_WITHIN < stops_at)
        if required and key not in there and (breached or level.warning) and not _during_leave(expected, level):
            yield f"level {_name(level.loop, level.number)} was due at {written(level.due_at)} and has not fired"
    at_once = min((each.fired_at for each in fired if each.outcome == "skipped"), default=None)
    for each in fired:
        due = levels.get((each.loop, each.number))
        name, at = _name(each.loop, each.number), written(each.fired_at)
        if due is None:
            yield f"level {name} fired, and the agreement has no such level"
        elif each.fired_at < due.due_at and (at_once is None or each.fired_at < at_once):
            yield f"level {name} fired at {at} and was due at {written(due.due_at)}"
        elif answered_at is not None and answered_at + READ_WITHIN < due.due_at and answered_at < each.fired_at:
            yield f"level {name} fired at {at}, though the promise was over at {written(answered_at)}"


def _stops_at(expected: Expected, persons: Persons, tolerance: timedelta) -> tuple[datetime | None, datetime | None]:
    """When a level may have been prevented at the earliest, and when all levels must have been."""
    known = reports(expected, persons)
    answers = [each for each in (kept_at(expected, known, tolerance), ended_at(expected, known, tolerance)) if each]
    gone = [each.at for each in expected.departures]
    for_good = [each.known_at or each.at for each in answers if each.lead_id == expected.lead_id]
    return min([*(each.at for each in answers), *gone], default=None), min(for_good, default=None)


def _level(expected: Expected, step: Step, loop: int, later_s: int) -> Level:
    due_at = step_due_at(step, expected.calendar, expected.due_at, later_s)
    return Level(loop, step.level, due_at, _is_warning(step))


def _is_warning(step: Step) -> bool:
    return step.after_s < 0 or step.after_days < 0


def _during_leave(expected: Expected, level: Level) -> bool:
    """Whether leave may have moved a warning, which is not worked out."""
    return level.warning and any(
        each.starts_at < expected.due_at and each.ends_at > level.due_at for each in expected.leave
    )


def _name(loop: int, number: int) -> str:
    return f"{number} (repeat {loop})" if loop else str(number)
