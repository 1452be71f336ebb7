"""Leads and their owners."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.accounts import keys_of, owns
from services.router.domain.lead import Lead
from services.router.domain.routing_state import RoutingState
from services.router.store.tables import assignments, early_facts, leads, other_keys
from shared.db.bulk import any_of, insert_or_skip, insert_rows, row_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.events import ActivityRecorded

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Lead).decode


async def by_id(tx: Tx, lead_id: str) -> Lead | None:
    """The lead with this id."""
    body = (await tx.execute(sa.select(leads.c.body).where(leads.c.lead_id == lead_id))).scalar_one_or_none()
    return _decode(body) if body is not None else None


async def save(tx: Tx, routing: RoutingState) -> None:
    """Save the changed leads of the routing state, and their owners."""
    changed = [lead for _, lead in sorted(routing.changed.items())]
    # Each change counts the version up, so a first version is a row that is not there yet.
    await insert_rows(tx, leads, [_lead(lead) for lead in changed if lead.version == 1])
    await upsert_rows(tx, leads, [_lead(lead) for lead in changed if lead.version > 1])
    keys = {key: lead.lead_id for lead in changed if lead.into is None for key in lead.other_keys}
    await upsert_rows(tx, other_keys, [{"key": key, "lead_id": lead_id} for key, lead_id in sorted(keys.items())])
    if routing.ended:
        held = assignments.c.active & any_of(tx, assignments.c.lead_id, routing.ended)
        await tx.execute(sa.update(assignments).where(held).values(active=False))
    latest = {lead.lead_id: lead.generation for lead in routing.newly_assigned}
    await insert_rows(tx, assignments, [_assignment(lead, routing, latest) for lead in routing.newly_assigned])


async def page(tx: Tx, *, filters: Mapping[str, str], after: tuple[Any, str] | None, limit: int) -> list[Lead]:
    """Leads by exact `email`, `state`, `rep` or `campaign`, latest change first; `after` is the last one of the page
    before.
    """
    query = sa.select(leads.c.body).where(*(leads.c[name] == value for name, value in filters.items()))
    if after is not None:
        query = query.where(sa.tuple_(leads.c.updated_at, leads.c.lead_id) < after)
    rows = await tx.execute(query.order_by(leads.c.updated_at.desc(), leads.c.lead_id.desc()).limit(limit))
    return [_decode(body) for body in rows.scalars()]


async def save_early_facts(tx: Tx, facts: Sequence[ActivityRecorded]) -> None:
    """Save facts about leads that do not exist yet: topics are read independently, so a fact may arrive first."""
    rows = [row_of(early_facts, fact, activity_id=fact.key, body=_encode(fact)) for fact in facts]
    await insert_or_skip(tx, early_facts, rows)


def _lead(lead: Lead) -> dict[str, Any]:
    keys = keys_of(lead.company, lead.contact)
    return {
        "lead_id": lead.lead_id,
        "version": lead.version,
        "state": lead.state,
        "rep": lead.rep,
        "pool": lead.pool,
        "email": lead.contact.email,
        "phone": lead.contact.phone_key if not lead.number_shared else None,
        "campaign": lead.campaign,
        "stage": lead.stage,
        "outcome": lead.outcome,
        "pilot": lead.pilot,
        "pilot_arms": _encode(lead.arms).decode() if lead.arms else None,
        "test": lead.test,
        "received_at": lead.received_at,
        "domain": keys.domain,
        "company": keys.name,
        "block": keys.block,
        "owns": owns(lead),
        "parked_at": lead.parked_at,
        "assigned_at": lead.assigned_at,
        "updated_at": lead.updated_at,
        "body": _encode(lead),
    }


def _assignment(lead: Lead, routing: RoutingState, latest: Mapping[str, int]) -> dict[str, Any]:
    now = routing.leads[lead.lead_id]
    active = now.state == "assigned" and now.generation == lead.generation == latest[lead.lead_id]
    return row_of(assignments, lead, active=active)
