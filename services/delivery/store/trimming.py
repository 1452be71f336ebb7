"""What delivery no longer needs: events whose time is up with their deliveries, notices that have ended, and what is
known of leads that no one got since.
"""

import sqlalchemy as sa

from services.delivery.store.tables import deliveries, events, leads, messages, notices, recipients
from shared.db.trimming import Rule

_USED = sa.select(notices.c.message_id).where(notices.c.message_id.is_not(None))
_SEQ = sa.select(events.c.seq)

# Deliveries go before their events, so that no delivery is left without one.
EXPIRED = (
    Rule(deliveries, lambda before: deliveries.c.event_seq.in_(_SEQ.where(events.c.stored_at < before))),
    Rule(events, lambda before: events.c.stored_at < before),
    Rule(notices, lambda before: (notices.c.created_at < before) & (notices.c.state != "due")),
    Rule(messages, lambda before: (messages.c.created_at < before) & messages.c.message_id.not_in(_USED)),
    Rule(recipients, lambda before: recipients.c.free_at < before),
    Rule(leads, lambda before: leads.c.updated_at < before),
)
