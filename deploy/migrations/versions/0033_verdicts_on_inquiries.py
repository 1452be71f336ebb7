"""The monitor remembers inquiries that wait for their verdict."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'sla_monitor_arrivals',
        sa.Column('inquiry_id', Key, nullable=False),
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('accepted_at', Instant),
        sa.Column('agreement', Text),
        sa.Column('decided_at', Instant),
        sa.Column('verdict_id', Key),
        sa.Column('look_at', Instant, nullable=False),
        sa.PrimaryKeyConstraint('inquiry_id'),
    )
    op.create_index('ix_sla_monitor_arrivals_look_at', 'sla_monitor_arrivals', ['look_at'])
    since = op.create_table(
        'sla_monitor_watched_since',
        sa.Column('id', sa.Integer, autoincrement=False, nullable=False),
        sa.Column('since_at', Instant, nullable=False),
        sa.PrimaryKeyConstraint('id'),
    )
    # Monitors of the release before read verdicts without remembering them, until they have been replaced.
    if op.get_bind().execute(sa.text('SELECT 1 FROM sla_monitor_positions WHERE next_offset > 0 LIMIT 1')).first():
        at = datetime.now(UTC) + timedelta(minutes=10)
        op.bulk_insert(since, [{'id': 0, 'since_at': at}])


def downgrade() -> None:
    op.drop_table('sla_monitor_watched_since')
    op.drop_table('sla_monitor_arrivals')
