"""What the router keeps: leads, who owns them, whose turn it is, and a proof of every verdict.

Statements take whole batches. Rows are locked in one order (pools by name, then leads by id), so that parallel
routers can't deadlock; `router_assignments` has a unique index that makes two active owners of one lead impossible.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.assignment import Turns
from services.router.domain.decision import Verdict
from services.router.domain.lead import Lead
from services.router.domain.proof import Proof
from shared.db.bulk import any_of, insert_or_skip, insert_rows, upsert_rows
from shared.db.engine import Instant, Tx
from shared.db.tables import metadata, runtime_tables
from shared.domain.events import ActivityRecorded

tables = runtime_tables("router")

_leads = sa.Table(
    "router_leads",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rep", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_router_leads_updated_at", "updated_at", "lead_id"),
    sa.Index("ix_router_leads_email", "email"),
    sa.Index("ix_router_leads_rep_state", "rep", "state"),
)
_assignments = sa.Table(
    "router_assignments",
    metadata,
    sa.Column("assignment_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("rep", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("assigned_at", Instant, nullable=False),
    sa.Index(
        "uq_router_assignments_active",
        "lead_id",
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    ),
)
_verdicts = sa.Table(
    "router_verdicts",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("lead_version", sa.Integer, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("inquiry_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("received_at", Instant),
    sa.Column("proof", sa.LargeBinary, nullable=False),
)
_early_facts = sa.Table(
    "router_early_facts",
    metadata,
    sa.Column("activity_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_pools = sa.Table(
    "router_pools",
    metadata,
    sa.Column("pool", sa.Text, primary_key=True),
    sa.Column("turns", sa.LargeBinary, nullable=False),
)


_encode = msgspec.json.Encoder().encode
_decode_lead = msgspec.json.Decoder(Lead).decode
_decode_fact = msgspec.json.Decoder(ActivityRecorded).decode
_decode_proof = msgspec.json.Decoder(Proof).decode
_decode_turns = msgspec.json.Decoder(Turns).decode


async def pools_to_turn(tx: Tx, names: Sequence[str]) -> dict[str, Turns]:
    """The rotation of each pool, locked until the transaction ends; a pool without turns yet starts level."""
    await insert_or_skip(tx, _pools, [{"pool": name, "turns": _encode(Turns())} for name in sorted(names)])
    query = sa.select(_pools).where(any_of(tx, _pools.c.pool, names)).order_by(_pools.c.pool).with_for_update()
    return {row.pool: _decode_turns(row.turns) for row in await tx.execute(query)}


async def save_turns(tx: Tx, turns: Mapping[str, Turns]) -> None:
    """Keep the rotations as they are now."""
    await upsert_rows(tx, _pools, [{"pool": name, "turns": _encode(state)} for name, state in turns.items()])


async def leads_to_change(tx: Tx, ids: Sequence[str]) -> dict[str, Lead]:
    """The leads that we have, locked until the transaction ends."""
    query = (
        sa.select(_leads.c.body).where(any_of(tx, _leads.c.lead_id, ids)).order_by(_leads.c.lead_id).with_for_update()
    )
    return {lead.lead_id: lead for lead in (_decode_lead(row.body) for row in await tx.execute(query))}


async def save_verdicts(tx: Tx, verdicts: Sequence[Verdict]) -> None:
    """Keep the leads as the verdicts left them, their owners, and the proofs."""
    latest = {verdict.lead.lead_id: verdict.lead for verdict in verdicts}
    await save_leads(tx, list(latest.values()))
    handed = [v.lead for v in verdicts if v.proof.verdict in ("assigned", "reassigned")]
    await _hand_over(tx, [lead for lead in handed if lead.generation > 1], [_assignment(lead) for lead in handed])
    await insert_rows(tx, _verdicts, [_verdict(verdict) for verdict in verdicts])


async def save_leads(tx: Tx, leads: Sequence[Lead]) -> None:
    """Keep the leads as they are now."""
    await upsert_rows(tx, _leads, [_lead(lead) for lead in sorted(leads, key=lambda lead: lead.lead_id)])


async def end_assignments(tx: Tx, lead_ids: Sequence[str]) -> None:
    """Nobody holds these leads any more."""
    held = _assignments.c.active & any_of(tx, _assignments.c.lead_id, lead_ids)
    await tx.execute(sa.update(_assignments).where(held).values(active=False))


async def save_early_facts(tx: Tx, facts: Sequence[ActivityRecorded]) -> None:
    """Keep facts about leads that are not there yet: topics are read independently, so a fact may come first."""
    rows = [{"activity_id": f.activity_id, "lead_id": f.lead_id, "body": _encode(f)} for f in facts]
    await insert_or_skip(tx, _early_facts, rows)


async def take_early_facts(tx: Tx, lead_ids: Sequence[str]) -> list[ActivityRecorded]:
    """Those about leads that have just come, in the order of their acceptance; they are no longer kept."""
    mine = any_of(tx, _early_facts.c.lead_id, lead_ids)
    found = [_decode_fact(body) for body in (await tx.execute(sa.select(_early_facts.c.body).where(mine))).scalars()]
    if found:
        await tx.execute(sa.delete(_early_facts).where(mine))
    return sorted(found, key=lambda fact: (fact.accepted_at, fact.activity_id))


async def lead_by_id(tx: Tx, lead_id: str) -> Lead | None:
    """One lead."""
    body = (await tx.execute(sa.select(_leads.c.body).where(_leads.c.lead_id == lead_id))).scalar_one_or_none()
    return _decode_lead(body) if body is not None else None


async def inquiries_of(tx: Tx, lead_id: str) -> list[dict[str, Any]]:
    """The inquiries that make up a lead, oldest first, at most 200."""
    table = _verdicts
    mine = (table.c.lead_id == lead_id) & table.c.source.is_not(None)
    query = sa.select(table.c.inquiry_id, table.c.source, table.c.received_at).where(mine)
    rows = await tx.execute(query.order_by(table.c.lead_version).limit(200))
    return [dict(row._mapping) for row in rows]


async def proofs_of(tx: Tx, lead_id: str) -> list[Proof]:
    """The proofs of a lead's verdicts, oldest first, at most 200."""
    query = sa.select(_verdicts.c.proof).where(_verdicts.c.lead_id == lead_id)
    rows = await tx.execute(query.order_by(_verdicts.c.lead_version).limit(200))
    return [_decode_proof(proof) for proof in rows.scalars()]


