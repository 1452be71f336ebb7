"""Re-judgings: leads of a period that were judged again, first as a simulation, then for real."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from services.router.domain.lead import Lead
from services.router.domain.verdict import Verdict
from services.router.store.tables import leads
from services.router.store.tables import rejudgings as table
from shared.db.bulk import upsert_rows
from shared.db.engine import Tx
from shared.domain.events import AgreementRef
from shared.domain.lead import LeadState

SHOWN = 50
"""How many leads that change are listed."""

_encode = msgspec.json.Encoder().encode


class LeadChange(msgspec.Struct, frozen=True):
    """A lead that another version judges otherwise. `before` and `after` are states; `rep` gets it, or `pool` is where
    it waits.
    """

    lead_id: str
    received_at: datetime
    before: LeadState
    after: LeadState
    score: int
    rep: str | None
    pool: str | None


class Outcome(msgspec.Struct, frozen=True):
    """How many leads were judged again, and what they came to: `changes` counts them by state before and after. `first`
    are the first that changed.
    """

    leads: int = 0
    changes: Mapping[str, Mapping[str, int]] = {}
    first: tuple[LeadChange, ...] = ()

    def plus(self, judged: Sequence[tuple[Lead, Verdict | None]]) -> "Outcome":
        """With these leads, each as it was and with its verdict if that changed."""
        counts = {before: Counter(after) for before, after in self.changes.items()}
        for lead, verdict in judged:
            after = verdict.lead.state if verdict is not None else lead.state
            counts.setdefault(lead.state, Counter())[after] += 1
        found = (_change(lead, verdict.lead) for lead, verdict in judged if verdict is not None)
        changes = {before: dict(after) for before, after in counts.items()}
        return Outcome(self.leads + len(judged), changes, (*self.first, *found)[:SHOWN])


class Rejudging(msgspec.Struct, frozen=True, kw_only=True):
    """Leads received from `since` on (None: from the first) and before `until` that are in one of `statuses`.

    It is `simulated` under the agreement, then `applying` by a person for a reason, until it is `applied`, or `stopped`
    because of `why`. `after` is the last lead that was looked at.
    """

    id: str
    state: Literal["simulated", "applying", "applied", "stopped"] = "simulated"
    agreement: AgreementRef
    since: datetime | None = msgspec.field(name="from")
    until: datetime = msgspec.field(name="to")
    statuses: tuple[LeadState, ...]
    changed_at: datetime
    simulated: Outcome = Outcome()
    applied: Outcome | None = None
    by: str | None = None
    reason: str | None = None
    why: str | None = None
    after: tuple[datetime, str] | None = None


_decode = msgspec.json.Decoder(Rejudging).decode


async def save(tx: Tx, rejudging: Rejudging, now: datetime) -> Rejudging:
    """Save it as it is at `now`."""
    saved = replace(rejudging, changed_at=now)
    row = {"id": saved.id, "state": saved.state, "changed_at": now, "body": _encode(saved)}
    await upsert_rows(tx, table, [row])
    return saved


async def by_id(tx: Tx, rejudging_id: str) -> Rejudging | None:
    """The re-judging with this id."""
    body = (await tx.execute(sa.select(table.c.body).where(table.c.id == rejudging_id))).scalar_one_or_none()
    return _decode(body) if body is not None else None


async def applying(tx: Tx) -> Rejudging | None:
    """The one that is being applied, if there is one."""
    bodies = (await tx.execute(sa.select(table.c.body).where(table.c.state == "applying"))).scalars()
    return next((_decode(body) for body in bodies), None)


async def count(tx: Tx, rejudging: Rejudging) -> int:
    """How many leads it concerns."""
    return int((await tx.execute(sa.select(sa.func.count()).where(*_concerned(rejudging)))).scalar_one())


async def next_leads(tx: Tx, rejudging: Rejudging, limit: int) -> list[tuple[datetime, str]]:
    """The next leads that it concerns, the first received first: when each was received, and its id."""
    query = sa.select(leads.c.received_at, leads.c.lead_id).where(*_concerned(rejudging))
    if rejudging.after is not None:
        query = query.where(sa.tuple_(leads.c.received_at, leads.c.lead_id) > rejudging.after)
    rows = await tx.execute(query.order_by(leads.c.received_at, leads.c.lead_id).limit(limit))
    return [(row.received_at, row.lead_id) for row in rows]


def _concerned(rejudging: Rejudging) -> list[sa.ColumnElement[bool]]:
    # The first condition, as written, is that of the index.
    indexed: sa.ColumnElement[bool] = sa.literal_column("state IN ('parked', 'rejected')", sa.Boolean)
    found = [indexed, leads.c.state.in_(rejudging.statuses), ~leads.c.test]
    if rejudging.since is not None:
        found.append(leads.c.received_at >= rejudging.since)
    return [*found, leads.c.received_at < rejudging.until]


def _change(before: Lead, after: Lead) -> LeadChange:
    pool = after.pool if after.state == "parked" else None
    return LeadChange(after.lead_id, after.received_at, before.state, after.state, after.score, after.rep, pool)
