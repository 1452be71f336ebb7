"""Leads of a period can be judged again."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

WAITING_OR_REJECTED = sa.text("state IN ('parked', 'rejected')")


def upgrade() -> None:
    op.create_table(
        'router_rejudgings',
        sa.Column('id', Key, nullable=False),
        sa.Column('state', Key, nullable=False),
        sa.Column('changed_at', Instant, nullable=False),
        sa.Column('body', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_router_rejudgings')),
    )
    op.create_index(
        'ix_router_leads_rejudge',
        'router_leads',
        ['received_at', 'lead_id'],
        postgresql_where=WAITING_OR_REJECTED,
        sqlite_where=WAITING_OR_REJECTED,
    )


def downgrade() -> None:
    op.drop_index('ix_router_leads_rejudge', 'router_leads')
    op.drop_table('router_rejudgings')
