"""what is missing in the log, and published events that stay for a while."""

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

SERVICES = ('delivery', 'router', 'scoreboard', 'sla_monitor')


def upgrade() -> None:
    op.create_table('log_gaps',
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('from_offset', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('found_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('log_id', sa.Text(), nullable=False),
    sa.Column('to_offset', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('resume_at', sa.BigInteger(), nullable=False),
    sa.Column('accepted_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('service', 'topic', 'partition', 'from_offset', 'found_at', name=op.f('pk_log_gaps'))
    )
    for service in SERVICES:
        op.add_column(f'{service}_positions', sa.Column('log_id', sa.Text(), nullable=True))
        instant = shared.db.engine.Instant(timezone=True)
        op.add_column(f'{service}_outbox', sa.Column('published_at', instant, nullable=True))
        op.create_index(
            f'ix_{service}_outbox_waiting',
            f'{service}_outbox',
            ['seq'],
            postgresql_where=sa.text('published_at IS NULL'),
            sqlite_where=sa.text('published_at IS NULL'),
        )


def downgrade() -> None:
    for service in SERVICES:
        op.drop_index(f'ix_{service}_outbox_waiting', table_name=f'{service}_outbox')
        op.drop_column(f'{service}_outbox', 'published_at')
        op.drop_column(f'{service}_positions', 'log_id')
    op.drop_table('log_gaps')
