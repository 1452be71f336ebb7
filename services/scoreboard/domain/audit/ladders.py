"""Which levels of a ladder should have fired by now.

Nobody is notified about what is already over. So what counts for a level is not when its promise was over, but when the
monitor had read that: after an outage it may read an answer together with everything that came due before it.

If a breach is taken back and the promise runs again, its warnings have been given, and every other level fires again by
the later deadline. The monitor keeps when a level fired last, so what fired before that again shows nothing any more.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import NamedTuple

from services.scoreboard.domain.audit.expected import Expected, ended_at, kept_at, reports
from services.scoreboard.domain.audit.notes import AT_ONCE, NOT_SAID, READ_WITHIN, Notes, Run
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.record import FiredLevel, FoundWindow, Record
from services.scoreboard.domain.audit.working_time import (
    Interval,
    NotChecked,
    step_due_at,
    warning_due_at,
    written,
)
from shared.domain.agreement import Step

_Key = tuple[int, int]


class Level(NamedTuple):
    """A level of a round of the ladder (0 is the ladder, later ones repeat its last level). It is due at the earliest
    and at the latest at these instants, depending on which deadline, leave and pauses applied.
    """

    loop: int
    number: int
    warning: bool
    earliest_at: datetime
    latest_at: datetime

    @property
    def name(self) -> str:
        """Its number, for people."""
        return f"{self.number} (repeat {self.loop})" if self.loop else str(self.number)


def levels_of(expected: Expected, dues: Collection[datetime]) -> dict[_Key, Level]:
    """All levels of the promise's ladder, if these may be its deadlines. Raises NotChecked."""
    ladder = expected.agreement.ladders.get(expected.promise.ladder)
    if ladder is None:
        return {}
    steps = [step for step in ladder.steps if expected.generation or step.tell or step.page]
    found = [_level(expected, step, 0, 0, dues) for step in steps]
    last = steps[-1] if steps else None
    if last is not None and not _is_warning(last) and (last.tell or last.page):
        rounds = range(1, ladder.repeats + 1)
        found += [_level(expected, last, each, each * ladder.repeat_every_s, dues) for each in rounds]
    there = [each for each in found if not (each.warning and each.latest_at < expected.opened_at)]
    return {(each.loop, each.number): each for each in there}


def ladder_differences(
    expected: Expected, window: FoundWindow, persons: Persons, record: Record, *, breached: bool
) -> Iterator[str]:
    """What is wrong with the levels that fired, in words. Raises NotChecked.

    A level has to fire once its time has passed and the monitor knows of nothing that ends the ladder. None may fire
    before its time (except at once after one that found nobody on duty), or after the end of the promise was read.
    """
    fired = record.fired.get(window.window_id, ())
    notes = record.notes.get(window.window_id, Notes())
    runs = notes.runs or ()
    if len(runs) != window.again + 1:
        raise NotChecked(NOT_SAID)
    known = {*expected.dues, window.due_at, *(due for _, due in notes.dues or ())}
    possible = levels_of(expected, known)
    last: list[Level] = []
    there = set()
    for each in fired:
        key, at = (each.loop, each.number), written(each.fired_at)
        if key not in possible:
            yield f"level {each.number} fired, and the agreement has no such level"
            continue
        level = levels_of(expected, notes.dues_at(each.fired_at) or known).get(key, possible[key])
        of_last = _is_of_last(each, runs[-1], possible[key])
        last += [level] if of_last else []
        there |= {key} if of_last or level.warning else set()
        run = [run for run in runs if run.began_at <= each.fired_at][-1]
        skipped = [e for e in fired if e.outcome == "skipped" and run.began_at <= e.fired_at <= each.fired_at]
        early = each.fired_at < level.earliest_at and not skipped
        over_at = None if early else _over_at(expected, persons, window, run, level, each)
        if early:
            yield f"level {level.name} fired at {at} and was due at {written(level.earliest_at)}"
        elif over_at is not None:
            yield f"level {level.name} fired at {at}, though the promise was over at {written(over_at)}"
    upto = _looked_upto(expected, window, persons, record, [each.earliest_at for each in last], runs[-1])
    yield from _missing(expected, window, there, upto, breached=breached)


