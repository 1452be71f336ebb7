"""Compares what a service has read with what the log still has, so that missing records are never skipped silently.
Causes: retention overtook a slow consumer, deleted records, a recreated topic, a log restored from an old copy.

A partition with missing records is not read until an operator accepts the loss; the others continue.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from shared import log, metrics
from shared.db import gaps, position
from shared.db.engine import Database, Tx
from shared.db.gaps import Gap
from shared.db.tables import RuntimeTables
from shared.ports import Bus, Clock, Record, Span, TopicPartition

LOOK_EVERY_S = 5.0


class Jump(NamedTuple):
    """A place where a record at offset `end` came instead of the one at `start`."""

    place: TopicPartition
    start: int
    end: int


def before_jumps(
    records: Sequence[Record], expected: Mapping[TopicPartition, int]
) -> tuple[Sequence[Record], list[Jump]]:
    """The records of each place up to the first whose offset is not the next one, and where that is.

    Only Baton writes to its topics, without transactions and without compaction, so their offsets have no holes.
    """
    at = dict(expected)
    jumps: dict[TopicPartition, Jump] = {}
    whole: list[Record] = []
    for record in records:
        topic_partition = (record.topic, record.partition)
        if topic_partition in jumps:
            continue
        start = at.get(topic_partition, record.offset)
        if start == record.offset:
            at[topic_partition] = record.offset + 1
            whole.append(record)
        else:
            jumps[topic_partition] = Jump(topic_partition, start, record.offset)
    return whole, list(jumps.values())


class Continuity:
    """The gaps in the log for one service. `look` compares and stores; `complete` is its readiness check."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, tables: RuntimeTables) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._tables = tables
        self._log = log.get(tables.service)
        self._open: tuple[Gap, ...] | None = None
        self._next_look = 0.0

    @property
    def stopped(self) -> frozenset[TopicPartition]:
        """The places that are not read, as of the last look."""
        return frozenset(gap.place for gap in self._open or ())

    async def complete(self) -> str | None:
        """Readiness: nothing is missing, else what, since when, and what to do."""
        if not self._open:
            return None
        since = min(gap.found_at for gap in self._open)
        more = f" (and {len(self._open) - 1} more)" if len(self._open) > 1 else ""
        return (
            f"{self._open[0]}{more}, found at {since:%Y-%m-%dT%H:%M:%SZ}. These partitions are not read. "
            f"Run './baton topics missing', then './baton topics resend' and './baton topics accept'."
        )

    @property
    def due(self) -> bool:
        """Whether it is time to look again."""
        return self._clock.monotonic() >= self._next_look

    async def look(self, topic_partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Compare these partitions with the log and return where to continue reading each. Partitions with missing
        records are left out. Raises `Unavailable`, and the database's errors in an outage.
        """
        self._next_look = self._clock.monotonic() + LOOK_EVERY_S
        wanted = sorted(topic_partitions)
        # The position is read before the log, which only grows meanwhile: a position beyond its end is truly beyond.
        async with self._database.begin() as tx:
            at = await position.known(tx, self._tables, wanted)
        spans = await self._bus.spans(wanted)
        found = [gap for place in wanted if (gap := self._gap(place, *at[place], spans[place])) is not None]
        broken = {gap.place for gap in found}
        fresh = {place: spans[place].log_id for place in wanted if at[place][1] is None and place not in broken}
        if fresh or found or self._open != ():
            async with self._database.begin() as tx:
                await position.set_log_ids(tx, self._tables, fresh)
                # An operator may have accepted a gap since, or another member may have read on.
                now = await position.locked(tx, self._tables, list(broken))
                await self._remember(tx, [gap for gap in found if now[gap.place] == at[gap.place]])
        return {place: offset for place, (offset, _) in at.items() if place not in self.stopped}

    async def confirm(self, jumps: Sequence[Jump]) -> None:
        """Stop the places where the log has truly skipped offsets."""
        spans = await self._bus.spans([jump.place for jump in jumps])
        async with self._database.begin() as tx:
            # Another member may have moved the position since, and a topic that was made again has other offsets.
            now = await position.locked(tx, self._tables, list(spans))
            missing = [
                self._missing("deleted", place, start, end, spans[place])
                for place, start, end in jumps
                if now[place] == (start, spans[place].log_id) and start < end
            ]
            await self._remember(tx, missing)

    def _gap(self, place: TopicPartition, at: int, log_id: str | None, span: Span) -> Gap | None:
        if log_id is not None and log_id != span.log_id:
            return self._missing("recreated", place, at, span.start, span)
        if at < span.start:
            return self._missing("deleted", place, at, span.start, span)
        if at > span.end:
            return self._missing("truncated", place, span.end, span.end, span)
        return None

    def _missing(self, reason: gaps.Reason, place: TopicPartition, start: int, resume_at: int, span: Span) -> Gap:
        return Gap(
            service=self._tables.service,
            topic=place[0],
            partition=place[1],
            from_offset=start,
            to_offset=resume_at - 1 if reason == "deleted" else None,
            reason=reason,
            resume_at=resume_at,
            log_id=span.log_id,
            found_at=self._clock.now(),
        )

    async def _remember(self, tx: Tx, found: Sequence[Gap]) -> None:
        await gaps.add(tx, found)
        was, now = self._open or (), tuple(await gaps.open_gaps(tx, self._tables.service))
        self._open = now
        for gap in now:
            if gap not in was:
                self._log.error("records_missing", what=str(gap), since=gap.found_at.isoformat())
        for gap in was:
            if gap not in now:
                self._log.warning("missing_records_accepted", what=str(gap))
        for topic in {gap.topic for gap in (*was, *now)}:
            stopped = {gap.place for gap in now if gap.topic == topic}
            metrics.partitions_stopped.labels(self._tables.service, topic).set(len(stopped))
