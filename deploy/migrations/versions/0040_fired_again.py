"""A notice says which event fired it again after a silence."""

import sqlalchemy as sa
from alembic import op

from shared.db.text import Text

revision = '0040'
down_revision = '0039'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('delivery_notices', sa.Column('again', Text))


def downgrade() -> None:
    op.drop_column('delivery_notices', 'again')
