"""The database of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.clock import SystemClock
from shared.db.engine import Database
from shared.db.outages import is_outage
from shared.domain.errors import Misconfigured
from shared.settings import Settings


def stored_url(settings: Settings) -> str:
    """The URL of the database that services with these settings use. Raises `Misconfigured` if there is none yet."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    file = settings.data.absolute() / "baton.db"
    if not file.exists():
        raise Misconfigured(
            f"there is no database in {settings.data}. Set BATON_DATABASE_URL, or BATON_DATA to the data folder."
        )
    return f"sqlite+aiosqlite:///{file}"


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
