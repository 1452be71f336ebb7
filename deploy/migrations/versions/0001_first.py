"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('agreement_versions',
    sa.Column('hash', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('kept_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('hash', name=op.f('pk_agreement_versions'))
    )
    op.create_table('delivery_deliveries',
    sa.Column('subscription_id', sa.Text(), nullable=False),
    sa.Column('event_seq', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('token', sa.BigInteger(), nullable=False),
    sa.Column('due_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('ended_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('last_status', sa.Integer(), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('subscription_id', 'event_seq', name=op.f('pk_delivery_deliveries'))
    )
    with op.batch_alter_table('delivery_deliveries', schema=None) as batch_op:
        batch_op.create_index('ix_delivery_deliveries_due', ['subscription_id', 'due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.create_table('delivery_events',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('time', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('stored_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_delivery_events')),
    sa.UniqueConstraint('event_id', name=op.f('uq_delivery_events_event_id')),
    sqlite_autoincrement=True
    )
    op.create_table('delivery_inbox',
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('handled_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_delivery_inbox'))
    )
    op.create_table('delivery_outbox',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('time', sa.Text(), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_delivery_outbox'))
    )
    op.create_table('delivery_positions',
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('next_offset', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('topic', 'partition', name=op.f('pk_delivery_positions'))
    )
    op.create_table('delivery_subscriptions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('events', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('secrets', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('created_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('failing_since', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery_subscriptions'))
    )
    op.create_table('router_assignments',
    sa.Column('assignment_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('generation', sa.Integer(), nullable=False),
    sa.Column('rep', sa.Text(), nullable=False),
    sa.Column('pool', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('assigned_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('assignment_id', name=op.f('pk_router_assignments'))
    )
    with op.batch_alter_table('router_assignments', schema=None) as batch_op:
        batch_op.create_index('uq_router_assignments_active', ['lead_id'], unique=True, postgresql_where=sa.text('active'), sqlite_where=sa.text('active'))

    op.create_table('router_early_facts',
    sa.Column('activity_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('activity_id', name=op.f('pk_router_early_facts'))
    )
    with op.batch_alter_table('router_early_facts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_router_early_facts_lead_id'), ['lead_id'], unique=False)

    op.create_table('router_inbox',
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('handled_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_router_inbox'))
    )
    op.create_table('router_leads',
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('rep', sa.Text(), nullable=True),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('campaign', sa.Text(), nullable=True),
    sa.Column('updated_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('lead_id', name=op.f('pk_router_leads'))
    )
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.create_index('ix_router_leads_email', ['email'], unique=False)
        batch_op.create_index('ix_router_leads_rep_state', ['rep', 'state'], unique=False)
        batch_op.create_index('ix_router_leads_updated_at', ['updated_at', 'lead_id'], unique=False)

    op.create_table('router_outbox',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('time', sa.Text(), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_router_outbox'))
    )
    op.create_table('router_pools',
    sa.Column('pool', sa.Text(), nullable=False),
    sa.Column('turns', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('pool', name=op.f('pk_router_pools'))
    )
    op.create_table('router_positions',
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('next_offset', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('topic', 'partition', name=op.f('pk_router_positions'))
    )
    op.create_table('router_verdicts',
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('lead_version', sa.Integer(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('inquiry_id', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('received_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('proof', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('lead_id', 'lead_version', name=op.f('pk_router_verdicts'))
    )
    op.create_table('scoreboard_counts',
    sa.Column('period', sa.Text(), nullable=False),
    sa.Column('shard', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('period', 'shard', 'name', name=op.f('pk_scoreboard_counts'))
    )
    op.create_table('scoreboard_escalations',
    sa.Column('escalation_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=True),
    sa.Column('window_id', sa.Text(), nullable=True),
    sa.Column('promise', sa.Text(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('level', sa.Integer(), server_default='0', nullable=False),
    sa.Column('state', sa.Text(), nullable=True),
    sa.Column('raised_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('changed_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('acknowledged_by', sa.Text(), nullable=True),
    sa.Column('quiet_until', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('escalation_id', name=op.f('pk_scoreboard_escalations'))
    )
    with op.batch_alter_table('scoreboard_escalations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scoreboard_escalations_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index('ix_scoreboard_escalations_open', ['raised_at'], unique=False, postgresql_where=sa.text("state IN ('firing', 'acknowledged')"), sqlite_where=sa.text("state IN ('firing', 'acknowledged')"))

    op.create_table('scoreboard_inbox',
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('handled_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_scoreboard_inbox'))
    )
    op.create_table('scoreboard_inquiries',
    sa.Column('inquiry_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=True),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('campaign', sa.Text(), nullable=True),
    sa.Column('received_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('test', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('outcome', sa.Text(), server_default='in_flight', nullable=False),
    sa.Column('decided_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('version', sa.BigInteger(), server_default='-1', nullable=False),
    sa.PrimaryKeyConstraint('inquiry_id', name=op.f('pk_scoreboard_inquiries'))
    )
    with op.batch_alter_table('scoreboard_inquiries', schema=None) as batch_op:
        batch_op.create_index('ix_scoreboard_inquiries_in_flight', ['received_at'], unique=False, postgresql_where=sa.text("outcome = 'in_flight' AND received_at IS NOT NULL"), sqlite_where=sa.text("outcome = 'in_flight' AND received_at IS NOT NULL"))

    op.create_table('scoreboard_leads',
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('job_title', sa.Text(), nullable=True),
    sa.Column('company', sa.Text(), nullable=True),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('campaign', sa.Text(), nullable=True),
    sa.Column('received_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('state', sa.Text(), server_default='received', nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('stage', sa.Text(), nullable=True),
    sa.Column('sales_stage', sa.Text(), nullable=True),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('pool', sa.Text(), nullable=True),
    sa.Column('assigned_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('respond_by', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('version', sa.BigInteger(), server_default='-1', nullable=False),
    sa.PrimaryKeyConstraint('lead_id', name=op.f('pk_scoreboard_leads'))
    )
    with op.batch_alter_table('scoreboard_leads', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scoreboard_leads_received_at'), ['received_at'], unique=False)

    op.create_table('scoreboard_outbox',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('time', sa.Text(), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_scoreboard_outbox'))
    )
    op.create_table('scoreboard_positions',
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('next_offset', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('topic', 'partition', name=op.f('pk_scoreboard_positions'))
    )
    op.create_table('scoreboard_timeline',
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_scoreboard_timeline'))
    )
    with op.batch_alter_table('scoreboard_timeline', schema=None) as batch_op:
        batch_op.create_index('ix_scoreboard_timeline_lead', ['lead_id', 'at', 'rank', 'event_id'], unique=False)

    op.create_table('scoreboard_windows',
    sa.Column('window_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=True),
    sa.Column('promise', sa.Text(), nullable=True),
    sa.Column('side', sa.Text(), nullable=True),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('generation', sa.Integer(), server_default='0', nullable=False),
    sa.Column('opened_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('due_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('state', sa.Text(), nullable=True),
    sa.Column('ended_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('fault', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('window_id', name=op.f('pk_scoreboard_windows'))
    )
    with op.batch_alter_table('scoreboard_windows', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scoreboard_windows_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index('ix_scoreboard_windows_running', ['due_at'], unique=False, postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))

    op.create_table('sla_monitor_escalations',
    sa.Column('escalation_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('quiet_until_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('raised_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('escalation_id', name=op.f('pk_sla_monitor_escalations'))
    )
    with op.batch_alter_table('sla_monitor_escalations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sla_monitor_escalations_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index('ix_sla_monitor_escalations_raised_at', ['raised_at', 'escalation_id'], unique=False)

    op.create_table('sla_monitor_facts',
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('activity_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('accepted_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('lead_id', 'activity_id', name=op.f('pk_sla_monitor_facts'))
    )
    op.create_table('sla_monitor_holds',
    sa.Column('quarantine_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('held_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('released_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('quarantine_id', name=op.f('pk_sla_monitor_holds'))
    )
    with op.batch_alter_table('sla_monitor_holds', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sla_monitor_holds_lead_id'), ['lead_id'], unique=False)

    op.create_table('sla_monitor_inbox',
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('handled_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_sla_monitor_inbox'))
    )
    op.create_table('sla_monitor_outbox',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('time', sa.Text(), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_sla_monitor_outbox'))
    )
    op.create_table('sla_monitor_positions',
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('next_offset', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('topic', 'partition', name=op.f('pk_sla_monitor_positions'))
    )
    op.create_table('sla_monitor_steps',
    sa.Column('window_id', sa.Text(), nullable=False),
    sa.Column('loop', sa.Integer(), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('due_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('fired_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('window_id', 'loop', 'level', name=op.f('pk_sla_monitor_steps'))
    )
    op.create_table('sla_monitor_watermarks',
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('instance', sa.Text(), nullable=False),
    sa.Column('upto_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('partition', 'instance', name=op.f('pk_sla_monitor_watermarks'))
    )
    op.create_table('sla_monitor_windows',
    sa.Column('window_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('promise', sa.Text(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('due_at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('look_at', shared.db.engine.Instant(timezone=True), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('window_id', name=op.f('pk_sla_monitor_windows'))
    )
    with op.batch_alter_table('sla_monitor_windows', schema=None) as batch_op:
        batch_op.create_index('ix_sla_monitor_windows_due_at', ['due_at', 'window_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_sla_monitor_windows_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index('ix_sla_monitor_windows_look_at', ['partition', 'look_at'], unique=False, postgresql_where=sa.text('look_at IS NOT NULL'), sqlite_where=sa.text('look_at IS NOT NULL'))




def downgrade() -> None:

    with op.batch_alter_table('sla_monitor_windows', schema=None) as batch_op:
        batch_op.drop_index('ix_sla_monitor_windows_look_at', postgresql_where=sa.text('look_at IS NOT NULL'), sqlite_where=sa.text('look_at IS NOT NULL'))
        batch_op.drop_index(batch_op.f('ix_sla_monitor_windows_lead_id'))
        batch_op.drop_index('ix_sla_monitor_windows_due_at')

    op.drop_table('sla_monitor_windows')
    op.drop_table('sla_monitor_watermarks')
    op.drop_table('sla_monitor_steps')
    op.drop_table('sla_monitor_positions')
    op.drop_table('sla_monitor_outbox')
    op.drop_table('sla_monitor_inbox')
    with op.batch_alter_table('sla_monitor_holds', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sla_monitor_holds_lead_id'))

    op.drop_table('sla_monitor_holds')
    op.drop_table('sla_monitor_facts')
    with op.batch_alter_table('sla_monitor_escalations', schema=None) as batch_op:
        batch_op.drop_index('ix_sla_monitor_escalations_raised_at')
        batch_op.drop_index(batch_op.f('ix_sla_monitor_escalations_lead_id'))

    op.drop_table('sla_monitor_escalations')
    with op.batch_alter_table('scoreboard_windows', schema=None) as batch_op:
        batch_op.drop_index('ix_scoreboard_windows_running', postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))
        batch_op.drop_index(batch_op.f('ix_scoreboard_windows_lead_id'))

    op.drop_table('scoreboard_windows')
    with op.batch_alter_table('scoreboard_timeline', schema=None) as batch_op:
        batch_op.drop_index('ix_scoreboard_timeline_lead')

    op.drop_table('scoreboard_timeline')
    op.drop_table('scoreboard_positions')
    op.drop_table('scoreboard_outbox')
    with op.batch_alter_table('scoreboard_leads', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_scoreboard_leads_received_at'))

    op.drop_table('scoreboard_leads')
    with op.batch_alter_table('scoreboard_inquiries', schema=None) as batch_op:
        batch_op.drop_index('ix_scoreboard_inquiries_in_flight', postgresql_where=sa.text("outcome = 'in_flight' AND received_at IS NOT NULL"), sqlite_where=sa.text("outcome = 'in_flight' AND received_at IS NOT NULL"))

    op.drop_table('scoreboard_inquiries')
    op.drop_table('scoreboard_inbox')
    with op.batch_alter_table('scoreboard_escalations', schema=None) as batch_op:
        batch_op.drop_index('ix_scoreboard_escalations_open', postgresql_where=sa.text("state IN ('firing', 'acknowledged')"), sqlite_where=sa.text("state IN ('firing', 'acknowledged')"))
        batch_op.drop_index(batch_op.f('ix_scoreboard_escalations_lead_id'))

    op.drop_table('scoreboard_escalations')
    op.drop_table('scoreboard_counts')
    op.drop_table('router_verdicts')
    op.drop_table('router_positions')
    op.drop_table('router_pools')
    op.drop_table('router_outbox')
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.drop_index('ix_router_leads_updated_at')
        batch_op.drop_index('ix_router_leads_rep_state')
        batch_op.drop_index('ix_router_leads_email')

    op.drop_table('router_leads')
    op.drop_table('router_inbox')
    with op.batch_alter_table('router_early_facts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_router_early_facts_lead_id'))

    op.drop_table('router_early_facts')
    with op.batch_alter_table('router_assignments', schema=None) as batch_op:
        batch_op.drop_index('uq_router_assignments_active', postgresql_where=sa.text('active'), sqlite_where=sa.text('active'))

    op.drop_table('router_assignments')
    op.drop_table('delivery_subscriptions')
    op.drop_table('delivery_positions')
    op.drop_table('delivery_outbox')
    op.drop_table('delivery_inbox')
    op.drop_table('delivery_events')
    with op.batch_alter_table('delivery_deliveries', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_deliveries_due', postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.drop_table('delivery_deliveries')
    op.drop_table('agreement_versions')

