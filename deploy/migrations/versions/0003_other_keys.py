"""other addresses and numbers of a person."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('router_other_keys',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_router_other_keys'))
    )


def downgrade() -> None:
    op.drop_table('router_other_keys')
