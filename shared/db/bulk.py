"""Writing many rows in one statement on both databases.

On PostgreSQL rows travel as one array per column (`unnest`), or by COPY where nothing can be there already:
measured here, both carry several times the rows of one bound statement per row. SQLite takes them row by row in one
prepared statement, in-process.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.db.engine import Instant, Tx
from shared.db.text import Key, Text, cleaner

Rows = Sequence[Mapping[str, Any]]


def row_of(table: sa.Table, value: object, **others: Any) -> dict[str, Any]:
    """The row of a value: each column has the attribute of that name, unless it is among `others`."""
    return {name: others[name] if name in others else getattr(value, name) for name in table.c.keys()}  # noqa: SIM118


def any_of(tx: Tx | sa.Connection, column: "sa.Column[Any]", values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Whether the column's value is among `values`: one bound array on PostgreSQL, whatever their number.

    The planner does not see the array. Of a thousand values it would expect so many rows, as long as the table has no
    statistics, that it reads all of it (measured: 10 s of a table with 200,000 rows, instead of 1 ms).
    """
    if tx.dialect.name != "postgresql":
        return column.in_(values)
    given = sa.literal(_cleaned(column, values), postgresql.ARRAY(_plain(column.type)))
    return column == sa.any_(sa.func.array(sa.select(sa.func.unnest(given)).scalar_subquery()))


async def insert_rows(tx: Tx, table: sa.Table, rows: Rows) -> None:
    """Insert all; a row that is already there is an error."""
    if not rows:
        return
    if tx.dialect.name != "postgresql" or len(rows) == 1:
        await tx.execute(sa.insert(table), rows)
        return
    names = tuple(rows[0])
    connection = (await tx.get_raw_connection()).driver_connection
    assert connection is not None  # noqa: S101 (a transaction has its connection)
    records = zip(*(_cleaned(table.c[name], [row[name] for row in rows]) for name in names), strict=True)
    await connection.copy_records_to_table(table.name, records=records, columns=names)


async def insert_or_skip(tx: Tx, table: sa.Table, rows: Rows) -> None:
    """Insert the rows, except those whose primary key or unique index entry already exists."""
    if rows:
        insert, parameters = _insert(tx, table, rows)
        await tx.execute(insert.on_conflict_do_nothing(), parameters)


async def insert_or_lower(tx: Tx, column: "sa.Column[Any]", rows: Rows) -> None:
    """Insert all rows; if the primary key exists, only lower `column` to the given value. Keys must be unique."""
    if not rows:
        return
    insert, parameters = _insert(tx, column.table, rows)
    keys = [each.name for each in column.table.primary_key]
    given = insert.excluded[column.name]
    update = insert.on_conflict_do_update(index_elements=keys, set_={column.name: given}, where=given < column)
    await tx.execute(update, parameters)


async def insert_new(tx: Tx, column: "sa.Column[Any]", rows: Rows) -> set[Any]:
    """Insert the rows that do not exist yet and return the new values of `column` (the primary key)."""
    if not rows:
        return set()
    insert, parameters = _insert(tx, column.table, rows)
    new = set((await tx.execute(insert.on_conflict_do_nothing().returning(column), parameters)).scalars())
    values = [row[column.name] for row in rows]
    return {value for value, stored in zip(values, _cleaned(column, values), strict=True) if stored in new}


async def upsert_rows(tx: Tx, table: sa.Table, rows: Rows) -> None:
    """Insert all rows; if the primary key exists, replace the other given columns. The last of two equal keys wins."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    stored = zip(*(_cleaned(table.c[key], [row[key] for row in rows]) for key in keys), strict=True)
    insert, parameters = _insert(tx, table, list(dict(zip(stored, rows, strict=True)).values()))
    changes = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    await tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), parameters)


def insert_into(tx: Tx, table: sa.Table) -> Any:
    """The dialect's INSERT, which can say what happens to rows that are already there."""
    return (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(table)


def _insert(tx: Tx, table: Any, rows: Rows) -> tuple[Any, Any]:
    """The INSERT of all rows, and its parameters."""
    if tx.dialect.name == "postgresql":
        return _unnested(table, tuple(rows[0])), _columns(table, rows)
    return sqlite.insert(table), rows


def _columns(table: Any, rows: Rows) -> dict[str, list[Any]]:
    return {f"v_{name}": _cleaned(table.c[name], [row[name] for row in rows]) for name in rows[0]}


def _cleaned(column: "sa.Column[Any]", values: Iterable[Any]) -> list[Any]:
    """The values as the column's type would bind them one by one."""
    clean = cleaner(column.type)
    if clean is None:
        return list(values)
    return [value if value is None else clean(value) for value in values]


@lru_cache(maxsize=256)
def _unnested(table: Any, names: tuple[str, ...]) -> Any:
    arrays = [sa.bindparam(f"v_{n}", type_=postgresql.ARRAY(_plain(table.c[n].type))) for n in names]
    source = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    return postgresql.insert(table).from_select(names, sa.select(*(source.c[n] for n in names)))


def _plain(kind: Any) -> Any:
    """The element type of an array: what the driver takes without a step per element."""
    if isinstance(kind, Instant):
        return sa.DateTime(timezone=True)
    if isinstance(kind, Text | Key):
        return sa.Text()
    if isinstance(kind, sa.LargeBinary):
        return postgresql.BYTEA()
    return kind
