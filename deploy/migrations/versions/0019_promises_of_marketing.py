"""The monitor counts hand-offs and decisions for promises about periods, and the scoreboard shows how these go."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

OF_PERIODS = sa.text('partition = -1')
WITH_PERIOD = sa.text('per IS NOT NULL')


def upgrade() -> None:
    op.create_table(
        'sla_monitor_hand_offs',
        sa.Column('lead_id', Key(), nullable=False),
        sa.Column('cycle', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('handed_at', Instant(), nullable=False),
        sa.Column('received_at', Instant(), nullable=False),
        sa.Column('straight', sa.Boolean(), nullable=False),
        sa.Column('starts_at', Instant(), nullable=False),
        sa.Column('filled', Text()),
        sa.Column('counts_at', Instant()),
        sa.Column('hand_off_s', sa.Float()),
        sa.Column('accepted_at', Instant()),
        sa.Column('rejected_at', Instant()),
        sa.PrimaryKeyConstraint('lead_id', 'cycle', name=op.f('pk_sla_monitor_hand_offs')),
    )
    for column in ('accepted_at', 'counts_at', 'rejected_at'):
        op.create_index(f'ix_sla_monitor_hand_offs_{column}', 'sla_monitor_hand_offs', [column])
    op.add_column('sla_monitor_facts', sa.Column('reason', Text()))
    op.create_index(
        'ix_sla_monitor_windows_periods',
        'sla_monitor_windows',
        ['due_at', 'window_id'],
        postgresql_where=OF_PERIODS,
        sqlite_where=OF_PERIODS,
    )
    op.add_column('scoreboard_windows', sa.Column('per', Text()))
    op.add_column('scoreboard_windows', sa.Column('counted', sa.BigInteger()))
    op.add_column('scoreboard_windows', sa.Column('counted_of', sa.BigInteger()))
    op.add_column('scoreboard_windows', sa.Column('target', sa.Float()))
    op.add_column('scoreboard_windows', sa.Column('pace', sa.Float()))
    op.add_column('scoreboard_windows', sa.Column('counted_at', Instant()))
    op.create_index(
        'ix_scoreboard_windows_periods',
        'scoreboard_windows',
        ['due_at', 'window_id'],
        postgresql_where=WITH_PERIOD,
        sqlite_where=WITH_PERIOD,
    )


def downgrade() -> None:
    op.drop_index('ix_scoreboard_windows_periods', 'scoreboard_windows')
    for name in ('per', 'counted', 'counted_of', 'target', 'pace', 'counted_at'):
        op.drop_column('scoreboard_windows', name)
    op.drop_index('ix_sla_monitor_windows_periods', 'sla_monitor_windows')
    op.drop_column('sla_monitor_facts', 'reason')
    op.drop_table('sla_monitor_hand_offs')
