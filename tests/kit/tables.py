"""The tables of the services a test has loaded, without the time that migrations take.

That migrations make the same tables is shown by tests/adapters/test_schema.py.
"""

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.db.engine import Database
from shared.db.tables import metadata


async def make_tables(database: Database) -> None:
    """Create what is missing."""
    async with database.begin() as tx:
        connection = (await tx.get_raw_connection()).driver_connection
        assert connection is not None
        # All at once: SQLAlchemy asks for each table whether it is there, which takes longer than most tests.
        script = _script(tx.dialect)
        await (connection.executescript(script) if database.is_sqlite else connection.execute(script))


def _script(dialect: sa.Dialect) -> str:
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        indexes = [CreateIndex(index, if_not_exists=True) for index in table.indexes]
        statements += sorted(str(index.compile(dialect=dialect)) for index in indexes)
    return f"BEGIN; {'; '.join(statements)}; COMMIT;"
