"""the agreement in full."""

import json

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('agreement_versions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('effective_from', shared.db.engine.Instant(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('activated_at', shared.db.engine.Instant(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('approved_by', sa.Text(), server_default='{}', nullable=False))
        batch_op.add_column(sa.Column('drafts', sa.Text(), server_default='{}', nullable=False))
        batch_op.add_column(sa.Column('pilot_of', sa.Text(), nullable=True))
    # Until now a version was kept with the first decision under it, so from then on it was in force.
    op.execute('UPDATE agreement_versions SET effective_from = kept_at, activated_at = kept_at')
    with op.batch_alter_table('agreement_versions', schema=None) as batch_op:
        batch_op.alter_column('effective_from', nullable=False)

    op.create_table('router_desk',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('token', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_router_desk'))
    )
    op.create_table('router_journal',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_router_journal'))
    )
    op.create_table('router_reps',
    sa.Column('rep', sa.Text(), nullable=False),
    sa.Column('state', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('rep', name=op.f('pk_router_reps'))
    )
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pool', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('phone', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('domain', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('company', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('block', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('owns', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('parked_at', shared.db.engine.Instant(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('assigned_at', shared.db.engine.Instant(timezone=True), nullable=True))
        batch_op.create_index('ix_router_leads_block', ['block'], unique=False, postgresql_where=sa.text('owns'), sqlite_where=sa.text('owns'))
        batch_op.create_index('ix_router_leads_domain', ['domain'], unique=False, postgresql_where=sa.text('owns'), sqlite_where=sa.text('owns'))
        batch_op.create_index('ix_router_leads_parked', ['pool', 'parked_at', 'lead_id'], unique=False, postgresql_where=sa.text("state = 'parked'"), sqlite_where=sa.text("state = 'parked'"))
        batch_op.create_index('ix_router_leads_phone', ['phone'], unique=False)
    with op.batch_alter_table('router_verdicts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('seq', sa.BigInteger(), server_default='0', nullable=False))
        batch_op.create_index('ix_router_verdicts_seq', ['seq'], unique=False)
    _take_over_what_is_there()


def _take_over_what_is_there() -> None:
    """Leads and their owners from before: who waits where and since when, and how many leads each rep holds.

    Verdicts from before have no place in the record (`seq` 0), so a simulation begins with those that follow.
    """
    database = op.get_bind()
    if not database.execute(sa.text('SELECT 1 FROM router_leads LIMIT 1')).first():
        return
    held = sa.text('SELECT rep, count(*) FROM router_assignments WHERE active GROUP BY rep')
    for rep, count in database.execute(held).all():
        state = json.dumps({'open': count}).encode()
        insert = sa.text('INSERT INTO router_reps (rep, state) VALUES (:rep, :state)')
        database.execute(insert, {'rep': rep, 'state': state})
    change = sa.text(
        'UPDATE router_leads SET pool = :pool, phone = :phone, body = :body, parked_at = CASE WHEN state = :parked'
        ' THEN updated_at END WHERE lead_id = :lead_id'
    )
    for lead_id, body in database.execute(sa.text('SELECT lead_id, body FROM router_leads')).all():
        lead = json.loads(bytes(body))
        if lead.get('rep') is not None:
            lead['last_rep'] = lead['rep']
        if lead['state'] == 'parked':
            lead['parked_at'] = lead['updated_at']
        values = {'lead_id': lead_id, 'pool': lead.get('pool'), 'phone': lead['contact'].get('phone')}
        database.execute(change, {**values, 'parked': 'parked', 'body': json.dumps(lead).encode()})


def downgrade() -> None:
    with op.batch_alter_table('router_verdicts', schema=None) as batch_op:
        batch_op.drop_index('ix_router_verdicts_seq')
        batch_op.drop_column('seq')
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.drop_index('ix_router_leads_phone')
        batch_op.drop_index('ix_router_leads_parked')
        batch_op.drop_index('ix_router_leads_domain')
        batch_op.drop_index('ix_router_leads_block')
        for name in ('assigned_at', 'parked_at', 'owns', 'block', 'company', 'domain', 'phone', 'pool'):
            batch_op.drop_column(name)
    op.drop_table('router_reps')
    op.drop_table('router_journal')
    op.drop_table('router_desk')
    with op.batch_alter_table('agreement_versions', schema=None) as batch_op:
        batch_op.drop_column('pilot_of')
        batch_op.drop_column('drafts')
        batch_op.drop_column('approved_by')
        batch_op.drop_column('activated_at')
        batch_op.drop_column('effective_from')
