"""A stored agreement knows its public holidays, so that another version of the library changes no deadline."""

import sqlalchemy as sa
from alembic import op

from shared.db.text import Text

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('agreement_versions', sa.Column('holidays', Text))


def downgrade() -> None:
    op.drop_column('agreement_versions', 'holidays')
