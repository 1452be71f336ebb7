"""When the steps of a ladder are due. Used by the monitor and by simulations."""

from datetime import datetime, timedelta

from shared.domain.agreement import Step
from shared.domain.business_time import before, business_days_after, deadline
from shared.domain.calendar import Calendar


def is_warning(step: Step) -> bool:
    """Whether the step comes before the deadline."""
    return step.after_s < 0 or step.after_days < 0


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
