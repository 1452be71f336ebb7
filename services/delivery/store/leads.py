"""What is known of leads, for messages about them."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from services.delivery.domain.context import LeadContext
from services.delivery.store.tables import leads
from shared.db.bulk import any_of, upsert_rows
from shared.db.engine import Tx

SHORT, LONGEST = timedelta(days=1), timedelta(days=400)
"""A promise that is due within a day ends before what is known of its lead is trimmed; none holds it up for longer."""

_context = msgspec.json.Decoder(LeadContext)


async def save_contexts(tx: Tx, contexts: Mapping[str, LeadContext], now: datetime) -> None:
    """Store what is known of these leads now."""
    rows = [
        {"lead_id": lead_id, "context": msgspec.json.encode(context).decode(), "updated_at": now}
        for lead_id, context in sorted(contexts.items())
    ]
    await upsert_rows(tx, leads, rows)


async def need_until(tx: Tx, instants: Mapping[str, datetime], now: datetime) -> None:
    """Store what is known of these leads until then: they have promises that may outlast it."""
    long = {lead_id: min(at, now + LONGEST) for lead_id, at in sorted(instants.items()) if at > now + SHORT}
    if long:
        known = sa.update(leads).where(leads.c.lead_id == sa.bindparam("of"), leads.c.updated_at < sa.bindparam("at"))
        rows = [{"of": lead_id, "at": at} for lead_id, at in long.items()]
        await tx.execute(known.values(updated_at=sa.bindparam("at")), rows)


async def contexts_of(tx: Tx, lead_ids: Collection[str]) -> dict[str, LeadContext]:
    """What is known of these leads."""
    if not lead_ids:
        return {}
    query = sa.select(leads.c.lead_id, leads.c.context).where(any_of(tx, leads.c.lead_id, sorted(lead_ids)))
    return {row.lead_id: _context.decode(row.context) for row in await tx.execute(query)}


async def erase_contexts(tx: Tx, lead_ids: Collection[str]) -> None:
    """Erase what is known of these leads."""
    if lead_ids:
        await tx.execute(sa.delete(leads).where(any_of(tx, leads.c.lead_id, sorted(lead_ids))))
