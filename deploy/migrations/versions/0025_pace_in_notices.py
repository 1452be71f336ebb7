"""Notices about a period say how it goes."""

import sqlalchemy as sa
from alembic import op

from shared.db.text import Text

revision = '0025'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('delivery_notices', sa.Column('pace', Text))


def downgrade() -> None:
    op.drop_column('delivery_notices', 'pace')
