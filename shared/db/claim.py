"""Lets at most one process at a time do a named job: an advisory lock on PostgreSQL; SQLite has one process anyway.

The lock lasts as long as its connection. It is an optimization; correctness never depends on it.
"""

from collections.abc import Callable
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.engine import Database


class Claim:
    """A claim on the job `name`. The process that has it calls `on_notice` whenever another calls `tell`."""

    def __init__(self, database: Database, name: str, on_notice: Callable[[], None] | None = None) -> None:
        self._database = database
        self._name = name
        self._on_notice = on_notice
        self._key = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
        self._connection: AsyncConnection | None = None

    async def held(self) -> bool:
        """Whether this process has the job; takes it if it is free. Raises the database's errors in an outage."""
        if self._database.is_sqlite:
            return True
        if self._connection is not None and not self._connection.invalidated and not self._connection.closed:
            return True
        connection = await self._database.dedicated()
        try:
            taken = (await connection.execute(sa.select(sa.func.pg_try_advisory_lock(self._key)))).scalar_one()
            if taken and self._on_notice is not None:
                await self._listen(connection, self._on_notice)
        except BaseException:
            await connection.close()
            raise
        if not taken:
            await connection.close()
            return False
        self._connection = connection
        return True

    async def tell(self) -> None:
        """Let the process that has the job know that there is something to do."""
        if not self._database.is_sqlite:
            async with self._database.read() as tx:
                await tx.execute(sa.select(sa.func.pg_notify(self._name, "")))

    async def _listen(self, connection: AsyncConnection, on_notice: Callable[[], None]) -> None:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 (it has just answered)
        await driver.add_listener(self._name, lambda *_: on_notice())

    async def release(self) -> None:
        """Close the connection, which releases the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
