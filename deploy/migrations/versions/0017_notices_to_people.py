"""Delivery stores notices to people, the messages that say them, and what is known of leads."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'delivery_leads',
        sa.Column('lead_id', Key, primary_key=True),
        sa.Column('context', Text, nullable=False),
        sa.Column('updated_at', Instant, nullable=False),
    )
    op.create_table(
        'delivery_messages',
        sa.Column('message_id', Key, primary_key=True),
        sa.Column('incident_id', Text, nullable=False),
        sa.Column('window_id', Text, nullable=False),
        sa.Column('channels', Text, nullable=False),
        sa.Column('channel_number', sa.Integer, nullable=False),
        sa.Column('lane', Key, nullable=False),
        sa.Column('attempts', sa.Integer, nullable=False),
        sa.Column('token', sa.BigInteger, nullable=False),
        sa.Column('next_at', Instant),
        sa.Column('leave_at', Instant),
        sa.Column('created_at', Instant, nullable=False),
    )
    _partial_index('ix_delivery_messages_due', 'delivery_messages', ['lane', 'next_at'], 'next_at IS NOT NULL')
    op.create_table(
        'delivery_notices',
        sa.Column('notice_id', Key, primary_key=True),
        sa.Column('event_id', Text, nullable=False),
        sa.Column('message_id', Key),
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('window_id', Key, nullable=False),
        sa.Column('escalation_id', Text),
        sa.Column('kind', Text, nullable=False),
        sa.Column('page', sa.Boolean, nullable=False),
        sa.Column('role', Text, nullable=False),
        sa.Column('person', Text),
        sa.Column('promise', Text, nullable=False),
        sa.Column('owner', Text, nullable=False),
        sa.Column('agreement', Text, nullable=False),
        sa.Column('at', Instant, nullable=False),
        sa.Column('due_at', Instant, nullable=False),
        sa.Column('by', Text, nullable=False),
        sa.Column('until', Instant),
        sa.Column('state', Text, nullable=False),
        sa.Column('channel', Text),
        sa.Column('attempts', sa.Integer, nullable=False),
        sa.Column('reason', Text),
        sa.Column('over', Text),
        sa.Column('created_at', Instant, nullable=False),
        sa.Column('ended_at', Instant),
    )
    op.create_index('ix_delivery_notices_created', 'delivery_notices', ['created_at', 'notice_id'])
    _partial_index('ix_delivery_notices_due', 'delivery_notices', ['created_at'], "state = 'due'")
    op.create_index('ix_delivery_notices_lead_id', 'delivery_notices', ['lead_id'])
    op.create_index('ix_delivery_notices_message_id', 'delivery_notices', ['message_id'])
    op.create_index('ix_delivery_notices_window_id', 'delivery_notices', ['window_id'])
    op.create_table(
        'delivery_recipients',
        sa.Column('recipient', Key, primary_key=True),
        sa.Column('message_id', Key, nullable=False),
        sa.Column('free_at', Instant, nullable=False),
    )


def downgrade() -> None:
    op.drop_table('delivery_recipients')
    op.drop_table('delivery_notices')
    op.drop_table('delivery_messages')
    op.drop_table('delivery_leads')


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
