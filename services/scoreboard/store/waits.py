"""The waits of buyers: kept up with the timelines, and their figures. All bounded."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.waits import Wait, measured, place_of, waits
from services.scoreboard.store import rows
from services.scoreboard.store.tables import leads, timeline
from services.scoreboard.store.tables import waits as table
from shared.agreements import store as agreements
from shared.db.bulk import any_of, row_of, upsert_rows
from shared.db.engine import Tx
from shared.domain.activities import ANSWERS
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound
from shared.domain.events import (
    TYPES,
    ActivityRecorded,
    Event,
    LeadAssigned,
    LeadBackdated,
    LeadMerged,
    LeadParked,
    LeadReassigned,
)
from shared.domain.settlement import counts_at

MAX_EVENTS = 20_000
"""How many events of the leads of one batch are read; a lead with more of them has no figure of its later cycles."""
_WANTED = (
    ActivityRecorded.TYPE,
    LeadAssigned.TYPE,
    LeadReassigned.TYPE,
    LeadParked.TYPE,
    LeadMerged.TYPE,
    LeadBackdated.TYPE,
)
_MEASURES = ("buyer_s", "buyer_work_s", "rep_s", "rep_work_s")


@dataclass(frozen=True, slots=True)
class WaitFigures:
    """Of the waits that began in a period: how many were `answered`, how many go on or ended without an answer
    (`unanswered`), and the `median` and 95th percentile (`p95`) of those with an answer, in seconds, each by measure.
    """

    answered: int
    unanswered: int
    median: Mapping[str, float | None]
    p95: Mapping[str, float | None]


async def update(tx: Tx, lead_ids: Collection[str]) -> None:
    """Work out again the waits of the people with these ids, whose rows the caller has locked, from their timelines. A
    lead that became part of another has no wait of its own.
    """
    if not lead_ids:
        return
    heirs, joined = await _people(tx, lead_ids)
    # What another process adds under another id of a person is seen, or sees this.
    await rows.locked(tx, LeadRow, heirs.difference(lead_ids))
    if joined:
        await tx.execute(sa.delete(table).where(any_of(tx, table.c.lead_id, sorted(joined))))
    await upsert_rows(tx, table, [row_of(table, wait) for wait in await _waits(tx, heirs, joined)])


async def waits_of(tx: Tx, lead_id: str) -> list[Wait]:
    """The waits of a lead, the first cycle first; none of one that became part of another."""
    heirs, joined = await _people(tx, [lead_id])
    return [wait for wait in await _waits(tx, heirs, joined) if wait.lead_id == lead_id]


async def to_update(tx: Tx, facts: Collection[ActivityRecorded]) -> set[str]:
    """The leads whose waits these facts may end: not those that had an answer before."""
    answers = [fact for fact in facts if fact.kind in ANSWERS]
    if not answers:
        return set()
    mine = any_of(tx, table.c.lead_id, sorted({fact.lead_id for fact in answers}))
    known: defaultdict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    query = sa.select(table.c.lead_id, table.c.asked_at, table.c.answered_at).where(mine)
    for lead_id, asked_at, answered_at in await tx.execute(query):
        known[lead_id].append((asked_at, answered_at))
    return {fact.lead_id for fact in answers if not _answered_before(known[fact.lead_id], counts_at(fact))}


async def figures(tx: Tx, since: datetime, until: datetime) -> WaitFigures:
    """The figures of the waits that began in [since, until)."""
    began = (table.c.asked_at >= since) & (table.c.asked_at < until)
    counted = sa.select(sa.func.count(), sa.func.count(table.c.answered_at)).where(began)
    total, answered = (await tx.execute(counted)).one()
    median: dict[str, float | None] = {}
    p95: dict[str, float | None] = {}
    for name in _MEASURES:
        median[name] = await _percentile(tx, began, name, 50)
        p95[name] = await _percentile(tx, began, name, 95)
    return WaitFigures(answered, total - answered, median, p95)


async def _percentile(tx: Tx, began: sa.ColumnElement[bool], name: str, percent: int) -> float | None:
    column = table.c[name]
    known = began & column.is_not(None)
    count = (await tx.execute(sa.select(sa.func.count()).select_from(table).where(known))).scalar_one()
    if not count:
        return None
    query = sa.select(column).where(known).order_by(column).offset(place_of(percent, count)).limit(1)
    return float((await tx.execute(query)).scalar_one())


async def _people(tx: Tx, lead_ids: Collection[str]) -> tuple[set[str], dict[str, str]]:
    """The leads under which these people go on, and the ids that became part of them, each with its lead."""
    heirs, looked = set(lead_ids), set[str]()
    joined: dict[str, str] = {}
    while new := heirs - looked:
        looked |= new
        either = any_of(tx, leads.c.lead_id, sorted(new)) | any_of(tx, leads.c.merged_into, sorted(new))
        query = sa.select(leads.c.lead_id, leads.c.merged_into).where(either, leads.c.merged_into.is_not(None))
        for lead_id, into in await tx.execute(query):
            joined[lead_id] = into
            heirs.add(into)
    return heirs - joined.keys(), {lead_id: _heir_of(lead_id, joined) for lead_id in joined}


def _heir_of(lead_id: str, joined: Mapping[str, str]) -> str:
    seen = {lead_id}
    while lead_id in joined and joined[lead_id] not in seen:
        lead_id = joined[lead_id]
        seen.add(lead_id)
    return lead_id


async def _waits(tx: Tx, heirs: Collection[str], joined: Mapping[str, str]) -> list[Wait]:
    events = await _events(tx, {*heirs, *joined}, joined)
    known: dict[str, Agreement | None] = {}
    found = []
    for lead_id in sorted(heirs):
        for wait in waits(lead_id, events[lead_id]):
            digest = wait.agreement.hash if wait.agreement is not None else ""
            if digest not in known:
                known[digest] = await _agreement(tx, digest)
            found.append(measured(wait, known[digest]))
    return found


async def _events(tx: Tx, ids: Collection[str], joined: Mapping[str, str]) -> defaultdict[str, list[Event]]:
    mine = any_of(tx, timeline.c.lead_id, sorted(ids)) & timeline.c.type.in_(_WANTED)
    query = sa.select(timeline.c.lead_id, timeline.c.type, timeline.c.data).where(mine)
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for lead_id, kind, data in await tx.execute(query.order_by(timeline.c.at).limit(MAX_EVENTS)):
        found[joined.get(lead_id, lead_id)].append(msgspec.json.decode(data, type=TYPES[kind]))
    return found


async def _agreement(tx: Tx, digest: str) -> Agreement | None:
    try:
        return await agreements.by_hash(tx, digest)
    except (NotFound, Misconfigured):
        return None


def _answered_before(known: list[tuple[datetime, datetime | None]], at: datetime) -> bool:
    began = [each for each in known if each[0] <= at]
    answered_at = max(began)[1] if began else None
    return answered_at is not None and answered_at <= at
