"""The scoreboard knows since when an id is no longer part of another lead."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scoreboard_leads', sa.Column('split_at', Instant))


def downgrade() -> None:
    op.drop_column('scoreboard_leads', 'split_at')
