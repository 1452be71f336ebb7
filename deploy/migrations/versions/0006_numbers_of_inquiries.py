"""The numbers that ingest gives to inquiries, in place of a count, and the partitions that a service pauses."""

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('scoreboard_markers',
    sa.Column('spool', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('first', sa.BigInteger(), nullable=False),
    sa.Column('last', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('spool', 'partition', name=op.f('pk_scoreboard_markers'))
    )
    op.create_table('scoreboard_spools',
    sa.Column('spool', sa.Text(), nullable=False),
    sa.Column('checked', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('spool', name=op.f('pk_scoreboard_spools'))
    )
    for name in ('scoreboard_read_numbers', 'scoreboard_missing_numbers'):
        op.create_table(name,
        sa.Column('spool', sa.Text(), nullable=False),
        sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint('spool', 'number', name=op.f(f'pk_{name}'))
        )
    op.create_table('paused_partitions',
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('offset', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('paused_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('service', 'topic', 'partition', name=op.f('pk_paused_partitions'))
    )


def downgrade() -> None:
    op.drop_table('paused_partitions')
    for name in ('missing_numbers', 'read_numbers', 'spools', 'markers'):
        op.drop_table(f'scoreboard_{name}')
