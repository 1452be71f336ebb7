"""Writes to the scoreboard's rows.

A writer first creates missing rows, then locks all of them in key order, so that facts from independent topics meet in
one row and no change is counted twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from services.scoreboard.domain.counters import ALL
from services.scoreboard.domain.inquiries import InquiryRow
from services.scoreboard.domain.leads import LeadRow
from services.scoreboard.domain.promises import EscalationRow, WindowRow
from services.scoreboard.store.tables import counts, escalations, inquiries, leads, timeline, windows
from shared.db.bulk import any_of, insert_into, insert_or_skip, upsert_rows
from shared.db.engine import Tx
from shared.db.text import indexable
from shared.domain.events import ActivityRecorded

Row = TypeVar("Row", bound=msgspec.Struct)
_fact = msgspec.json.Decoder(ActivityRecorded).decode


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a lead's story: `data` is the event as JSON, `rank` orders what happened at the same instant."""

    event_id: str
    lead_id: str
    at: datetime
    rank: int
    type: str
    data: bytes


TimelinePosition = tuple[datetime, int, str]
"""The position of an entry in its lead's timeline: instant, rank and event id."""


_TABLES: Mapping[type[msgspec.Struct], sa.Table] = {
    InquiryRow: inquiries,
    LeadRow: leads,
    WindowRow: windows,
    EscalationRow: escalations,
}


async def locked(tx: Tx, kind: type[Row], ids: Iterable[str]) -> dict[str, Row]:
    """The rows of this kind with these ids as known, ours to change until the transaction ends."""
    table, wanted = _TABLES[kind], sorted(set(ids))
    (key,) = table.primary_key
    await insert_or_skip(tx, table, [{key.name: each} for each in wanted])
    query = sa.select(table).where(any_of(tx, key, wanted)).order_by(key).with_for_update()
    found = {row[0]: filled(kind, row) for row in await tx.execute(query)}
    return {each: found[indexable(each)] for each in wanted}


async def save(tx: Tx, rows: Sequence[InquiryRow | LeadRow | WindowRow | EscalationRow]) -> None:
    """Write back rows of one kind that were locked before."""
    if not rows:
        return
    table = _TABLES[type(rows[0])]
    (key,) = table.primary_key
    names = [name for name in type(rows[0]).__struct_fields__ if name != key.name]
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    statement = sa.update(table).where(key == sa.bindparam(f"new_{key.name}")).values(values)
    await tx.execute(statement, [{f"new_{n}": v for n, v in msgspec.structs.asdict(row).items()} for row in rows])


async def activities_of(tx: Tx, lead_id: str) -> list[ActivityRecorded]:
    """What sales recorded under this id, in the order of acceptance."""
    mine = (timeline.c.lead_id == lead_id) & (timeline.c.type == ActivityRecorded.TYPE)
    query = sa.select(timeline.c.data).where(mine).order_by(timeline.c.at, timeline.c.rank, timeline.c.event_id)
    return [_fact(data) for data in (await tx.execute(query)).scalars()]


async def add_entries(tx: Tx, entries: Sequence[TimelineEntry]) -> None:
    """Add to the timelines of leads; existing events are left alone."""
    await insert_or_skip(tx, timeline, [msgspec.structs.asdict(entry) for entry in entries])


async def add_counts(tx: Tx, deltas: Mapping[tuple[str, int, str], int]) -> None:
    """Add to counters, each named by period, shard and name. Shards separate writers of different partitions."""
    if not deltas:
        return
    rows = [{"period": p, "shard": s, "name": n, "value": by} for (p, s, n), by in sorted(deltas.items())]
    insert = insert_into(tx, counts)
    keys = ["period", "shard", "name"]
    moved = {"value": counts.c.value + insert.excluded.value}
    await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=moved), rows)


async def set_count(tx: Tx, name: str, value: int) -> bool:
    """Set a counter that one place alone knows; returns whether it changed."""
    row = {"period": ALL, "shard": 0, "name": name, "value": value}
    here = [counts.c[key] == row[key] for key in ("period", "shard", "name")]
    if (await tx.execute(sa.select(counts.c.value).where(*here))).scalar_one_or_none() == value:
        return False
    await upsert_rows(tx, counts, [row])
    return True


def filled(kind: type[Row], row: Any) -> Row:
    """The row as a value of `kind`, whose fields are its columns."""
    return kind(**{name: getattr(row, name) for name in kind.__struct_fields__})
