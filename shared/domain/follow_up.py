"""What ends a promise on a lead, and when the steps of a ladder fall due: one rule for whoever watches promises and
for whoever replays the past.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from shared.domain.agreement import Step
from shared.domain.business_time import add_business_days, before, deadline
from shared.domain.calendar import Calendar

ENDING: Mapping[str, str] = MappingProxyType(
    {"rejected": "rejected", "won": "won", "lost": "lost", "consent_withdrawn": "consent withdrawn"}
)
"""Kinds of activity after which nothing more is owed on the lead, with the reason that is given."""

DECISIVE = frozenset({"meeting", "accepted", *ENDING})
"""Kinds that keep a promise of several facts at once, when it lists them: nobody has to be called a sixth time after
they came to a meeting. The other kinds count one each."""

LETTING_GO = frozenset({"declined", *ENDING})
"""Kinds by which an owner lets go of a lead."""


def counts_from(kind: str, starts_at: datetime, *, generation: int, tolerance: timedelta) -> datetime:
    """From when an activity of this kind counts for a promise that starts at `starts_at`: up to `tolerance` earlier,
    since the clocks that date the two may differ.

    Nothing earlier counts for operations (`generation` 0), and nothing by which the owner before may have let go of
    the lead counts for a later owner.
    """
    if generation == 0 or (generation > 1 and kind in LETTING_GO):
        return starts_at
    return starts_at - tolerance


def is_warning(step: Step) -> bool:
    """Whether the step comes before the deadline."""
    return step.after_s < 0 or step.after_days < 0


def step_at(step: Step, due_at: datetime, calendar: Calendar, later: timedelta = timedelta()) -> datetime:
    """When a step falls due for a promise with the deadline `due_at`; `later` is added, for repeats of the step.

    Business offsets count in `calendar`, the owner's. Raises NeverOpens as `deadline`.
    """
    if step.after_days:
        day_at = add_business_days(calendar, due_at, step.after_days)
        return deadline(calendar, day_at, later.total_seconds()) if step.business else day_at + later
    offset_s = step.after_s + later.total_seconds()
    if not step.business:
        return due_at + timedelta(seconds=offset_s)
    if offset_s < 0:
        return before(calendar, due_at, -offset_s)
    return deadline(calendar, due_at, offset_s)
