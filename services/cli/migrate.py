"""`./baton migrate`: migrates the shared database."""

import asyncio
from collections.abc import Mapping

from shared.clock import SystemClock
from shared.db import schema
from shared.db.engine import Database
from shared.db.outages import is_outage
from shared.domain.errors import Misconfigured
from shared.settings import Settings, read


def bring_up_to_date(environ: Mapping[str, str]) -> str:
    """Migrate the database of `BATON_DATABASE_URL` and return a sentence about the result.

    Raises `Misconfigured` if it is not set or the database does not answer.
    """
    url = read(Settings, environ).database_url
    if url is None:
        raise Misconfigured(
            "BATON_DATABASE_URL is not set. Set it to the database to migrate. Without it, Baton uses SQLite in the "
            "data folder and migrates that at startup."
        )
    return asyncio.run(_migrate(url.get_secret_value()))


async def _migrate(url: str) -> str:
    database = Database(url, SystemClock(), pool_size=2)
    try:
        changed = await schema.migrate(database)
    except Exception as error:
        if not is_outage(error):
            raise
        raise Misconfigured(
            f"the database does not answer ({type(error).__name__}). Is it running, and is BATON_DATABASE_URL right?"
        ) from error
    finally:
        await database.close()
    return f"The database is now at schema {schema.head()}." if changed else f"Nothing to do: schema {schema.head()}."