def _is_of_last(fired: FiredLevel, last: Run, level: Level) -> bool:
    """Whether a level fired since the promise ran again last. Its transaction may have begun just before that."""
    near = fired.fired_at + AT_ONCE >= last.began_at
    return fired.fired_at >= last.began_at or (near and fired.fired_at >= level.latest_at)


def _missing(
    expected: Expected, window: FoundWindow, there: Collection[_Key], upto: datetime, *, breached: bool
) -> Iterator[str]:
    """The levels that had to fire up to an instant and did not, by the deadline that applied last."""
    due = window.due_at if window.due_at in expected.dues else expected.due_at
    levels = levels_of(expected, {due})
    for key, level in sorted(levels.items()):
        owed = (breached or level.warning) and level.earliest_at >= expected.opened_at
        if owed and key not in there and level.latest_at + window.tolerance <= upto:
            yield f"level {level.name} was due at {written(level.latest_at)} and has not fired"


def _looked_upto(
    expected: Expected, window: FoundWindow, persons: Persons, record: Record, fired: Sequence[datetime], run: Run
) -> datetime:
    """Up to when the monitor surely looked for what is due in this run, without knowing of an end of the ladder, if
    levels that were due at these instants `fired` in it.

    While nothing is over, it has to as far as facts are complete. Once something is, the monitor may have read that
    together with whatever came due since it looked last. Levels fire in order, those before the deadline before a
    breach: so a level that fired shows a look, and so does a breach, if what ended the promise came after it.
    """
    ends = _answers(expected, persons, window.tolerance)
    if not ends and not expected.departures:
        return min(record.now, record.known_upto) if record.known_upto is not None else expected.opened_at
    shown = [due_at + window.tolerance for due_at in fired]
    over = [*(each.known_at or each.at for each in ends), *(each.at for each in expected.departures)]
    if run.breached_at is not None and min(over) > run.breached_at + AT_ONCE:
        shown.append(window.due_at + window.tolerance)
    return max(shown, default=expected.opened_at)


def _over_at(
    expected: Expected, persons: Persons, window: FoundWindow, run: Run, level: Level, fired: FiredLevel
) -> datetime | None:
    """When the promise was over for all that the monitor could know, if the level fired after that. Where nothing says
    when it learned of an answer that it has stored, this is some time after the answer.
    """
    if run.over_at is not None:
        return run.over_at if fired.fired_at > run.over_at + AT_ONCE else None
    if run.ended or fired.outcome == "silenced":
        return None
    answers = _answers(expected, persons, window.tolerance)
    stored = [a for a in answers if a.lead_id == expected.lead_id and (a.lead_id, a.key) in persons.stored]
    for at in (each.known_at or each.at for each in stored):
        if at + READ_WITHIN < level.earliest_at and at < fired.fired_at:
            return at
    return None


def _answers(expected: Expected, persons: Persons, tolerance: timedelta) -> list[Activity]:
    known = reports(expected, persons)
    return [each for each in (kept_at(expected, known, tolerance), ended_at(expected, known, tolerance)) if each]


def _level(expected: Expected, step: Step, loop: int, later_s: int, dues: Collection[datetime]) -> Level:
    calendar, warning = expected.calendar, _is_warning(step)
    if warning:
        at = [warning_due_at(step, calendar, due, away) for due in dues for away in _away(expected)]
    else:
        at = [step_due_at(step, calendar, due, later_s) for due in dues]
    return Level(loop, step.level, warning, min(at), max(at))


def _away(expected: Expected) -> set[tuple[Interval, ...]]:
    """When the owner may not have been warned: during leave and pauses as known at any time."""
    leaves: Sequence[tuple[Interval, ...]] = [
        tuple([Interval(each.starts_at, each.ends_at) for each in leave]) for leave in expected.leaves
    ]
    return {(*leave, *pauses) for leave, pauses in product(leaves, ((), *expected.pauses))}


def _is_warning(step: Step) -> bool:
    return step.after_s < 0 or step.after_days < 0
