"""The scoreboard knows which of two deadlines is the later word, since leave may move them."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scoreboard_windows', sa.Column('due_since', Instant))
    op.add_column('scoreboard_leads', sa.Column('respond_version', sa.BigInteger, nullable=False, server_default='-1'))


def downgrade() -> None:
    op.drop_column('scoreboard_leads', 'respond_version')
    op.drop_column('scoreboard_windows', 'due_since')
