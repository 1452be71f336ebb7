"""What the monitor no longer needs, if a time was set: facts, windows and escalations that have ended."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from services.sla_monitor.store.tables import escalations, facts, holds, steps, tables, windows
from shared.db.trimming import Rule, inbox_rule


def rules_of(kept: timedelta | None, *, inbox: timedelta) -> Sequence[Rule]:
    """The inbox always, everything else only after `kept`. A lead with a window that may still change keeps
    everything.
    """
    if kept is None:
        return (inbox_rule(tables, inbox),)
    live = sa.select(windows.c.lead_id).where((windows.c.state == "open") | windows.c.look_at.is_not(None))
    window = sa.select(windows.c.window_id)
    return (
        inbox_rule(tables, inbox),
        Rule(facts, kept, lambda before: (facts.c.accepted_at < before) & facts.c.lead_id.not_in(live)),
        Rule(windows, kept, lambda before: (windows.c.due_at < before) & windows.c.lead_id.not_in(live)),
        Rule(steps, kept, lambda before: (steps.c.fired_at < before) & steps.c.window_id.not_in(window)),
        Rule(escalations, kept, lambda before: (escalations.c.raised_at < before) & _ended(escalations.c.state)),
        Rule(holds, kept, lambda before: holds.c.released_at < before),
    )


def _ended(state: "sa.Column[str]") -> sa.ColumnElement[bool]:
    return state.not_in(["firing", "acknowledged"])
