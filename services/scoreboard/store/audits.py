"""What an audit reads: the timeline of some people, and what the monitor stored about their promises; and its results.

The monitor's tables are read as they are, by their names: an auditor that asked the monitor would check nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

import msgspec
import sqlalchemy as sa

from services.scoreboard.domain.audit.inquiries import Watched
from services.scoreboard.domain.audit.notes import News, Notes, announced_in, notes_of
from services.scoreboard.domain.audit.persons import Activity, dated
from services.scoreboard.domain.audit.record import FiredLevel, FoundWindow
from services.scoreboard.store.tables import audits, leads, timeline, timeline_counted, timeline_owed
from shared.agreements import store as agreements
from shared.db.bulk import insert_rows
from shared.db.engine import Instant, Tx
from shared.db.text import Key, Text
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured, NotFound
from shared.domain.events import (
    ACTIVITIES,
    ASSIGNMENTS,
    TYPES,
    Event,
    InquiryReceived,
    LeadSplit,
)

MAX_EVENTS = 20_000
"""How many events on some people are read at once."""

_FACTS = [kind.TYPE for kind in TYPES.values() if kind.TOPIC in (ASSIGNMENTS, ACTIVITIES)]
_ASKED = [InquiryReceived.TYPE]
_COUNTED_AT_ONCE = 2_000
_EVENTS_OF_A_LEAD = 20
"""How many events on each lead, on average, are read at most to find the leads of a period."""
_NEAR = timedelta(hours=1)
_WANTED = [*_FACTS, *_ASKED, *(kind.TYPE for kind in get_args(News))]

_windows = sa.table(
    "sla_monitor_windows",
    sa.column("window_id", Key),
    sa.column("lead_id", Key),
    sa.column("state", Text),
    sa.column("due_at", Instant),
    sa.column("body", sa.LargeBinary),
)
_steps = sa.table(
    "sla_monitor_steps",
    sa.column("window_id", Key),
    sa.column("loop", sa.Integer),
    sa.column("level", sa.Integer),
    sa.column("fired_at", Instant),
    sa.column("outcome", Text),
)
_facts = sa.table(
    "sla_monitor_facts",
    sa.column("lead_id", Key),
    sa.column("activity_id", Key),
    sa.column("kind", Text),
    sa.column("accepted_at", Instant),
    sa.column("outcome", Text),
    sa.column("by", Text),
    sa.column("happened_at", Instant),
    sa.column("reason", Text),
)
_marks = sa.table(
    "sla_monitor_watermarks",
    sa.column("partition", sa.Integer),
    sa.column("upto_at", Instant),
    sa.column("state", Text),
)

_watched_since = sa.table("sla_monitor_watched_since", sa.column("id", sa.Integer), sa.column("since_at", Instant))

Place = tuple[datetime, str]
"""Where a page of a list ends: an instant and an id."""


class TooMuch(Exception):
    """There is more in a period than one audit reads."""


@dataclass(frozen=True, slots=True)
class History:
    """All that was decided, reported and announced about some people. `reported` are further copies of activities."""

    lead_ids: Sequence[str]
    events: Sequence[Event]
    reported: Sequence[Activity]
    announced: Mapping[str, frozenset[str]]
    notes: Mapping[str, Notes]


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an audit of promises since an instant."""

    finished_at: datetime
    since_at: datetime
    checked: int
    differences: int
    late: int
    not_checked: int
    clean: bool


async def due_page(
    tx: Tx, since_at: datetime, until_at: datetime | None, after: Place | None, *, limit: int
) -> list[tuple[datetime, str, str]]:
    """The windows that are due in a time, as deadline, id and lead, first due first."""
    query = sa.select(_windows.c.due_at, _windows.c.window_id, _windows.c.lead_id).where(_windows.c.due_at >= since_at)
    if until_at is not None:
        query = query.where(_windows.c.due_at < until_at)
    if after is not None:
        query = query.where(_behind(_windows.c.due_at, _windows.c.window_id, after))
    query = query.order_by(_windows.c.due_at, _windows.c.window_id).limit(limit)
    return [(row.due_at, row.window_id, row.lead_id) for row in await tx.execute(query)]


async def owed_page(
    tx: Tx, since_at: datetime, until_at: datetime | None, after: Place | None, *, limit: int
) -> list[tuple[datetime, str, str]]:
    """The events in a time from which promises follow, as instant, id and lead, oldest first."""
    query = sa.select(timeline.c.at, timeline.c.event_id, timeline.c.lead_id)
    query = query.where(timeline_owed, timeline.c.at >= since_at)
    if until_at is not None:
        query = query.where(timeline.c.at < until_at)
    if after is not None:
        query = query.where(_behind(timeline.c.at, timeline.c.event_id, after))
    query = query.order_by(timeline.c.at, timeline.c.event_id).limit(limit)
    return [(row.at, row.event_id, row.lead_id) for row in await tx.execute(query)]


async def history(tx: Tx, lead_ids: Collection[str]) -> History | None:
    """What there is on these leads and on all other ids of the same people; None if that is too much at once."""
    ids = await _ids_of_people(tx, lead_ids)
    query = sa.select(timeline.c.type, timeline.c.data)
    query = query.where(timeline.c.lead_id.in_(ids), timeline.c.type.in_(_WANTED)).limit(MAX_EVENTS + 1)
    rows = (await tx.execute(query)).all()
    if len(rows) > MAX_EVENTS:
        return None
    facts: list[Event] = []
    news: list[News] = []
    for row in rows:
        event = msgspec.json.decode(row.data, type=TYPES[row.type])
        if isinstance(event, News):
            news.append(event)
        else:
            facts.append(event)
    return History(ids, facts, await _reported(tx, ids), announced_in(news), notes_of(news))


