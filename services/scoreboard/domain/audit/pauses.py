"""By how much pauses move a deadline, by the rules of docs/promises.md, written once more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scoreboard.domain.audit.expected import Expected
from services.scoreboard.domain.audit.notes import LONG_AGO
from services.scoreboard.domain.audit.persons import Activity, Persons
from services.scoreboard.domain.audit.working_time import Interval, add, after, worked_s
from shared.domain.calendar import ALWAYS
from shared.domain.events import LeaveInterval

PAUSING = ("paused", "resumed")


def as_paused(expected: Expected, persons: Persons) -> Iterator[Expected]:
    """The promise with the deadlines that follow from its pauses, as each began or was resumed: one that ends meanwhile
    has the deadline of that moment. What was reported under another id pauses it only once both are known to be one
    person: so first as for one that had ended before, last as all is known. Raises NotChecked.
    """
    if expected.promise.pause is None or not expected.generation:
        yield expected
        return
    pausing = [each for each in persons.about(expected.lead_id) if each.kind in PAUSING]
    joined = {each.lead_id: persons.joined_at(expected.lead_id, each.lead_id) for each in pausing}
    last_at = max(joined.values(), default=LONG_AGO)
    for at in sorted({LONG_AGO, *joined.values()}):
        paused = _with_pauses(expected, [each for each in pausing if joined[each.lead_id] <= at])
        yield replace(paused, if_ended=at < last_at)


def due_as_of(expected: Expected, persons: Persons, at: datetime) -> datetime:
    """The deadline of the promise with what had paused it by an instant. Raises NotChecked."""
    if expected.promise.pause is None or not expected.generation:
        return expected.due_at
    by_then = [each for each in persons.about(expected.lead_id) if each.kind in PAUSING and each.at <= at]
    return _with_pauses(expected, by_then).due_at


def _with_pauses(expected: Expected, pausing: Iterable[Activity]) -> Expected:
    stages = _stages(expected, pausing)
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


def _stages(expected: Expected, pausing: Iterable[Activity]) -> list[list[Interval]]:
    """The pauses of the lead's cycle as known after each activity that began or ended one: each ends when it is
    resumed, or has lasted as long as one may.
    """
    rule, since_at = expected.promise.pause, expected.ends_from_at or expected.opened_at
    found: list[Interval] = []
    stages: list[list[Interval]] = []
    for each in sorted(pausing, key=lambda activity: (activity.at, activity.kind)):
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
