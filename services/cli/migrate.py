"""`./baton migrate`: migrates the shared database."""

import asyncio
from collections.abc import Mapping

from services.cli.database import open_database
from shared.db import schema
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
    async with open_database(url) as database:
        changed = await schema.migrate(database)
    return f"The database is now at schema {schema.head()}." if changed else f"Nothing to do: schema {schema.head()}."
