"""What the scoreboard no longer needs, if a time was set: the timelines of leads that have ended or that
were never there, and assignments that the arms of a pilot no longer count. Figures stay, and an open lead keeps its
whole timeline.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from services.scoreboard.store.tables import leads, pilot_assignments, timeline
from shared.db.trimming import Rule
from shared.domain.agreement import PILOT_DAYS

_OPEN = ("received", "assigned", "parked")


def _of_ended_leads(before: datetime) -> sa.ColumnElement[bool]:
    running = sa.select(leads.c.lead_id).where(leads.c.state.in_(_OPEN), leads.c.orphan_expired_at.is_(None))
    return (timeline.c.at < before) & timeline.c.lead_id.not_in(running)


def _no_longer_compared(before: datetime) -> sa.ColumnElement[bool]:
    return pilot_assignments.c.assigned_at < before - timedelta(days=PILOT_DAYS)


EXPIRED = (Rule(timeline, _of_ended_leads), Rule(pilot_assignments, _no_longer_compared))
