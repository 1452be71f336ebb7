"""A notice says what follows if nobody acts, and why a step fired again."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Text

revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('delivery_notices', sa.Column('because', Text))
    op.add_column('delivery_notices', sa.Column('next_at', Instant))
    op.add_column('delivery_notices', sa.Column('next_does', Text))


def downgrade() -> None:
    for name in ('next_does', 'next_at', 'because'):
        op.drop_column('delivery_notices', name)
