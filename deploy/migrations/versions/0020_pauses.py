"""Windows know until when their clock stands still."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

_TABLES = ('sla_monitor_windows', 'scoreboard_windows')


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column('paused_until', Instant))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, 'paused_until')
