"""The tables: subscriptions, events and deliveries."""

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
