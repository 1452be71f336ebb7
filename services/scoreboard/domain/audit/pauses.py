"""By how much pauses move a deadline, by the rules of docs/promises.md, written once more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.expected import Expected
from services.scoreboard.domain.audit.persons import Persons
from services.scoreboard.domain.audit.working_time import Interval, add, after, worked_s
from shared.domain.calendar import ALWAYS
from shared.domain.events import LeaveInterval


def with_pauses(expected: Expected, persons: Persons) -> Expected:
    """The promise with the deadlines that follow from its pauses, as each began or was resumed: one that ends meanwhile
    has the deadline of that moment. Raises NotChecked.
    """
    if expected.promise.pause is None or not expected.generation:
        return expected
    stages = _stages(expected, persons)
    moved = [
        due
        for pauses in stages
        for since_due, leave in zip(expected.dues, expected.leaves, strict=True)
        if (due := _moved(expected, since_due, leave, pauses)) != since_due
    ]
    last = _moved(expected, expected.due_at, expected.leave, stages[-1] if stages else [])
    expected = replace(expected, pauses=tuple([tuple(each) for each in stages]))
    return replace(expected, dues=(*expected.dues, *moved, last)) if moved else expected


def _moved(expected: Expected, due: datetime, leave: Sequence[LeaveInterval], pauses: Sequence[Interval]) -> datetime:
    """The deadline `due` under this leave, later by the working time of the pauses before it."""
    calendar = ALWAYS if expected.promise.clock == "wall" else expected.calendar
    away = tuple(Interval(each.starts_at, each.ends_at) for each in leave)
    within = Interval(expected.opened_at, due)
    paused_s = worked_s(calendar, within, away) - worked_s(calendar, within, (*away, *pauses))
    return add(calendar, due, paused_s, (*away, *pauses)) if paused_s else due


def _stages(expected: Expected, persons: Persons) -> list[list[Interval]]:
    """The pauses of the lead's cycle as known after each activity that began or ended one: each ends when it is
    resumed, or has lasted as long as one may.
    """
    rule, since_at = expected.promise.pause, expected.ends_from_at or expected.opened_at
    found: list[Interval] = []
    stages: list[list[Interval]] = []
    for each in sorted(persons.about(expected.lead_id), key=lambda activity: (activity.at, activity.kind)):
        over = not found or found[-1].closes <= each.at
        if rule is None or each.at < since_at:
            continue
        if each.kind == "paused" and over and len(found) < rule.times:
            most = rule.at_most
            business = most.business or most.days
            ends_at = after(most, expected.calendar, each.at) if business else each.at + timedelta(seconds=most.seconds)
            found.append(Interval(each.at, ends_at))
        elif each.kind == "resumed" and not over:
            found[-1] = Interval(found[-1].opens, each.at)
        else:
            continue
        stages.append(list(found))
    return stages
