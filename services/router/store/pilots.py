"""How pilots do: what drafts in shadow mode would have decided, and the leads in the scopes of pilots."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from services.router.domain.shadow import Shadow
from services.router.store.tables import leads
from services.router.store.tables import shadows as table
from shared.db.bulk import insert_or_skip, row_of
from shared.db.engine import Tx
from shared.domain.events import PilotArm
from shared.domain.lead import LeadState

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Shadow).decode
_decode_arms = msgspec.json.Decoder(tuple[PilotArm, ...]).decode


class LeadGroup(NamedTuple):
    """How many leads are alike in these values, and when the first and the last of them were received."""

    arms: tuple[PilotArm, ...]
    state: LeadState
    stage: str | None
    outcome: str | None
    leads: int
    first_at: datetime
    last_at: datetime


async def save(tx: Tx, made: Sequence[Shadow]) -> None:
    """Save the drafts' verdicts."""
    await insert_or_skip(tx, table, [row_of(table, each, body=_encode(each)) for each in made])


async def differing(tx: Tx, pilot: str, since: datetime, limit: int) -> list[Shadow]:
    """Inquiries since an instant on which the draft decides otherwise, latest first."""
    query = sa.select(table.c.body).where(table.c.pilot == pilot, table.c.at >= since, table.c.differs)
    rows = await tx.execute(query.order_by(table.c.at.desc(), table.c.inquiry_id).limit(limit))
    return [_decode(body) for body in rows.scalars()]


async def shadow_counts(tx: Tx, pilot: str, since: datetime) -> dict[str, Any]:
    """How many inquiries were in scope since an instant, on how many the two differ, and the verdicts of each."""
    query = (
        sa.select(table.c.verdict, table.c.real_verdict, table.c.differs, sa.func.count().label("number"))
        .where(table.c.pilot == pilot, table.c.at >= since)
        .group_by(table.c.verdict, table.c.real_verdict, table.c.differs)
    )
    found: dict[str, Any] = {"inquiries": 0, "differ": 0, "draft": {}, "in_force": {}}
    for row in await tx.execute(query):
        found["inquiries"] += row.number
        found["differ"] += row.number if row.differs else 0
        for arm, verdict in (("draft", row.verdict), ("in_force", row.real_verdict)):
            found[arm][verdict] = found[arm].get(verdict, 0) + row.number
    return found


async def leads_in_arms(tx: Tx, since: datetime) -> list[LeadGroup]:
    """The leads in an arm of any pilot that were received since an instant, in groups; tests are in none."""
    columns = (leads.c.pilot_arms, leads.c.state, leads.c.stage, leads.c.outcome)
    received_at = leads.c.received_at
    query = sa.select(*columns, sa.func.count(), sa.func.min(received_at), sa.func.max(received_at)).where(
        leads.c.pilot_arms.is_not(None), received_at >= since, leads.c.state != "merged", ~leads.c.test
    )
    return [LeadGroup(_decode_arms(row[0]), *row[1:]) for row in await tx.execute(query.group_by(*columns))]
