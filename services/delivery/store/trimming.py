"""What delivery no longer needs: events whose time is up with their deliveries, and ids of handled events."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from services.delivery.store.tables import TABLES, deliveries, events
from shared.db.trimming import Rule, inbox_rule


def rules_of(kept: timedelta, *, inbox: timedelta) -> Sequence[Rule]:
    """Deletes deliveries before their events, so that no delivery is left without one."""
    stored = sa.select(events.c.seq)
    return (
        Rule(deliveries, kept, lambda before: deliveries.c.event_seq.in_(stored.where(events.c.stored_at < before))),
        Rule(events, kept, lambda before: events.c.stored_at < before),
        inbox_rule(TABLES, inbox),
    )
