"""Names and common tables: one metadata for all, and for every service the tables that its runtime needs.

`<service>_positions` says how far each topic partition is handled, next to the state it belongs to, and in which log
that was. `<service>_inbox` holds the ids of handled events. `<service>_outbox` holds events that are decided: those
that are not yet on the bus, and for a while those that are. `log_gaps` holds what was missing in the log,
`paused_partitions` before which failing records a service waits.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shared.db.engine import Instant
from shared.db.text import Key, Text

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def partial_index(
    name: str, *columns: Any, where: "sa.ColumnElement[bool] | sa.TextClause", unique: bool = False
) -> Any:
    """An index of the rows that `where` selects, on both databases."""
    return sa.Index(name, *columns, unique=unique, postgresql_where=where, sqlite_where=where)


agreement_versions = sa.Table(
    "agreement_versions",
    metadata,
    sa.Column("hash", Key, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("kept_at", Instant, nullable=False),
    sa.Column("effective_from", Instant, nullable=False),
    sa.Column("activated_at", Instant),
    sa.Column("approved_by", Text, nullable=False, server_default="{}"),
    sa.Column("drafts", Text, nullable=False, server_default="{}"),
    sa.Column("pilot_of", Text),
    sa.Column("holidays", Text),
)

log_gaps = sa.Table(
    "log_gaps",
    metadata,
    sa.Column("service", Key, primary_key=True),
    sa.Column("topic", Key, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("from_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("found_at", Instant, primary_key=True),
    sa.Column("log_id", Text, nullable=False),
    sa.Column("to_offset", sa.BigInteger),
    sa.Column("reason", Text, nullable=False),
    sa.Column("resume_at", sa.BigInteger, nullable=False),
    sa.Column("accepted_at", Instant),
    partial_index(
        "ix_log_gaps_open", "service", "topic", "partition", where=sa.text("accepted_at IS NULL"), unique=True
    ),
)

paused_partitions = sa.Table(
    "paused_partitions",
    metadata,
    sa.Column("service", Key, primary_key=True),
    sa.Column("topic", Key, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("error", Text, nullable=False),
    sa.Column("paused_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RuntimeTables:
    """The tables of one service's runtime."""

    service: str
    positions: sa.Table
    inbox: sa.Table
    outbox: sa.Table


def runtime_tables(service: str) -> RuntimeTables:
    """Define them once, in the service's store."""
    positions = sa.Table(
        f"{service}_positions",
        metadata,
        sa.Column("topic", Key, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("log_id", Text),
    )
    inbox = sa.Table(
        f"{service}_inbox",
        metadata,
        sa.Column("event_id", Key, primary_key=True),
        sa.Column("handled_at", Instant, nullable=False),
    )
    outbox = sa.Table(
        f"{service}_outbox",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("event_id", Text, nullable=False),
        sa.Column("type", Text, nullable=False),
        sa.Column("topic", Text, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("time", Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("published_at", Instant),
    )
    partial_index(f"ix_{service}_outbox_waiting", outbox.c.seq, where=outbox.c.published_at.is_(None))
    return RuntimeTables(service, positions, inbox, outbox)
