"""The tables: subscriptions, events and deliveries; notices, the messages that say them, and what is known of leads
and of what buyers wrote.
"""

import sqlalchemy as sa

from shared.db.engine import Instant
from shared.db.tables import metadata, partial_index, runtime_tables
from shared.db.text import Key, Text

TABLES = runtime_tables("delivery")

# `secrets` are stored in clear text for signing: anyone who can read this table can sign as us. One or more, newest
# first, separated by spaces; encrypting them under a key from outside the database is still to be done.
subscriptions = sa.Table(
    "delivery_subscriptions",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("url", Text, nullable=False),
    sa.Column("events", Text, nullable=False),
    sa.Column("description", Text, nullable=False),
    sa.Column("secrets", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("reason", Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("failing_since", Instant),
)

events = sa.Table(
    "delivery_events",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("event_id", Key, nullable=False, unique=True),
    sa.Column("type", Text, nullable=False),
    sa.Column("lead_id", Text, nullable=False),
    sa.Column("time", Instant, nullable=False),
    sa.Column("stored_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# `due_at` is set while a delivery is pending and only then. Claiming one moves it to the end of the lease, so one that
# its claimer never recorded falls due again. `token` counts claims: what a former claimer reports is not taken.
deliveries = sa.Table(
    "delivery_deliveries",
    metadata,
    sa.Column("subscription_id", Key, primary_key=True),
    sa.Column("event_seq", sa.BigInteger, primary_key=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("due_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", Text),
)

partial_index(
    "ix_delivery_deliveries_due",
    deliveries.c.subscription_id,
    deliveries.c.due_at,
    where=deliveries.c.due_at.is_not(None),
)

notices = sa.Table(
    "delivery_notices",
    metadata,
    sa.Column("notice_id", Key, primary_key=True),
    sa.Column("event_id", Text, nullable=False),
    sa.Column("message_id", Key, index=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("window_id", Key, nullable=False, index=True),
    sa.Column("escalation_id", Text),
    sa.Column("kind", Text, nullable=False),
    sa.Column("page", sa.Boolean, nullable=False),
    sa.Column("role", Text, nullable=False),
    sa.Column("person", Text),
    sa.Column("promise", Text, nullable=False),
    sa.Column("owner", Text, nullable=False),
    sa.Column("agreement", Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("by", Text, nullable=False),
    sa.Column("until", Instant),
    sa.Column("state", Text, nullable=False),
    sa.Column("channel", Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", Text),
    sa.Column("over", Text),
    sa.Column("pace", Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("fault", Text),
    sa.Column("again", Text),
    sa.Column("because", Text),
    sa.Column("next_at", Instant),
    sa.Column("next_does", Text),
    sa.Index("ix_delivery_notices_created", "created_at", "notice_id"),
)
partial_index("ix_delivery_notices_due", notices.c.created_at, where=sa.text("state = 'due'"))

# `next_at` is set while a message is to be sent and only then; claiming one moves it to the end of the lease, as in
# `delivery_deliveries`. Notices join a message until it is claimed for the first time (`token` 0). `channels` are all
# that it may go through, `channel_number` the one of these that it is on, and `lane` that channel's endpoint. A message
# that has another channel leaves this one at `leave_at`. `unsure` are the numbers of the pagers, separated by commas,
# that may have taken it without saying so.
messages = sa.Table(
    "delivery_messages",
    metadata,
    sa.Column("message_id", Key, primary_key=True),
    sa.Column("incident_id", Text, nullable=False),
    sa.Column("window_id", Text, nullable=False),
    sa.Column("channels", Text, nullable=False),
    sa.Column("channel_number", sa.Integer, nullable=False),
    sa.Column("lane", Key, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("leave_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("unsure", Text),
)
partial_index("ix_delivery_messages_due", messages.c.lane, messages.c.next_at, where=messages.c.next_at.is_not(None))

# `message_id` is the latest message to this recipient of this kind; the next one is not sent before `free_at`.
recipients = sa.Table(
    "delivery_recipients",
    metadata,
    sa.Column("recipient", Key, primary_key=True),
    sa.Column("message_id", Key, nullable=False),
    sa.Column("free_at", Instant, nullable=False),
)

# `updated_at` is in the future if a promise about the lead is due only then.
leads = sa.Table(
    "delivery_leads",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("context", Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

# `said` is what is known of a person's inquiries under this id; null if this row says only that the lead continues as
# another one.
inquiries = sa.Table(
    "delivery_inquiries",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("goes_on_as", Key),
    sa.Column("said", Text),
    sa.Column("updated_at", Instant, nullable=False),
)
partial_index("ix_delivery_inquiries_goes_on_as", inquiries.c.goes_on_as, where=inquiries.c.goes_on_as.is_not(None))
