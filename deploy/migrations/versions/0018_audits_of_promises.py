"""Audits of promises: their results, and where the timeline says what is owed."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'scoreboard_audits',
        sa.Column('finished_at', Instant, primary_key=True),
        sa.Column('since_at', Instant, nullable=False),
        sa.Column('checked', sa.Integer, nullable=False),
        sa.Column('differences', sa.Integer, nullable=False),
        sa.Column('late', sa.Integer, nullable=False),
        sa.Column('not_checked', sa.Integer, nullable=False),
        sa.Column('clean', sa.Boolean, nullable=False),
    )
    where = sa.text("type IN ('baton.lead.assigned.v1', 'baton.lead.reassigned.v1', 'baton.lead.parked.v1')")
    op.create_index(
        'ix_scoreboard_timeline_owed',
        'scoreboard_timeline',
        ['at', 'event_id'],
        postgresql_where=where,
        sqlite_where=where,
    )


def downgrade() -> None:
    op.drop_index('ix_scoreboard_timeline_owed', 'scoreboard_timeline')
    op.drop_table('scoreboard_audits')
