"""Migrates a database to the schema that this code needs, or waits until someone does.

SQLite belongs to one process, which migrates it on start. PostgreSQL is migrated by `./baton migrate`, under a
lock, before services start. A service that finds an older schema waits, and says so in its log and at /readyz.
"""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from shared.db.engine import Database
from shared.domain.errors import Misconfigured, Unavailable

MIGRATIONS = Path(__file__).parents[2] / "deploy" / "migrations"
_NO_DATABASE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(4021960)")


def head() -> str:
    """The newest schema version: the number that the last migration's file name begins with."""
    versions = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return max((file.name.split("_")[0] for file in versions), default="")


async def migrate(database: Database) -> bool:
    """Migrate to `head`; returns whether there was anything to do. Several processes may call it at the same time.

    Raises `Misconfigured` for a file that is not a Baton database, or was migrated by a newer version.
    """
    found = await _current(database)
    if found == head():
        return False
    if found is not None and found > head():
        raise Misconfigured(f"the database has schema {found}, this Baton knows {head()}. Start the newer Baton again.")
    async with database.begin() as tx:
        if not database.is_sqlite:
            await tx.execute(_LOCK)
        await tx.run_sync(_upgrade)
    return True


async def require_current(database: Database) -> None:
    """Return if the schema is the one that this code needs. Raises `Unavailable` with what to do if it is not."""
    found = await _current(database)
    if found != head():
        raise Unavailable(
            f"the database has schema {found or 'none'}, this Baton needs {head()}: run './baton migrate'."
        )


async def _current(database: Database) -> str | None:
    try:
        async with database.read() as tx:
            if not await tx.run_sync(lambda connection: sa.inspect(connection).has_table("alembic_version")):
                return None
            return (await tx.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except sa.exc.DatabaseError as wrong:
        if getattr(wrong.orig, "sqlite_errorcode", None) not in _NO_DATABASE:
            raise
        raise Misconfigured(
            f"{sa.make_url(database.url).database} is not a database ({wrong.orig}). Restore the file from a backup; "
            "if there is none, move this one away."
        ) from wrong


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 (slow to load, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
