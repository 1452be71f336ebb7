"""Leads without an inquiry know how many activities wait for them, and since when."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0038'
down_revision = '0033'
branch_labels = None
depends_on = None

_NEW = ('orphan_activities', 'orphan_since', 'orphan_expired_at')
_WAITING = 'orphan_since IS NOT NULL AND orphan_expired_at IS NULL'
_EXPIRED = 'orphan_since IS NOT NULL AND orphan_expired_at IS NOT NULL'
_MINE = "FROM scoreboard_timeline t WHERE t.lead_id = scoreboard_leads.lead_id AND t.type = 'baton.activity.recorded.v1'"
_FILL = f"""
    UPDATE scoreboard_leads SET orphan_since = (SELECT min(t.at) {_MINE}), orphan_activities = (SELECT count(*) {_MINE})
    WHERE received_at IS NULL AND version < 0
"""  # noqa: S608 (no values)
_COUNT = """
    INSERT INTO scoreboard_counts (period, shard, name, value)
    SELECT 'all', 0, 'orphans', count(*) FROM scoreboard_leads WHERE orphan_since IS NOT NULL
"""


def upgrade() -> None:
    op.add_column('scoreboard_leads', sa.Column('orphan_activities', sa.Integer, nullable=False, server_default='0'))
    op.add_column('scoreboard_leads', sa.Column('orphan_since', Instant))
    op.add_column('scoreboard_leads', sa.Column('orphan_expired_at', Instant))
    op.execute(_FILL)
    op.execute(_COUNT)
    for name, where in (('orphaned', _WAITING), ('expired', _EXPIRED)):
        op.create_index(
            f'ix_scoreboard_leads_{name}',
            'scoreboard_leads',
            ['orphan_since', 'lead_id'],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def downgrade() -> None:
    for name in ('orphaned', 'expired'):
        op.drop_index(f'ix_scoreboard_leads_{name}', 'scoreboard_leads')
    op.execute("DELETE FROM scoreboard_counts WHERE name IN ('orphans', 'expired orphans')")
    for column in _NEW:
        op.drop_column('scoreboard_leads', column)
