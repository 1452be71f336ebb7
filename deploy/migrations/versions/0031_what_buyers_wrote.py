"""Delivery stores what buyers wrote and read, for messages, and which pagers may have taken one."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0031'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'delivery_inquiries',
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('goes_on_as', Key),
        sa.Column('said', Text),
        sa.Column('updated_at', Instant, nullable=False),
        sa.PrimaryKeyConstraint('lead_id'),
    )
    goes_on = sa.text('goes_on_as IS NOT NULL')
    op.create_index(
        'ix_delivery_inquiries_goes_on_as', 'delivery_inquiries', ['goes_on_as'],
        postgresql_where=goes_on, sqlite_where=goes_on,
    )
    op.add_column('delivery_messages', sa.Column('unsure', Text))


def downgrade() -> None:
    op.drop_column('delivery_messages', 'unsure')
    op.drop_table('delivery_inquiries')
