"""Silences and overrides of the duty rota that operators make, and which escalations a silence keeps quiet."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'sla_monitor_silences',
        sa.Column('silence_id', Key, primary_key=True),
        sa.Column('starts_at', Instant, nullable=False),
        sa.Column('ends_at', Instant, nullable=False),
        sa.Column('reason', Text, nullable=False),
        sa.Column('by', Text, nullable=False),
        sa.Column('made_at', Instant, nullable=False),
        sa.Column('promise', Text),
        sa.Column('owner', Text),
        sa.Column('pool', Text),
        sa.Column('side', Text),
        sa.Column('ended_by', Text),
    )
    op.create_index('ix_sla_monitor_silences_ends_at', 'sla_monitor_silences', ['ends_at'])
    op.create_table(
        'sla_monitor_overrides',
        sa.Column('override_id', Key, primary_key=True),
        sa.Column('role', Text, nullable=False),
        sa.Column('person', Text, nullable=False),
        sa.Column('starts_at', Instant, nullable=False),
        sa.Column('ends_at', Instant, nullable=False),
        sa.Column('by', Text, nullable=False),
        sa.Column('made_at', Instant, nullable=False),
    )
    op.create_index('ix_sla_monitor_overrides_ends_at', 'sla_monitor_overrides', ['ends_at'])
    op.add_column('sla_monitor_escalations', sa.Column('silence_id', Key))
    where = sa.text('silence_id IS NOT NULL')
    op.create_index(
        'ix_sla_monitor_escalations_silence_id',
        'sla_monitor_escalations',
        ['silence_id'],
        postgresql_where=where,
        sqlite_where=where,
    )


def downgrade() -> None:
    op.drop_index('ix_sla_monitor_escalations_silence_id', 'sla_monitor_escalations')
    op.drop_column('sla_monitor_escalations', 'silence_id')
    op.drop_table('sla_monitor_overrides')
    op.drop_table('sla_monitor_silences')
