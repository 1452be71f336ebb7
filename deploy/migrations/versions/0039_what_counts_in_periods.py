"""An index of the events that count for promises of marketing, for audits of their periods."""

import sqlalchemy as sa
from alembic import op

revision = '0039'
down_revision = '0038'
branch_labels = None
depends_on = None

_COUNTED = sa.text(
    "type IN ('baton.lead.assigned.v1', 'baton.lead.reassigned.v1', 'baton.activity.recorded.v1')"
)


def upgrade() -> None:
    op.create_index(
        'ix_scoreboard_timeline_counted',
        'scoreboard_timeline',
        ['at', 'event_id'],
        sqlite_where=_COUNTED,
        postgresql_where=_COUNTED,
    )


def downgrade() -> None:
    op.drop_index('ix_scoreboard_timeline_counted', 'scoreboard_timeline')
