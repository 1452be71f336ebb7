"""The router's tables.

`router_desk` has one row, the lock under which routers decide one at a time; decisions are ordered by `seq`.
`router_assignments` has a unique index that makes two active owners of one lead impossible. `router_other_keys` finds a
person by an address or number that is not in their lead's row.
"""

import sqlalchemy as sa

from shared.db.engine import Instant
from shared.db.tables import metadata, partial_index, runtime_tables
from shared.db.text import Key, Text

tables = runtime_tables("router")

desk = sa.Table(
    "router_desk",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token", Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
leads = sa.Table(
    "router_leads",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", Key, nullable=False),
    sa.Column("rep", Key),
    sa.Column("pool", Key),
    sa.Column("email", Key),
    sa.Column("phone", Key),
    sa.Column("campaign", Text),
    sa.Column("stage", Text),
    sa.Column("outcome", Text),
    sa.Column("pilot", Text),
    sa.Column("pilot_arms", Text),
    sa.Column("test", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("received_at", Instant),
    sa.Column("domain", Key),
    sa.Column("company", Text),
    sa.Column("block", Key),
    sa.Column("owns", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("parked_at", Instant),
    sa.Column("assigned_at", Instant),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_leads_updated_at", "updated_at", "lead_id"),
    sa.Index("ix_router_leads_email", "email"),
    sa.Index("ix_router_leads_phone", "phone"),
    sa.Index("ix_router_leads_rep_state", "rep", "state"),
    partial_index("ix_router_leads_domain", "domain", where=sa.text("owns")),
    partial_index("ix_router_leads_block", "block", where=sa.text("owns")),
    partial_index(
        "ix_router_leads_rejudge", "received_at", "lead_id", where=sa.text("state IN ('parked', 'rejected')")
    ),
    partial_index("ix_router_leads_pilots", "received_at", where=sa.text("pilot_arms IS NOT NULL")),
    partial_index("ix_router_leads_parked", "pool", "parked_at", "lead_id", where=sa.text("state = 'parked'")),
)
assignments = sa.Table(
    "router_assignments",
    metadata,
    sa.Column("assignment_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("rep", Text, nullable=False),
    sa.Column("pool", Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("assigned_at", Instant, nullable=False),
    partial_index("uq_router_assignments_active", "lead_id", where=sa.text("active"), unique=True),
)
verdicts = sa.Table(
    "router_verdicts",
    metadata,
    sa.Column("lead_id", Key, primary_key=True),
    sa.Column("lead_version", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("verdict", Text, nullable=False),
    sa.Column("inquiry_id", Text, nullable=False),
    sa.Column("source", Text),
    sa.Column("received_at", Instant),
    sa.Column("proof", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_verdicts_seq", "seq"),
)
journal = sa.Table(
    "router_journal",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
rejudgings = sa.Table(
    "router_rejudgings",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("state", Key, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
other_keys = sa.Table(
    "router_other_keys",
    metadata,
    sa.Column("key", Key, primary_key=True),
    sa.Column("lead_id", Text, nullable=False),
)
shadows = sa.Table(
    "router_shadows",
    metadata,
    sa.Column("pilot", Key, primary_key=True),
    sa.Column("inquiry_id", Key, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("verdict", Text, nullable=False),
    sa.Column("real_verdict", Text, nullable=False),
    sa.Column("differs", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_shadows_at", "pilot", "at"),
)
early_facts = sa.Table(
    "router_early_facts",
    metadata,
    sa.Column("activity_id", Key, primary_key=True),
    sa.Column("lead_id", Key, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("accepted_at", Instant),
)
pools = sa.Table(
    "router_pools",
    metadata,
    sa.Column("pool", Key, primary_key=True),
    sa.Column("turns", sa.LargeBinary, nullable=False),
)
reps = sa.Table(
    "router_reps",
    metadata,
    sa.Column("rep", Key, primary_key=True),
    sa.Column("state", sa.LargeBinary, nullable=False),
)
