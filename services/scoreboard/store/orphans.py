"""Orphans: lead ids that activities name and no inquiry has, from an index of their own, so that neither a page nor the
bound costs more the more of them there are.
"""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from services.scoreboard.domain import leads as rules
from services.scoreboard.domain.counters import ORPHANS, difference
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.orphans import OrphanBounds, expire
from services.scoreboard.store import lists, rows
from services.scoreboard.store.lists import After
from services.scoreboard.store.tables import leads, leads_expired, leads_orphaned, timeline
from shared.db.engine import Instant, Tx
from shared.domain.events import ActivityRecorded


class Orphan(msgspec.Struct, frozen=True):
    """A lead id that `activities` name, the first of them accepted at `since`, and that no inquiry has. Baton gave up
    expecting one at `expired_at`.
    """

    lead_id: str
    activities: int
    since: datetime
    expired_at: datetime | None = None


class ListedOrphan(msgspec.Struct, frozen=True):
    """An orphan with the latest activity that names it; None if that was trimmed."""

    orphan: Orphan
    latest: ActivityRecorded | None


_decode = msgspec.json.Decoder(ActivityRecorded).decode
_place = sa.tuple_(leads.c.orphan_since, leads.c.lead_id)
_columns = (leads.c.lead_id, leads.c.orphan_activities, leads.c.orphan_since, leads.c.orphan_expired_at)


async def orphans(tx: Tx, *, expired: bool, after: After | None, limit: int) -> list[Orphan]:
    """Those that wait, or those that `expired`, longest-waiting first."""
    query = sa.select(*_columns).where(leads_expired if expired else leads_orphaned)
    if after is not None:
        query = query.where(_place > _literal(after))
    query = query.order_by(leads.c.orphan_since, leads.c.lead_id).limit(limit)
    return [Orphan(*row) for row in await tx.execute(query)]


async def newest_orphans(tx: Tx, *, expired: bool, after: After | None, limit: int) -> list[ListedOrphan]:
    """Those that wait, or those that `expired`, newest first, each with its latest activity."""
    mine = (timeline.c.lead_id == leads.c.lead_id) & (timeline.c.type == ActivityRecorded.TYPE)
    order = (timeline.c.at.desc(), timeline.c.rank.desc(), timeline.c.event_id.desc())
    latest = sa.select(timeline.c.event_id).where(mine).order_by(*order).limit(1).scalar_subquery()
    query = sa.select(*_columns, latest.label("latest")).where(leads_expired if expired else leads_orphaned)
    if after is not None:
        query = query.where(_place < _literal(after))
    found = (await tx.execute(query.order_by(leads.c.orphan_since.desc(), leads.c.lead_id.desc()).limit(limit))).all()
    ids = [row.latest for row in found if row.latest is not None]
    events = await tx.execute(sa.select(timeline.c.event_id, timeline.c.data).where(timeline.c.event_id.in_(ids)))
    activities = {row.event_id: _decode(row.data) for row in events}
    return [ListedOrphan(Orphan(*row[:4]), activities.get(row.latest)) for row in found]


async def waiting_since(tx: Tx) -> datetime | None:
    """Since when the orphan waits that has waited longest; None if none waits."""
    first = await orphans(tx, expired=False, after=None, limit=1)
    return first[0].since if first else None


async def expire_beyond(tx: Tx, bounds: OrphanBounds, now: datetime, *, limit: int) -> list[Orphan]:
    """Set aside up to `limit` orphans beyond the bounds; returns them. They are listed as expired from now on."""
    oldest = await orphans(tx, expired=False, after=None, limit=limit)
    if not oldest:
        return []
    waiting = await lists.count(tx, ORPHANS)
    places = enumerate(oldest)
    over = [each for n, each in places if bounds.expired(each.since, place=n, waiting=waiting, now=now)]
    known = await rows.locked(tx, LeadRow, (each.lead_id for each in over))
    changed = {lead_id: expire(lead, now) for lead_id, lead in known.items()}
    await rows.save(tx, list(changed.values()))
    deltas: dict[tuple[str, int, str], int] = {}
    for lead_id, lead in changed.items():
        for (period, name), by in difference(known[lead_id], lead, rules.counts_for).items():
            deltas[period, 0, name] = deltas.get((period, 0, name), 0) + by
    await rows.add_counts(tx, deltas)
    return [each for each in over if changed[each.lead_id] != known[each.lead_id]]


def _literal(after: After) -> sa.Tuple:
    return sa.tuple_(sa.literal(after[0], Instant()), sa.literal(after[1]))
