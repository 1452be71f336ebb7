"""An escalation and its notices say whose fault the breach is, and the scoreboard how long buyers and reps took."""

import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scoreboard_escalations', sa.Column('fault', Text))
    op.add_column('delivery_notices', sa.Column('fault', Text))
    op.create_table(
        'scoreboard_waits',
        sa.Column('lead_id', Key, nullable=False),
        sa.Column('cycle', sa.Integer, autoincrement=False, nullable=False),
        sa.Column('asked_at', Instant, nullable=False),
        sa.Column('answered_at', Instant),
        sa.Column('rep', Text),
        sa.Column('since_at', Instant),
        sa.Column('buyer_s', sa.Float),
        sa.Column('buyer_work_s', sa.Float),
        sa.Column('rep_s', sa.Float),
        sa.Column('rep_work_s', sa.Float),
        sa.PrimaryKeyConstraint('lead_id', 'cycle'),
    )
    op.create_index('ix_scoreboard_waits_asked_at', 'scoreboard_waits', ['asked_at'])


def downgrade() -> None:
    op.drop_table('scoreboard_waits')
    op.drop_column('delivery_notices', 'fault')
    op.drop_column('scoreboard_escalations', 'fault')
