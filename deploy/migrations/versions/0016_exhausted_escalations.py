"""An escalation whose ladder is over is still open on the scoreboard."""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

INDEX, TABLE = 'ix_scoreboard_escalations_open', 'scoreboard_escalations'


def upgrade() -> None:
    _replace("state IN ('firing', 'acknowledged', 'exhausted')")


def downgrade() -> None:
    _replace("state IN ('firing', 'acknowledged')")


def _replace(condition: str) -> None:
    where = sa.text(condition)
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, ['raised_at'], postgresql_where=where, sqlite_where=where)
