"""How pilots do: what drafts in shadow mode would have decided, and both arms of a pilot in the same figures."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.shadow import Shadow
from services.router.store.tables import leads
from services.router.store.tables import shadows as table
from shared.db.bulk import insert_or_skip, row_of
from shared.db.engine import Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Shadow).decode


async def save(tx: Tx, made: Sequence[Shadow]) -> None:
    """Save the drafts' verdicts."""
    await insert_or_skip(tx, table, [row_of(table, each, body=_encode(each)) for each in made])


async def differing(tx: Tx, pilot: str, limit: int) -> list[Shadow]:
    """Inquiries on which the draft decides otherwise, latest first."""
    query = sa.select(table.c.body).where(table.c.pilot == pilot, table.c.differs)
    rows = await tx.execute(query.order_by(table.c.at.desc(), table.c.inquiry_id).limit(limit))
    return [_decode(body) for body in rows.scalars()]


async def shadow_counts(tx: Tx, pilot: str) -> dict[str, Any]:
    """How many inquiries were in scope, on how many the two differ, and the verdicts of each."""
    query = (
        sa.select(table.c.verdict, table.c.real_verdict, table.c.differs, sa.func.count().label("number"))
        .where(table.c.pilot == pilot)
        .group_by(table.c.verdict, table.c.real_verdict, table.c.differs)
    )
    found: dict[str, Any] = {"inquiries": 0, "differ": 0, "draft": {}, "in_force": {}}
    for row in await tx.execute(query):
        found["inquiries"] += row.number
        found["differ"] += row.number if row.differs else 0
        for arm, verdict in (("draft", row.verdict), ("in_force", row.real_verdict)):
            found[arm][verdict] = found[arm].get(verdict, 0) + row.number
    return found


async def arm(tx: Tx, pilot: str, *, inside: bool, since: datetime) -> dict[str, int]:
    """One arm of a live pilot, in leads received since an instant: how many by what became of them."""
    mine = leads.c.pilot == pilot if inside else leads.c.pilot.is_distinct_from(pilot)
    counted = sa.func.count().label("number")
    query = sa.select(leads.c.state, leads.c.stage, leads.c.outcome, counted).where(
        mine, leads.c.received_at >= since, leads.c.state != "merged", ~leads.c.test
    )
    names = ("leads", "qualified", "rejected", "parked", "accepted", "won", "lost", "rejected_by_sales")
    found = dict.fromkeys(names, 0)
    for row in await tx.execute(query.group_by(leads.c.state, leads.c.stage, leads.c.outcome)):
        found["leads"] += row.number
        found["rejected" if row.state == "rejected" else "qualified"] += row.number
        found["parked"] += row.number if row.state == "parked" else 0
        found["accepted"] += row.number if row.stage in ("sal", "sql", "opportunity", "customer") else 0
        if row.outcome in ("won", "lost"):
            found[row.outcome] += row.number
        found["rejected_by_sales"] += row.number if row.outcome == "rejected" else 0
    return found


async def first_lead_at(tx: Tx, pilot: str) -> datetime | None:
    """When the pilot's first lead came in."""
    query = sa.select(sa.func.min(leads.c.received_at)).where(leads.c.pilot == pilot)
    found: datetime | None = (await tx.execute(query)).scalar_one_or_none()
    return found
