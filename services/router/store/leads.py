"""Leads and their owners."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.accounts import AccountKeys, Owned, keys_of, owns
from services.router.domain.lead import Lead
from services.router.domain.routing_state import RoutingState, contact_keys
from services.router.store.tables import assignments, early_facts, leads, other_keys
from shared.db.bulk import any_of, insert_or_skip, insert_rows, upsert_rows
from shared.db.engine import Tx
from shared.domain.events import ActivityRecorded
from shared.domain.lead import Contact

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Lead).decode
_decode_fact = msgspec.json.Decoder(ActivityRecorded).decode


async def by_id(tx: Tx, ids: Collection[str]) -> list[Lead]:
    """Those of these leads that there are, and the leads that they became part of."""
    found: dict[str, Lead] = {}
    wanted = set(ids)
    while wanted:
        rows = await tx.execute(sa.select(leads.c.body).where(any_of(tx, leads.c.lead_id, wanted)))
        found |= {lead.lead_id: lead for lead in map(_decode, rows.scalars())}
        wanted = {lead.into for lead in found.values() if lead.into is not None} - found.keys()
    return list(found.values())


async def of_persons(tx: Tx, contacts: Collection[Contact]) -> list[Lead]:
    """Leads with one of these addresses or numbers that have not become part of another, and those that people are
    known by otherwise.
    """
    emails = {contact.email for contact in contacts if contact.email}
    phones = {contact.phone for contact in contacts if contact.phone}
    same = [any_of(tx, column, keys) for column, keys in ((leads.c.email, emails), (leads.c.phone, phones)) if keys]
    if not same:
        return []
    query = sa.select(leads.c.body).where(sa.or_(*same), leads.c.state != "merged").order_by(leads.c.lead_id)
    found = [_decode(body) for body in (await tx.execute(query)).scalars()]
    keys = {key for contact in contacts for key in contact_keys(contact)}
    others = sa.select(other_keys.c.lead_id).where(any_of(tx, other_keys.c.key, keys))
    elsewhere = set((await tx.execute(others)).scalars()) - {lead.lead_id for lead in found}
    return [*found, *sorted(await by_id(tx, elsewhere), key=lambda lead: lead.lead_id)]


async def owners_of(tx: Tx, keys: Collection[AccountKeys]) -> list[Owned]:
    """The leads that make someone the owner of one of these companies, or of one with a name like it: for each domain
    and each name the first.
    """
    domains = {each.domain for each in keys if each.domain}
    blocks = {each.block for each in keys if each.block}
    found: list[Owned] = []
    for column, wanted, key in ((leads.c.domain, domains, leads.c.domain), (leads.c.block, blocks, leads.c.company)):
        if not wanted:
            continue
        place = sa.func.row_number().over(partition_by=key, order_by=(leads.c.assigned_at, leads.c.lead_id))
        columns = (leads.c.domain, leads.c.company, leads.c.block, leads.c.rep, leads.c.pool, leads.c.lead_id)
        ranked = sa.select(*columns, leads.c.assigned_at, place.label("place")).where(
            any_of(tx, column, wanted), leads.c.owns
        )
        first = ranked.subquery()
        query = sa.select(first).where(first.c.place == 1).order_by(first.c.assigned_at, first.c.lead_id)
        found += [
            Owned(AccountKeys(row.domain, row.company, row.block), row.rep, row.pool or "", row.lead_id)
            for row in await tx.execute(query)
        ]
    return found


async def parked(tx: Tx, pool: str, after: tuple[Any, str] | None, limit: int) -> list[Lead]:
    """Leads that wait for a pool, the longest waiting first; `after` is where the page before ended."""
    query = sa.select(leads.c.body).where(leads.c.state == "parked", leads.c.pool == pool)
    if after is not None:
        query = query.where(sa.tuple_(leads.c.parked_at, leads.c.lead_id) > after)
    rows = await tx.execute(query.order_by(leads.c.parked_at, leads.c.lead_id).limit(limit))
    return [_decode(body) for body in rows.scalars()]


async def held_by(tx: Tx, reps: Collection[str], limit: int) -> list[Lead]:
    """Leads in the hands of these reps, the oldest change first."""
    query = sa.select(leads.c.body).where(leads.c.state == "assigned", any_of(tx, leads.c.rep, reps))
    return [_decode(body) for body in (await tx.execute(query.order_by(leads.c.updated_at).limit(limit))).scalars()]


async def save(tx: Tx, routing: RoutingState) -> None:
    """Keep the leads that changed in the routing state, and who has them."""
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
    """Keep facts about leads that are not there yet: topics are read independently, so a fact may come first."""
    rows = [{"activity_id": f.key, "lead_id": f.lead_id, "body": _encode(f)} for f in facts]
    await insert_or_skip(tx, early_facts, rows)


async def take_early_facts(tx: Tx, starts: Mapping[str, datetime]) -> list[ActivityRecorded]:
    """Those about these leads, in the order of their acceptance, and delete them. Facts from before the start of their
    lead stay: an earlier inquiry of the person may still be on its way.
    """
    mine = any_of(tx, early_facts.c.lead_id, starts)
    every = [_decode_fact(body) for body in (await tx.execute(sa.select(early_facts.c.body).where(mine))).scalars()]
    found = [fact for fact in every if fact.accepted_at >= starts[fact.lead_id]]
    if found:
        taken = any_of(tx, early_facts.c.activity_id, [fact.key for fact in found])
        await tx.execute(sa.delete(early_facts).where(mine & taken))
    return sorted(found, key=lambda fact: (fact.accepted_at, fact.activity_id))


def _lead(lead: Lead) -> dict[str, Any]:
    keys = keys_of(lead.company, lead.contact)
    return {
        "lead_id": lead.lead_id,
        "version": lead.version,
        "state": lead.state,
        "rep": lead.rep,
        "pool": lead.pool,
        "email": lead.contact.email,
        "phone": lead.contact.phone,
        "campaign": lead.campaign,
        "stage": lead.stage,
        "outcome": lead.outcome,
        "pilot": lead.pilot,
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
    return {
        "assignment_id": lead.assignment_id,
        "lead_id": lead.lead_id,
        "generation": lead.generation,
        "rep": lead.rep,
        "pool": lead.pool,
        "active": active,
        "assigned_at": lead.assigned_at,
    }
