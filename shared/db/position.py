"""How far each partition is handled, moved by compare-and-swap in the transaction that changes the state.

Anyone who reads a partition that another process has taken over loses the swap and must drop its batch; that is what
fences a zombie.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from shared.db.bulk import insert_or_skip
from shared.db.engine import Tx
from shared.db.tables import RuntimeTables
from shared.ports import TopicPartition

Position = tuple[int, str | None]
"""The next offset to handle, and in which log it is: None if it was never compared with its log."""


async def positions(
    tx: Tx, tables: RuntimeTables, topic_partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """The next offset to handle for each place; a place never seen starts at 0 (and gets its row)."""
    return {place: offset for place, (offset, _) in (await known(tx, tables, topic_partitions)).items()}


async def known(
    tx: Tx, tables: RuntimeTables, topic_partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Position]:
    """The position of each place; a place never seen starts at 0 (and gets its row)."""
    found = await _found(tx, _select(tables, topic_partitions))
    new = [{"topic": t, "partition": p, "next_offset": 0} for t, p in topic_partitions if (t, p) not in found]
    if not new:
        return found
    await insert_or_skip(tx, tables.positions, new)
    return await _found(tx, _select(tables, topic_partitions))


async def reached(
    tx: Tx, tables: RuntimeTables, topic_partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """The next offset to handle for each place that was ever read; writes nothing."""
    return {place: offset for place, (offset, _) in (await _found(tx, _select(tables, topic_partitions))).items()}


async def locked(
    tx: Tx, tables: RuntimeTables, topic_partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Position]:
    """The position of each place, which no other transaction moves until this one ends."""
    key = tables.positions.c.topic, tables.positions.c.partition
    return await _found(tx, _select(tables, topic_partitions).order_by(*key).with_for_update())


def _select(tables: RuntimeTables, topic_partitions: Sequence[TopicPartition]) -> "sa.Select[Any]":
    table = tables.positions
    return sa.select(table).where(sa.tuple_(table.c.topic, table.c.partition).in_(list(topic_partitions)))


async def _found(tx: Tx, query: "sa.Select[Any]") -> dict[TopicPartition, Position]:
    return {(row.topic, row.partition): (row.next_offset, row.log_id) for row in await tx.execute(query)}


async def set_log_ids(tx: Tx, tables: RuntimeTables, ids: Mapping[TopicPartition, str]) -> None:
    """From now on these positions are offsets in these logs."""
    table = tables.positions
    for (topic, partition), log_id in ids.items():
        here = sa.and_(table.c.topic == topic, table.c.partition == partition)
        await tx.execute(sa.update(table).where(here).values(log_id=log_id))


async def advance(
    tx: Tx, tables: RuntimeTables, moves: Mapping[TopicPartition, tuple[int, int]]
) -> set[TopicPartition]:
    """Advance each partition from its expected offset to a new one; returns the partitions whose offset differed.

    If any is returned, the caller rolls back: those partitions now belong to another process.
    """
    if tx.dialect.name == "postgresql":
        moved = await tx.execute(_moves_at_once(tables.positions), _arrays(moves))
        return set(moves) - {(row.topic, row.partition) for row in moved}
    given = {
        f"{name}_{number}": value
        for number, ((topic, partition), (old, new)) in enumerate(moves.items())
        for name, value in (("topic", topic), ("partition", partition), ("old", old), ("new", new))
    }
    moved = await tx.execute(_moves(tables.positions, len(moves)), given)
    return set(moves) - {(row.topic, row.partition) for row in moved}


def _arrays(moves: Mapping[TopicPartition, tuple[int, int]]) -> dict[str, list[Any]]:
    return {
        "topics": [topic for topic, _ in moves],
        "partitions": [partition for _, partition in moves],
        "olds": [old for old, _ in moves.values()],
        "news": [new for _, new in moves.values()],
    }


@lru_cache(maxsize=16)
def _moves_at_once(table: sa.Table) -> Any:
    """The statement that moves any number of places, on PostgreSQL."""
    kinds: dict[str, Any] = {
        "topics": sa.Text(),
        "partitions": sa.Integer(),
        "olds": sa.BigInteger(),
        "news": sa.BigInteger(),
    }
    arrays = [sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in kinds.items()]
    given: Any = sa.func.unnest(*arrays).table_valued("topic", "partition", "old", "new").render_derived()
    here = (table.c.topic == given.c.topic) & (table.c.partition == given.c.partition)
    moved = sa.update(table).where(here, table.c.next_offset == given.c.old).values(next_offset=given.c.new)
    return moved.returning(table.c.topic, table.c.partition)


@lru_cache(maxsize=256)
def _moves(table: sa.Table, count: int) -> Any:
    """The statement that moves so many places, built once: a busy service executes it many times a second."""
    here = [
        (table.c.topic == sa.bindparam(f"topic_{n}")) & (table.c.partition == sa.bindparam(f"partition_{n}"))
        for n in range(count)
    ]
    expected = [place & (table.c.next_offset == sa.bindparam(f"old_{n}")) for n, place in enumerate(here)]
    new = [(place, sa.bindparam(f"new_{n}", type_=sa.BigInteger())) for n, place in enumerate(here)]
    moved = sa.update(table).where(sa.or_(*expected)).values(next_offset=sa.case(*new, else_=table.c.next_offset))
    return moved.returning(table.c.topic, table.c.partition)