async def leads_between(tx: Tx, starts_at: datetime, ends_at: datetime, *, limit: int) -> list[str]:
    """The leads that were assigned, or on which something was reported, in a time or an hour before or after it, read
    from an index of these events. Raises `TooMuch` for more than `limit` of them, or very many events.
    """
    near = (timeline.c.at >= starts_at - _NEAR) & (timeline.c.at < ends_at + _NEAR)
    query = sa.select(timeline.c.at, timeline.c.event_id, timeline.c.lead_id).where(timeline_counted, near)
    query = query.order_by(timeline.c.at, timeline.c.event_id).limit(_COUNTED_AT_ONCE)
    found: set[str] = set()
    after: Place | None = None
    for _ in range(limit * _EVENTS_OF_A_LEAD // _COUNTED_AT_ONCE + 1):
        page = query.where(_behind(timeline.c.at, timeline.c.event_id, after)) if after is not None else query
        rows = (await tx.execute(page)).all()
        found |= {row.lead_id for row in rows}
        if len(found) > limit:
            break
        if len(rows) < _COUNTED_AT_ONCE:
            return sorted(found)
        after = (rows[-1].at, rows[-1].event_id)
    raise TooMuch


async def windows_of(tx: Tx, lead_ids: Collection[str]) -> dict[str, FoundWindow]:
    """The promises on these leads as the monitor stored them."""
    query = sa.select(_windows.c.body, _windows.c.state).where(_windows.c.lead_id.in_(lead_ids))
    found = {}
    for row in await tx.execute(query):
        window = msgspec.json.decode(row.body, type=FoundWindow)
        found[window.window_id] = msgspec.structs.replace(window, stored_state=row.state)
    return found


async def fired_levels(tx: Tx, window_ids: Collection[str]) -> dict[str, list[FiredLevel]]:
    """The levels that the monitor recorded, by window."""
    found: dict[str, list[FiredLevel]] = {}
    for row in await tx.execute(sa.select(_steps).where(_steps.c.window_id.in_(window_ids))):
        found.setdefault(row.window_id, []).append(FiredLevel(row.loop, row.level, row.fired_at, row.outcome))
    return found


async def watched(tx: Tx) -> Watched:
    """Since when the monitor watches verdicts on inquiries, and the versions by which they are owed."""
    since = sa.select(_watched_since.c.since_at).where(_watched_since.c.id == 1)
    since_at = (await tx.execute(since)).scalar_one_or_none()
    return Watched(since_at, await agreements.versions(tx) if since_at is not None else ())


async def known_upto(tx: Tx) -> datetime | None:
    """The instant up to which all facts are there, of every partition; None while that is not known of one."""
    running = sa.func.min(sa.case((_marks.c.state == "running", _marks.c.upto_at)), type_=Instant())
    rows = await tx.execute(sa.select(running.label("upto_at")).group_by(_marks.c.partition))
    upto = [row.upto_at for row in rows]
    return min(upto) if upto and None not in upto else None


async def agreements_of(tx: Tx, digests: Iterable[str]) -> dict[str, Agreement]:
    """The agreements with these hashes, without those that are not stored or can't be read."""
    found = {}
    for digest in set(digests):
        try:
            found[digest] = await agreements.by_hash(tx, digest)
        except (NotFound, Misconfigured):
            continue
    return found


async def save_audit(tx: Tx, audit: AuditRow, *, keep: timedelta) -> None:
    """Save the result, and delete those that are older than `keep`."""
    await tx.execute(sa.delete(audits).where(audits.c.finished_at < audit.finished_at - keep))
    await insert_rows(tx, audits, [msgspec.structs.asdict(audit)])


async def last_audits(tx: Tx) -> tuple[AuditRow | None, datetime | None]:
    """The last audit, and when the last one ended that was clean."""
    row = (await tx.execute(sa.select(audits).order_by(audits.c.finished_at.desc()).limit(1))).one_or_none()
    clean = (await tx.execute(sa.select(sa.func.max(audits.c.finished_at)).where(audits.c.clean))).scalar_one()
    return (AuditRow(**row._mapping) if row is not None else None), clean


async def _ids_of_people(tx: Tx, lead_ids: Collection[str]) -> list[str]:
    """All ids of these people, also those that were split from them."""
    found: set[str] = set()
    new = set(lead_ids)
    while new:
        found |= new
        joined = leads.c.lead_id.in_(new) | leads.c.merged_into.in_(new)
        rows = (await tx.execute(sa.select(leads.c.lead_id, leads.c.merged_into).where(joined))).all()
        splits = sa.select(timeline.c.data).where(timeline.c.lead_id.in_(new), timeline.c.type == LeadSplit.TYPE)
        parted = [msgspec.json.decode(each, type=LeadSplit) for each in (await tx.execute(splits)).scalars()]
        others = {each for row in rows for each in row} | {each.was_part_of for each in parted}
        others |= {each.split_off for each in parted}
        new = {each for each in others if each is not None} - found
    return sorted(found)


async def _reported(tx: Tx, ids: Sequence[str]) -> list[Activity]:
    rows: Sequence[Any] = (await tx.execute(sa.select(_facts).where(_facts.c.lead_id.in_(ids)))).all()
    return [_activity(row) for row in rows]


def _activity(row: Any) -> Activity:
    known = Activity(row.activity_id, row.lead_id, row.kind, row.accepted_at, row.outcome, row.by, reason=row.reason)
    return dated(known, row.happened_at)


def _behind(at: sa.ColumnElement[datetime], key: sa.ColumnElement[str], place: Place) -> sa.ColumnElement[bool]:
    last_at, last_key = place
    return sa.tuple_(at, key) > sa.tuple_(sa.literal(last_at, Instant()), sa.literal(last_key, Key()))
