"""When the steps of a ladder are due. Used by the monitor and by simulations."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.domain.agreement import Step
from shared.domain.business_time import NeverOpens, before, business_days_after, deadline
from shared.domain.calendar import ALWAYS, Calendar
from shared.domain.event import LeaveInterval
from shared.domain.leave import MAX_WAIT, without_leave


def is_warning(step: Step) -> bool:
    """Whether the step comes before the deadline."""
    return step.after_s < 0 or step.after_days < 0


def warning_at(step: Step, due_at: datetime, calendar: Calendar, leave: Sequence[LeaveInterval]) -> datetime:
    """When a step before the deadline falls due if the owner has `leave`: nobody is warned during it. What comes after
    the deadline does not wait for leave, because the buyer has waited enough.
    """
    if leave:
        since_at = due_at - MAX_WAIT
        try:
            if step.business:
                return step_at(step, due_at, without_leave(calendar, leave, since_at))
            return before(without_leave(ALWAYS, leave, since_at), due_at, -step.after_s)
        except NeverOpens:
            pass
    return step_at(step, due_at, calendar)


def step_at(step: Step, due_at: datetime, calendar: Calendar, later: timedelta = timedelta()) -> datetime:
    """When a step falls due for a promise with the deadline `due_at`; `later` is added, for repeats of the step.

    Business offsets count in `calendar`, the owner's. Raises NeverOpens as `deadline`.
    """
    if step.after_days:
        day_at = business_days_after(calendar, due_at, step.after_days)
        return deadline(calendar, day_at, later.total_seconds()) if step.business else day_at + later
    offset_s = step.after_s + later.total_seconds()
    if not step.business:
        return due_at + timedelta(seconds=offset_s)
    if offset_s < 0:
        return before(calendar, due_at, -offset_s)
    return deadline(calendar, due_at, offset_s)
