"""What the monitor no longer needs, if a time was set: facts, windows and escalations that have ended."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from services.sla_monitor import store
from shared.db.tables import metadata
from shared.db.trimming import Rule, inbox_rule

_windows, _facts, _steps, _escalations, _holds = (
    metadata.tables[f"sla_monitor_{name}"] for name in ("windows", "facts", "steps", "escalations", "holds")
)


def rules_of(kept: timedelta | None, *, inbox: timedelta) -> Sequence[Rule]:
    """What the monitor no longer needs: the inbox always, all else only after `kept`. A lead with a window that still
    wants a look or may change keeps all that is known of it.
    """
    if kept is None:
        return (inbox_rule(store.tables, inbox),)
    live = sa.select(_windows.c.lead_id).where((_windows.c.state == "open") | _windows.c.look_at.is_not(None))
    window = sa.select(_windows.c.window_id)
    return (
        inbox_rule(store.tables, inbox),
        Rule(_facts, kept, lambda before: (_facts.c.accepted_at < before) & _facts.c.lead_id.not_in(live)),
        Rule(_windows, kept, lambda before: (_windows.c.due_at < before) & _windows.c.lead_id.not_in(live)),
        Rule(_steps, kept, lambda before: (_steps.c.fired_at < before) & _steps.c.window_id.not_in(window)),
        Rule(_escalations, kept, lambda before: (_escalations.c.raised_at < before) & _ended(_escalations.c.state)),
        Rule(_holds, kept, lambda before: _holds.c.released_at < before),
    )


def _ended(state: "sa.Column[str]") -> sa.ColumnElement[bool]:
    return state.not_in(["firing", "acknowledged"])
