"""What buyers wrote and read, by lead, and which leads continue as another one."""

from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import chain

import msgspec
import sqlalchemy as sa

from services.delivery.domain.said import Said, together
from services.delivery.store.tables import inquiries
from shared.db.bulk import any_of, upsert_rows
from shared.db.engine import Tx

_MOST_STEPS = 8
_said = msgspec.json.Decoder(Said)


async def said_of(tx: Tx, lead_ids: Collection[str]) -> dict[str, Said]:
    """What is stored under each of these ids."""
    if not lead_ids:
        return {}
    ours = any_of(tx, inquiries.c.lead_id, sorted(lead_ids))
    rows = await tx.execute(sa.select(inquiries.c.lead_id, inquiries.c.said).where(ours, inquiries.c.said.is_not(None)))
    return {row.lead_id: _said.decode(row.said) for row in rows}


async def save_said(tx: Tx, said: Mapping[str, Said], now: datetime) -> None:
    """Store what is known under these ids."""
    rows = [
        {"lead_id": lead_id, "said": msgspec.json.encode(each).decode(), "updated_at": now}
        for lead_id, each in sorted(said.items())
    ]
    await upsert_rows(tx, inquiries, rows)


async def continue_as(tx: Tx, other: Mapping[str, str | None], now: datetime) -> None:
    """Each of these leads continues as the other one; None: it is a lead of its own."""
    rows = [{"lead_id": each, "goes_on_as": into, "updated_at": now} for each, into in sorted(other.items())]
    await upsert_rows(tx, inquiries, rows)


async def parts_of(tx: Tx, lead_ids: Collection[str]) -> dict[str, set[str]]:
    """The ids that continue as each of these leads, with its own; chains are followed for eight steps."""
    parts = {lead_id: {lead_id} for lead_id in lead_ids}
    belongs = {lead_id: {lead_id} for lead_id in lead_ids}
    for _ in range(_MOST_STEPS):
        if not belongs:
            break
        query = sa.select(inquiries.c.lead_id, inquiries.c.goes_on_as)
        rows = (await tx.execute(query.where(any_of(tx, inquiries.c.goes_on_as, sorted(belongs))))).all()
        found: dict[str, set[str]] = {}
        for row in rows:
            for whole in belongs[row.goes_on_as]:
                if row.lead_id not in parts[whole]:
                    parts[whole].add(row.lead_id)
                    found.setdefault(row.lead_id, set()).add(whole)
        belongs = found
    return parts


async def said_by(tx: Tx, lead_ids: Collection[str]) -> dict[str, Said]:
    """What the person of each lead wrote and read, under all ids that are part of it."""
    parts = await parts_of(tx, lead_ids)
    said = await said_of(tx, set(chain.from_iterable(parts.values())))
    found = {lead_id: [said[each] for each in ids if each in said] for lead_id, ids in parts.items()}
    return {lead_id: together(each) for lead_id, each in found.items() if each}
