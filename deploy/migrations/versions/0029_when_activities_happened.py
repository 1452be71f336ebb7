"""The monitor knows when an activity happened, by a sender who is trusted with that."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant

revision = '0029'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sla_monitor_facts', sa.Column('happened_at', Instant))


def downgrade() -> None:
    op.drop_column('sla_monitor_facts', 'happened_at')
