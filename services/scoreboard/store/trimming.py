"""What the scoreboard no longer needs, if a time was set: the timelines of leads that have ended. Figures stay, and an
open lead keeps its whole timeline.
"""

from datetime import datetime

import sqlalchemy as sa

from services.scoreboard.store.tables import leads, timeline
from shared.db.trimming import Rule

_OPEN = ("received", "assigned", "parked")


def _of_ended_leads(before: datetime) -> sa.ColumnElement[bool]:
    running = sa.select(leads.c.lead_id).where(leads.c.state.in_(_OPEN))
    return (timeline.c.at < before) & timeline.c.lead_id.not_in(running)


EXPIRED = (Rule(timeline, _of_ended_leads),)
