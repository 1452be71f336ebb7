"""The monitor knows which leads became part of another."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_known = sa.table(
    'scoreboard_leads',
    *(sa.column(name) for name in ('lead_id', 'merged_into', 'settled_at', 'received_at', 'inquiry_id')),
)
_merged = sa.table('sla_monitor_merged', *(sa.column(name) for name in ('lead_id', 'into', 'merged_at', 'was_lead')))


def upgrade() -> None:
    op.create_table(
        'sla_monitor_merged',
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('into', Key, nullable=False),
        sa.Column('merged_at', Instant, nullable=False),
        sa.Column('was_lead', sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint('lead_id', name=op.f('pk_sla_monitor_merged')),
    )
    op.create_index(op.f('ix_sla_monitor_merged_into'), 'sla_monitor_merged', ['into'])
    # Merges of before, as the scoreboard knows them: what is reported under their ids counts as well.
    at = sa.func.coalesce(_known.c.settled_at, _known.c.received_at)
    merged = sa.select(_known.c.lead_id, _known.c.merged_into, at, _known.c.inquiry_id.is_not(None))
    there = _known.c.merged_into.is_not(None) & at.is_not(None)
    op.execute(_merged.insert().from_select(['lead_id', 'into', 'merged_at', 'was_lead'], merged.where(there)))


def downgrade() -> None:
    op.drop_table('sla_monitor_merged')
