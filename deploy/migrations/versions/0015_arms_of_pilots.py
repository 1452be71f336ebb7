"""Leads and assignments know the arms of pilots in which they are, so that the two arms can be compared."""

import msgspec
import sqlalchemy as sa
from alembic import op

from shared.db.engine import Instant
from shared.db.text import Key, Text

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('router_leads', sa.Column('pilot_arms', Text))
    leads = sa.table('router_leads', sa.column('pilot', sa.Text), sa.column('pilot_arms', Text))
    bind = op.get_bind()
    for (pilot,) in list(bind.execute(sa.select(leads.c.pilot).distinct().where(leads.c.pilot.is_not(None)))):
        arms = msgspec.json.encode([{'pilot': pilot, 'arm': 'draft'}]).decode()
        bind.execute(sa.update(leads).where(leads.c.pilot == pilot).values(pilot_arms=arms))
    where = sa.text('pilot_arms IS NOT NULL')
    op.create_index(
        'ix_router_leads_pilots', 'router_leads', ['received_at'], postgresql_where=where, sqlite_where=where
    )
    op.create_table(
        'scoreboard_pilot_assignments',
        sa.Column('pilot', Key, primary_key=True),
        sa.Column('lead_id', Key, primary_key=True),
        sa.Column('cycle', sa.Integer, primary_key=True, autoincrement=False),
        sa.Column('generation', sa.Integer, nullable=False),
        sa.Column('arm', Key, nullable=False),
        sa.Column('assigned_at', Instant, nullable=False),
    )
    op.create_index(
        'ix_scoreboard_pilot_assignments_assigned_at', 'scoreboard_pilot_assignments', ['assigned_at']
    )


def downgrade() -> None:
    op.drop_table('scoreboard_pilot_assignments')
    op.drop_index('ix_router_leads_pilots', 'router_leads')
    op.drop_column('router_leads', 'pilot_arms')
