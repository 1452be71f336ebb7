"""Facts on leads: activities by the instant at which they were accepted, and the inquiry that starts a lead."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from services.sla_monitor.domain.window import Fact
from services.sla_monitor.store import tables
from shared.db.bulk import any_of, insert_or_lower
from shared.db.engine import Tx


async def facts_of(tx: Tx, lead_ids: Sequence[str]) -> dict[str, list[Fact]]:
    """All facts that were reported under these ids; an id without any has no entry."""
    found: dict[str, list[Fact]] = {}
    for row in await tx.execute(sa.select(tables.facts).where(any_of(tx, tables.facts.c.lead_id, lead_ids))):
        found.setdefault(row.lead_id, []).append(_fact(row))
    return found


async def save_facts(tx: Tx, facts: Sequence[tuple[str, Fact]]) -> None:
    """Save the facts, each with its lead; one that was accepted several times as of the first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for lead_id, fact in facts:
        key = (lead_id, fact.activity_id)
        if key not in rows or fact.accepted_at < rows[key]["accepted_at"]:
            rows[key] = {"lead_id": lead_id, **msgspec.structs.asdict(fact)}
    await insert_or_lower(tx, tables.facts.c.accepted_at, list(rows.values()))


def _fact(row: sa.Row[Any]) -> Fact:
    return Fact(row.activity_id, row.kind, row.accepted_at, row.outcome, row.by, row.reason, row.happened_at)
