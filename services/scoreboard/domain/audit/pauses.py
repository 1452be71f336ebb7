"""By how much pauses move a deadline, by the rules of docs/promises.md, written once more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.scoreboard.domain.audit.expected import Expected
from services.scoreboard.domain.audit.persons import Persons
from services.scoreboard.domain.audit.working_time import Interval, add, after, worked_s
from shared.domain.calendar import ALWAYS


def with_pauses(expected: Expected, persons: Persons) -> Expected:
    """The promise with the deadline that follows from its pauses. Raises NotChecked."""
    pauses = _pauses(expected, persons) if expected.promise.pause is not None and expected.generation else []
    calendar = ALWAYS if expected.promise.clock == "wall" else expected.calendar
    away = tuple(Interval(each.starts_at, each.ends_at) for each in expected.leave)
    within = Interval(expected.opened_at, expected.due_at)
    paused_s = worked_s(calendar, within, away) - worked_s(calendar, within, (*away, *pauses))
    if not paused_s:
        return expected
    due = add(calendar, expected.due_at, paused_s, (*away, *pauses))
    return replace(expected, dues=(*expected.dues, due))


def _pauses(expected: Expected, persons: Persons) -> Sequence[Interval]:
    """The pauses of the lead's cycle: each ends when it is resumed, or has lasted as long as one may."""
    rule, since_at = expected.promise.pause, expected.ends_from_at or expected.opened_at
    found: list[Interval] = []
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
    return found
