"""How far the clocks of ingest are from the database's, and when facts were accepted that came before their lead."""

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sla_monitor_watermarks', sa.Column('offset', sa.BigInteger(), server_default='-1', nullable=False))
    op.add_column('sla_monitor_watermarks', sa.Column('skew_s', sa.Float(), server_default='0', nullable=True))
    instant = shared.db.engine.Instant(timezone=True)
    op.add_column('router_early_facts', sa.Column('accepted_at', instant, nullable=True))


def downgrade() -> None:
    op.drop_column('router_early_facts', 'accepted_at')
    op.drop_column('sla_monitor_watermarks', 'skew_s')
    op.drop_column('sla_monitor_watermarks', 'offset')
