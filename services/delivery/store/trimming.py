"""What delivery no longer needs: events whose time is up with their deliveries, notices that have ended, and what is
known of leads that no one got since, and of inquiries that no other one followed, if no notice is about the lead.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from services.delivery.store.tables import deliveries, events, inquiries, leads, messages, notices, recipients
from shared.db.trimming import Rule

_USED = sa.exists().where(notices.c.message_id == messages.c.message_id)
_ABOUT = sa.exists().where(notices.c.lead_id == leads.c.lead_id)
_ASKED = sa.exists().where(notices.c.lead_id == inquiries.c.lead_id)
_GOES_ON = (
    notices.c.kind.in_(["warning", "breach", "exhausted"]) & (notices.c.state == "told") & notices.c.over.is_(None)
)
_GIVEN_UP = timedelta(days=365)
"""A matter that goes on for so long is forgotten, so that such notices are bounded."""
_SEQ = sa.select(events.c.seq)


def _open(before: datetime) -> sa.ColumnElement[bool]:
    return _GOES_ON & (notices.c.created_at >= before - _GIVEN_UP)


# Deliveries go before their events, so that no delivery is left without one.
EXPIRED = (
    Rule(deliveries, lambda before: deliveries.c.event_seq.in_(_SEQ.where(events.c.stored_at < before))),
    Rule(events, lambda before: events.c.stored_at < before),
    # Who was told of what goes on learns its end, and a pager's incident is resolved then.
    Rule(notices, lambda before: (notices.c.created_at < before) & (notices.c.state != "due") & sa.not_(_open(before))),
    Rule(messages, lambda before: (messages.c.created_at < before) & sa.not_(_USED)),
    Rule(recipients, lambda before: recipients.c.free_at < before),
    Rule(leads, lambda before: (leads.c.updated_at < before) & sa.not_(_ABOUT)),
    Rule(inquiries, lambda before: (inquiries.c.updated_at < before) & sa.not_(_ASKED)),
)
