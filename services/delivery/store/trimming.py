"""What delivery no longer needs: events whose time is up with their deliveries."""

import sqlalchemy as sa

from services.delivery.store.tables import deliveries, events
from shared.db.trimming import Rule

_SEQ = sa.select(events.c.seq)

# Deliveries go before their events, so that no delivery is left without one.
EXPIRED = (
    Rule(deliveries, lambda before: deliveries.c.event_seq.in_(_SEQ.where(events.c.stored_at < before))),
    Rule(events, lambda before: events.c.stored_at < before),
)
