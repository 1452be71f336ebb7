"""Records that disappeared from the log before a service read them. Its consumer stops there until an operator accepts
the gap.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from shared.db.bulk import insert_or_skip
from shared.db.engine import Tx
from shared.db.tables import log_gaps
from shared.ports import TopicPartition

Reason = Literal["deleted", "recreated", "truncated"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets `from_offset` up to and including `to_offset` (None: not known how many) of a partition are missing.

    `resume_at` is the offset in the log `log_id` at which `service` continues once the gap is accepted.
    """

    service: str
    topic: str
    partition: int
    from_offset: int
    to_offset: int | None
    reason: Reason
    resume_at: int
    log_id: str
    found_at: datetime

    @property
    def place(self) -> TopicPartition:
        """The topic and the partition."""
        return self.topic, self.partition

    def __str__(self) -> str:
        """The missing offsets, as a clause."""
        where = f"{self.topic}/{self.partition}"
        if self.to_offset is not None:
            count = self.to_offset - self.from_offset + 1
            return f"{count} records of {where}, offsets {self.from_offset} to {self.to_offset}, are gone from the log"
        what = "was deleted and made again" if self.reason == "recreated" else "ends before what was read of it"
        return f"{where} {what}: what {self.service} had not read, from offset {self.from_offset} on, is gone"


async def add(tx: Tx, gaps: Sequence[Gap]) -> None:
    """Save gaps, except in a partition that already has one that is not accepted. Members of a consumer group may find
    the same gap at the same time."""
    await insert_or_skip(tx, log_gaps, [msgspec.structs.asdict(gap) for gap in gaps])


async def open_gaps(tx: Tx, service: str | None = None) -> list[Gap]:
    """Gaps that are not accepted yet, of one service or of all, by topic and partition."""
    table = log_gaps
    wanted = sa.select(table).where(table.c.accepted_at.is_(None))
    if service is not None:
        wanted = wanted.where(table.c.service == service)
    rows = await tx.execute(wanted.order_by(table.c.topic, table.c.partition, table.c.service, table.c.found_at))
    names = Gap.__struct_fields__
    return [Gap(**{name: getattr(row, name) for name in names}) for row in rows]


async def accept(tx: Tx, gaps: Iterable[Gap], now: datetime) -> None:
    """Let the services continue after these gaps: moves their positions, which consumers notice within seconds."""
    for gap in gaps:
        positions = sa.table(
            f"{gap.service}_positions", *map(sa.column, ("topic", "partition", "next_offset", "log_id"))
        )
        here = sa.and_(positions.c.topic == gap.topic, positions.c.partition == gap.partition)
        moved = sa.update(positions).where(here).values(next_offset=gap.resume_at, log_id=gap.log_id)
        await tx.execute(moved)
        found = sa.and_(*(column == getattr(gap, column.name) for column in log_gaps.primary_key))
        await tx.execute(sa.update(log_gaps).where(found).values(accepted_at=now))
