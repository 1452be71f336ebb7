"""A partition has at most one gap per service that is not accepted yet."""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

OPEN = 'accepted_at IS NULL'


def upgrade() -> None:
    # Two members of a consumer group may each have stored the same gap. The first one stays.
    op.execute(
        'DELETE FROM log_gaps WHERE accepted_at IS NULL AND EXISTS (SELECT 1 FROM log_gaps AS earlier'
        ' WHERE earlier.service = log_gaps.service AND earlier.topic = log_gaps.topic'
        ' AND earlier.partition = log_gaps.partition AND earlier.accepted_at IS NULL'
        ' AND (earlier.found_at, earlier.from_offset) < (log_gaps.found_at, log_gaps.from_offset))'
    )
    op.create_index(
        'ix_log_gaps_open',
        'log_gaps',
        ['service', 'topic', 'partition'],
        unique=True,
        postgresql_where=sa.text(OPEN),
        sqlite_where=sa.text(OPEN),
    )


def downgrade() -> None:
    op.drop_index('ix_log_gaps_open', table_name='log_gaps')