async def leads_page(tx: Tx, *, filters: Mapping[str, str], after: tuple[Any, str] | None, most: int) -> list[Lead]:
    """Leads by exact `email`, `state`, `rep` or `campaign`, latest change first; `after` is the last one of the page
    before.
    """
    query = sa.select(_leads.c.body).where(*(_leads.c[name] == value for name, value in filters.items()))
    if after is not None:
        query = query.where(sa.tuple_(_leads.c.updated_at, _leads.c.lead_id) < after)
    rows = await tx.execute(query.order_by(_leads.c.updated_at.desc(), _leads.c.lead_id.desc()).limit(most))
    return [_decode_lead(body) for body in rows.scalars()]


async def loads(tx: Tx) -> dict[str, int]:
    """How many leads each rep holds now."""
    held = sa.select(_assignments.c.rep, sa.func.count()).where(_assignments.c.active).group_by(_assignments.c.rep)
    return {row[0]: row[1] for row in await tx.execute(held)}


async def rotations(tx: Tx) -> dict[str, Turns]:
    """The rotation of each pool, to look at."""
    return {row.pool: _decode_turns(row.turns) for row in await tx.execute(sa.select(_pools))}


async def _hand_over(tx: Tx, from_others: Sequence[Lead], rows: Sequence[Mapping[str, Any]]) -> None:
    if from_others:
        await end_assignments(tx, [lead.lead_id for lead in from_others])
    await insert_rows(tx, _assignments, rows)


def _lead(lead: Lead) -> dict[str, Any]:
    return {
        "lead_id": lead.lead_id,
        "version": lead.version,
        "state": lead.state,
        "rep": lead.rep,
        "email": lead.contact.email,
        "campaign": lead.campaign,
        "updated_at": lead.updated_at,
        "body": _encode(lead),
    }


def _assignment(lead: Lead) -> dict[str, Any]:
    return {
        "assignment_id": lead.assignment_id,
        "lead_id": lead.lead_id,
        "generation": lead.generation,
        "rep": lead.rep,
        "pool": lead.pool,
        "active": True,
        "assigned_at": lead.assigned_at,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    inquiry = verdict.proof.inquiry
    return {
        "lead_id": verdict.lead.lead_id,
        "lead_version": verdict.lead.version,
        "verdict": verdict.proof.verdict,
        "inquiry_id": verdict.inquiry_id,
        "source": inquiry.source if inquiry else None,
        "received_at": inquiry.accepted_at if inquiry else None,
        "proof": _encode(verdict.proof),
    }
