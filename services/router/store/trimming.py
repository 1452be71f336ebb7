"""What the router no longer needs, if a time was set: the record, the proofs of leads that have ended, and facts whose
lead never came. An assigned or parked lead keeps all of its verdicts.
"""

from datetime import datetime

import sqlalchemy as sa

from services.router.store.tables import early_facts, journal, leads, rejudgings, shadows, verdicts
from shared.db.trimming import Rule

_OPEN = ("assigned", "parked")


def _of_ended_leads(before: datetime) -> sa.ColumnElement[bool]:
    ended = sa.select(leads.c.lead_id).where(leads.c.updated_at < before, leads.c.state.not_in(_OPEN))
    return verdicts.c.lead_id.in_(ended)


EXPIRED = (
    Rule(journal, lambda before: journal.c.at < before),
    Rule(shadows, lambda before: shadows.c.at < before),
    Rule(verdicts, _of_ended_leads),
    Rule(rejudgings, lambda before: (rejudgings.c.changed_at < before) & (rejudgings.c.state != "applying")),
    Rule(early_facts, lambda before: early_facts.c.accepted_at < before),
)
