"""The tables of the services a test has loaded, without the time that migrations take.

That migrations make the same tables is shown by tests/adapters/test_schema.py.
"""

from shared.db.engine import Database
from shared.db.tables import metadata


async def make_tables(database: Database) -> None:
    """Create what is missing."""
    async with database.begin() as tx:
        await tx.run_sync(metadata.create_all)
