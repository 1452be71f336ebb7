"""The tables of the services a test has loaded, without the time that migrations take.

That migrations make the same tables is shown by tests/adapters/test_schema.py.
"""

import functools
import hashlib

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.db.engine import Database
from shared.db.tables import metadata


async def make_tables(database: Database) -> None:
    """Create what is missing."""
    async with database.begin() as tx:
        connection = (await tx.get_raw_connection()).driver_connection
        assert connection is not None
        # All at once: SQLAlchemy asks for each table whether it is there, which takes longer than most tests.
        script = _script(tx.dialect.name, len(metadata.tables))
        await (connection.executescript(script) if database.is_sqlite else connection.execute(script))


def fingerprint() -> str:
    """The same for the same tables and indexes."""
    return hashlib.sha256(_script("postgresql", len(metadata.tables)).encode()).hexdigest()[:16]


@functools.cache
def _script(kind: str, _count: int) -> str:
    # Made once for as many tables as are loaded: putting it together takes longer than running it.
    dialect: sa.Dialect = {"sqlite": sqlite, "postgresql": postgresql}[kind].dialect()
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        indexes = [CreateIndex(index, if_not_exists=True) for index in table.indexes]
        statements += sorted(str(index.compile(dialect=dialect)) for index in indexes)
    return f"BEGIN; {'; '.join(statements)}; COMMIT;"
