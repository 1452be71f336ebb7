"""The router's record: every verdict with its proof, and everything else that it received, in one order.

`seq` counts both together, in the order in which things were decided, so that the past can be replayed.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from services.router.domain.journal import JournalEntry
from services.router.domain.proof import Proof
from services.router.domain.verdict import Verdict
from services.router.store.tables import journal, verdicts
from shared.db.bulk import insert_rows, row_of
from shared.db.engine import Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Proof).decode


async def save_verdicts(tx: Tx, made: Sequence[Verdict]) -> None:
    """Save the verdicts."""
    await insert_rows(tx, verdicts, [_verdict(verdict) for verdict in made])


async def save_entries(tx: Tx, entries: Sequence[JournalEntry]) -> None:
    """Save what was received."""
    await insert_rows(tx, journal, [row_of(journal, entry, body=_encode(entry.body)) for entry in entries])


async def inquiries_of(tx: Tx, lead_id: str) -> list[dict[str, Any]]:
    """The newest 200 inquiries that make up a lead, oldest first."""
    mine = (verdicts.c.lead_id == lead_id) & verdicts.c.source.is_not(None)
    query = sa.select(verdicts.c.inquiry_id, verdicts.c.source, verdicts.c.received_at).where(mine)
    rows = await tx.execute(query.order_by(verdicts.c.lead_version.desc()).limit(200))
    # One that was judged again has its place by the first verdict on it.
    return list({row.inquiry_id: dict(row._mapping) for row in [*rows][::-1]}.values())


async def proofs_of(tx: Tx, lead_id: str, *, limit: int, before: int | None = None) -> list[Proof]:
    """The proofs of the newest `limit` verdicts on a lead, or of those on its versions below `before`; oldest first."""
    mine = verdicts.c.lead_id == lead_id
    if before is not None:
        mine &= verdicts.c.lead_version < before
    query = sa.select(verdicts.c.proof).where(mine).order_by(verdicts.c.lead_version.desc()).limit(limit)
    return [_decode(proof) for proof in (await tx.execute(query)).scalars()][::-1]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    proof = verdict.proof
    inquiry = proof.inquiry if proof.ask is None else None
    return {
        "lead_id": verdict.lead.lead_id,
        "lead_version": verdict.lead.version,
        "seq": proof.seq,
        "verdict": proof.verdict,
        "inquiry_id": verdict.inquiry_id,
        "source": inquiry.source if inquiry else None,
        "received_at": inquiry.accepted_at if inquiry else None,
        "proof": _encode(proof),
    }
