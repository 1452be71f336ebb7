"""ingest's own count of accepted inquiries, and the inquiries whose verdict came first."""

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

EARLY = "outcome != 'in_flight' AND received_at IS NULL"


def upgrade() -> None:
    op.create_table('scoreboard_ingests',
    sa.Column('instance', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('upto', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('inquiries', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('instance', 'partition', name=op.f('pk_scoreboard_ingests'))
    )
    op.add_column('scoreboard_inquiries', sa.Column('acceptances', sa.Text(), server_default='', nullable=False))
    op.create_index(
        'ix_scoreboard_inquiries_early',
        'scoreboard_inquiries',
        ['decided_at'],
        postgresql_where=sa.text(EARLY),
        sqlite_where=sa.text(EARLY),
    )


def downgrade() -> None:
    op.drop_index('ix_scoreboard_inquiries_early', table_name='scoreboard_inquiries')
    op.drop_column('scoreboard_inquiries', 'acceptances')
    op.drop_table('scoreboard_ingests')
