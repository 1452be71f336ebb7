"""What the router no longer needs, if a time was set: the record, the proofs of leads that have ended, and facts whose
lead never came.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.router.store.tables import early_facts, journal, leads, shadows, tables, verdicts
from shared.db.trimming import Rule, inbox_rule

_OPEN = ("assigned", "parked")


def rules_of(kept: timedelta | None, *, inbox: timedelta) -> Sequence[Rule]:
    """The inbox always; everything else only after `kept`. An assigned or parked lead keeps all of its verdicts."""
    if kept is None:
        return (inbox_rule(tables, inbox),)
    return (
        inbox_rule(tables, inbox),
        Rule(journal, kept, lambda before: journal.c.at < before),
        Rule(shadows, kept, lambda before: shadows.c.at < before),
        Rule(verdicts, kept, _of_ended_leads),
        Rule(early_facts, kept, lambda before: early_facts.c.accepted_at < before),
    )


def _of_ended_leads(before: datetime) -> sa.ColumnElement[bool]:
    ended = sa.select(leads.c.lead_id).where(leads.c.updated_at < before, leads.c.state.not_in(_OPEN))
    return verdicts.c.lead_id.in_(ended)
