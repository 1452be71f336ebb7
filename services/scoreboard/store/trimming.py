"""What the scoreboard no longer needs, if a time was set: the stories of leads that have ended. Numbers stay."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.scoreboard.store.tables import leads, tables, timeline
from shared.db.trimming import Rule, inbox_rule

_OPEN = ("received", "assigned", "parked")


def rules_of(kept: timedelta | None, *, inbox: timedelta) -> Sequence[Rule]:
    """The inbox always, the timeline only after `kept`. An open lead keeps its whole timeline."""
    always = inbox_rule(tables, inbox)
    return (always,) if kept is None else (always, Rule(timeline, kept, _of_ended_leads))


def _of_ended_leads(before: datetime) -> sa.ColumnElement[bool]:
    running = sa.select(leads.c.lead_id).where(leads.c.state.in_(_OPEN))
    return (timeline.c.at < before) & timeline.c.lead_id.not_in(running)
