"""the agreement in full."""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

import shared.db.engine

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

SCOREBOARD_INSTANTS = ('sales_at', 'began_at', 'settled_at', 'ended_at')
SCOREBOARD_TEXTS = ('inquiry_id', 'queue', 'clause', 'ended_as', 'ended_by', 'ended_because', 'ended_text', 'merged_into')

_leads = sa.table(
    'scoreboard_leads',
    *(sa.column(name, shared.db.engine.Instant()) for name in (*SCOREBOARD_INSTANTS, 'respond_by')),
    *(sa.column(name, sa.Text()) for name in ('lead_id', 'state', *SCOREBOARD_TEXTS)),
)
_timeline = sa.table(
    'scoreboard_timeline',
    *(sa.column(name) for name in ('event_id', 'lead_id', 'at', 'rank', 'type', 'data')),
)
_counts = sa.table('scoreboard_counts', *(sa.column(name) for name in ('period', 'shard', 'name', 'value')))
_LEADS = sa.select(_leads.c.lead_id).order_by(_leads.c.lead_id)
_STORIES = (
    sa.select(_timeline.c.lead_id, _timeline.c.type, _timeline.c.data)
    .where(
        _timeline.c.type.in_(
            [f'baton.lead.{name}.v1' for name in ('assigned', 'reassigned', 'parked', 'rejected')]
            + ['baton.activity.recorded.v1']
        )
    )
    .order_by(_timeline.c.lead_id, _timeline.c.at, _timeline.c.rank, _timeline.c.event_id)
)


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
    op.create_table('router_shadows',
    sa.Column('pilot', sa.Text(), nullable=False),
    sa.Column('inquiry_id', sa.Text(), nullable=False),
    sa.Column('at', shared.db.engine.Instant(timezone=True), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('real_verdict', sa.Text(), nullable=False),
    sa.Column('differs', sa.Boolean(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('pilot', 'inquiry_id', name=op.f('pk_router_shadows'))
    )
    with op.batch_alter_table('router_shadows', schema=None) as batch_op:
        batch_op.create_index('ix_router_shadows_at', ['pilot', 'at'], unique=False)
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pool', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('phone', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('stage', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('outcome', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('pilot', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('received_at', shared.db.engine.Instant(timezone=True), nullable=True))
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
    _upgrade_scoreboard()


def _upgrade_scoreboard() -> None:
    parked, rejected = sa.text("state = 'parked'"), sa.text("state = 'rejected'")
    refused = sa.text("state = 'closed' AND ended_as = 'rejected'")
    joined = sa.text('merged_into IS NOT NULL')
    with op.batch_alter_table('scoreboard_leads', schema=None) as batch_op:
        for name in SCOREBOARD_INSTANTS:
            batch_op.add_column(sa.Column(name, shared.db.engine.Instant(timezone=True), nullable=True))
        for name in SCOREBOARD_TEXTS:
            batch_op.add_column(sa.Column(name, sa.Text(), nullable=True))
        batch_op.create_index('ix_scoreboard_leads_parked', ['queue', 'settled_at', 'lead_id'], unique=False, postgresql_where=parked, sqlite_where=parked)
        batch_op.create_index('ix_scoreboard_leads_rejected', ['clause', 'settled_at', 'lead_id'], unique=False, postgresql_where=rejected, sqlite_where=rejected)
        batch_op.create_index('ix_scoreboard_leads_refused', ['ended_because', 'ended_at', 'lead_id'], unique=False, postgresql_where=refused, sqlite_where=refused)
        batch_op.create_index('ix_scoreboard_leads_joined', ['merged_into'], unique=False, postgresql_where=joined, sqlite_where=joined)
    _take_over_the_scoreboard()


def _take_over_the_scoreboard() -> None:
    """Where leads stand, since when, and how sales ended them, from the stories that the scoreboard keeps; and the
    counters of those that wait or were turned down. Of a lead's verdicts the last one counts, as the page has it.
    """
    database = op.get_bind()
    after = ''
    while ids := database.execute(_LEADS.where(_leads.c.lead_id > after).limit(500)).scalars().all():
        after = ids[-1]
        stories: dict[str, dict[str, object]] = {}
        for lead_id, kind, data in database.execute(_STORIES.where(_timeline.c.lead_id.in_(ids))).all():
            _follow(stories.setdefault(lead_id, {}), kind.split('.')[2], json.loads(bytes(data)))
        for lead_id, known in stories.items():
            if known:
                database.execute(sa.update(_leads).where(_leads.c.lead_id == lead_id).values(**known))
    closed = (_leads.c.ended_at >= _leads.c.began_at) & _leads.c.state.in_(('assigned', 'parked'))
    database.execute(sa.update(_leads).where(closed).values(state='closed', queue=None, respond_by=None))
    for prefix, name, where in (
        ('waits in ', _leads.c.queue, _leads.c.state == 'parked'),
        ('rejected for ', _leads.c.clause, _leads.c.state == 'rejected'),
        ('refused by sales for ', _leads.c.ended_because, (_leads.c.state == 'closed') & (_leads.c.ended_as == 'rejected')),
    ):
        query = sa.select(name, sa.func.count()).where(where, name.is_not(None)).group_by(name)
        for value, count in database.execute(query).all():
            row = {'period': 'all', 'shard': 0, 'name': prefix + value, 'value': count}
            database.execute(sa.insert(_counts).values(**row))


def _follow(known: dict[str, object], kind: str, event: dict[str, object]) -> None:
    """One event more of a lead's story, oldest first."""
    at = {name: datetime.fromisoformat(str(event[name])) for name in event if name.endswith('_at') and event[name]}
    if kind in ('assigned', 'reassigned'):
        # Until now a lead was judged to be one only once.
        known.update(inquiry_id=event['inquiry_id'], began_at=at['received_at'], settled_at=at['assigned_at'])
        known.update(queue=None, clause=None)
    elif kind in ('parked', 'rejected'):
        if known.get('inquiry_id') != event['inquiry_id']:
            known.update(inquiry_id=event['inquiry_id'], began_at=at['decided_at'])
        clause = _clause(str(event['reason'])) if kind == 'rejected' else None
        known.update(settled_at=at['decided_at'], queue=event.get('queue'), clause=clause)
    elif kind == 'recorded':
        if event['kind'] in ('accepted', 'opportunity', 'won', 'lost', 'stage'):
            known['sales_at'] = at['accepted_at']
        if event['kind'] in ('rejected', 'won', 'lost'):
            because = event.get('reason') or ('no reason given' if event['kind'] == 'rejected' else None)
            known.update(ended_at=at['accepted_at'], ended_as=event['kind'], ended_by=event.get('by'))
            known.update(ended_because=because, ended_text=event.get('text'))


def _clause(reason: str) -> str:
    part, _, said = reason.partition(': ')
    if part == 'a test':
        return part
    _, asks, asked = said.rpartition('the agreement asks for ')
    return f'{part}: {asks}{asked}' if asks else reason


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
        'UPDATE router_leads SET pool = :pool, phone = :phone, stage = :stage, body = :body, parked_at = CASE WHEN state = :parked'
        ' THEN updated_at END WHERE lead_id = :lead_id'
    )
    for lead_id, body in database.execute(sa.text('SELECT lead_id, body FROM router_leads')).all():
        lead = json.loads(bytes(body))
        if lead.get('rep') is not None:
            lead['last_rep'] = lead['rep']
        if lead['state'] == 'parked':
            lead['parked_at'] = lead['updated_at']
        values = {'lead_id': lead_id, 'pool': lead.get('pool'), 'stage': lead['stage']}
        values['phone'] = lead['contact'].get('phone')
        database.execute(change, {**values, 'parked': 'parked', 'body': json.dumps(lead).encode()})


def downgrade() -> None:
    with op.batch_alter_table('scoreboard_leads', schema=None) as batch_op:
        for name in ('joined', 'refused', 'rejected', 'parked'):
            batch_op.drop_index(f'ix_scoreboard_leads_{name}')
        for name in (*SCOREBOARD_TEXTS, *SCOREBOARD_INSTANTS):
            batch_op.drop_column(name)
    counters = " OR ".join(f"name LIKE '{prefix}%'" for prefix in ('waits in ', 'rejected for ', 'refused by sales for '))
    op.execute(f'DELETE FROM scoreboard_counts WHERE {counters}')
    op.execute("UPDATE scoreboard_leads SET state = 'assigned' WHERE state = 'closed'")
    with op.batch_alter_table('router_verdicts', schema=None) as batch_op:
        batch_op.drop_index('ix_router_verdicts_seq')
        batch_op.drop_column('seq')
    with op.batch_alter_table('router_leads', schema=None) as batch_op:
        batch_op.drop_index('ix_router_leads_phone')
        batch_op.drop_index('ix_router_leads_parked')
        batch_op.drop_index('ix_router_leads_domain')
        batch_op.drop_index('ix_router_leads_block')
        for name in ('received_at', 'pilot', 'outcome', 'stage', 'assigned_at', 'parked_at', 'owns', 'block', 'company', 'domain', 'phone', 'pool'):
            batch_op.drop_column(name)
    op.drop_table('router_shadows')
    op.drop_table('router_reps')
    op.drop_table('router_journal')
    op.drop_table('router_desk')
    with op.batch_alter_table('agreement_versions', schema=None) as batch_op:
        batch_op.drop_column('pilot_of')
        batch_op.drop_column('drafts')
        batch_op.drop_column('approved_by')
        batch_op.drop_column('activated_at')
        batch_op.drop_column('effective_from')
