"""The monitor knows how a call went and who made it."""

import sqlalchemy as sa
from alembic import op

from shared.db.text import Text

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sla_monitor_facts', sa.Column('outcome', Text))
    op.add_column('sla_monitor_facts', sa.Column('by', Text))


def downgrade() -> None:
    op.drop_column('sla_monitor_facts', 'by')
    op.drop_column('sla_monitor_facts', 'outcome')
