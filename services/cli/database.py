"""The database of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.clock import SystemClock
from shared.db.engine import Database
from shared.db.outages import is_outage
from shared.domain.errors import Misconfigured


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """The database at `url`, closed at the end. Raises `Misconfigured` if it does not answer."""
    database = Database(url, SystemClock(), pool_size=2)
    try:
        yield database
    except Exception as error:
        if not is_outage(error):
            raise
        raise Misconfigured(
            f"the database does not answer ({type(error).__name__}). Is it running, and is BATON_DATABASE_URL right?"
        ) from error
    finally:
        await database.close()
