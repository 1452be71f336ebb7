"""The router's tables.

`router_desk` has one row, the lock under which all routers decide one after the other; what was decided under it has a
place in one order, `seq`. `router_assignments` has a unique index that makes two active owners of one lead impossible.
`router_other_keys` finds a person by an address or number that does not stand in their lead's row.
"""

import sqlalchemy as sa

from shared.db.engine import Instant
from shared.db.tables import metadata, runtime_tables

tables = runtime_tables("router")

desk = sa.Table(
    "router_desk",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
leads = sa.Table(
    "router_leads",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rep", sa.Text),
    sa.Column("pool", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("pilot", sa.Text),
    sa.Column("received_at", Instant),
    sa.Column("domain", sa.Text),
    sa.Column("company", sa.Text),
    sa.Column("block", sa.Text),
    sa.Column("owns", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("parked_at", Instant),
    sa.Column("assigned_at", Instant),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_leads_updated_at", "updated_at", "lead_id"),
    sa.Index("ix_router_leads_email", "email"),
    sa.Index("ix_router_leads_phone", "phone"),
    sa.Index("ix_router_leads_rep_state", "rep", "state"),
    sa.Index("ix_router_leads_domain", "domain", postgresql_where=sa.text("owns"), sqlite_where=sa.text("owns")),
    sa.Index("ix_router_leads_block", "block", postgresql_where=sa.text("owns"), sqlite_where=sa.text("owns")),
    sa.Index(
        "ix_router_leads_parked",
        "pool",
        "parked_at",
        "lead_id",
        postgresql_where=sa.text("state = 'parked'"),
        sqlite_where=sa.text("state = 'parked'"),
    ),
)
assignments = sa.Table(
    "router_assignments",
    metadata,
    sa.Column("assignment_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("rep", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("assigned_at", Instant, nullable=False),
    sa.Index(
        "uq_router_assignments_active",
        "lead_id",
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    ),
)
verdicts = sa.Table(
    "router_verdicts",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("lead_version", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("inquiry_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("received_at", Instant),
    sa.Column("proof", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_verdicts_seq", "seq"),
)
journal = sa.Table(
    "router_journal",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
other_keys = sa.Table(
    "router_other_keys",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False),
)
shadows = sa.Table(
    "router_shadows",
    metadata,
    sa.Column("pilot", sa.Text, primary_key=True),
    sa.Column("inquiry_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("real_verdict", sa.Text, nullable=False),
    sa.Column("differs", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_shadows_at", "pilot", "at"),
)
early_facts = sa.Table(
    "router_early_facts",
    metadata,
    sa.Column("activity_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
pools = sa.Table(
    "router_pools",
    metadata,
    sa.Column("pool", sa.Text, primary_key=True),
    sa.Column("turns", sa.LargeBinary, nullable=False),
)
reps = sa.Table(
    "router_reps",
    metadata,
    sa.Column("rep", sa.Text, primary_key=True),
    sa.Column("state", sa.LargeBinary, nullable=False),
)
