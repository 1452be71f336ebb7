"""The monitor knows which leads became part of another."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'sla_monitor_merged',
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('into', Key, nullable=False),
        sa.Column('merged_at', Instant, nullable=False),
        sa.Column('was_lead', sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint('lead_id', name=op.f('pk_sla_monitor_merged')),
    )
    op.create_index(op.f('ix_sla_monitor_merged_into'), 'sla_monitor_merged', ['into'])


def downgrade() -> None:
    op.drop_table('sla_monitor_merged')
