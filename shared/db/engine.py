"""One interface to PostgreSQL (production) and SQLite (embedded), with transactions that the runtime opens and commits.

SQLite is opened in WAL with synchronous=FULL, one writer that begins IMMEDIATE (a later upgrade from read to write
would fail at once, whatever the busy timeout) and a few readers. A transaction whose commit fails has changed
nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from shared.domain.errors import Misconfigured
from shared.ports import Clock

Tx = AsyncConnection
ASK_EVERY_S = 5.0
_asked: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
_NOW = sa.select(sa.func.clock_timestamp())


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC instant: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """The column type for the dialect."""
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """To the database. A naive datetime is a programming error and raises `ValueError`."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must know its zone")
        return round(value.timestamp() * 1_000_000) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """From the database, aware, UTC."""
        if value is None:
            return None
        return datetime.fromtimestamp(value / 1_000_000, UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Database:
    """A store that hands out transactions. `url` is `postgresql+asyncpg://...` or `sqlite+aiosqlite:///path`."""

    def __init__(self, url: str, clock: Clock, *, pool_size: int = 10) -> None:
        self._clock = clock
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite(url, begin="BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite(url, begin="BEGIN", pool_size=4)
        else:
            self._writer = _postgresql(url, pool_size)
            # Each statement sees what is committed when it begins, in a transaction too: a BEGIN would add nothing.
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction that commits when the block ends well and rolls back when it raises."""
        async with self._writer.begin() as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """For statements that only read, and quickly. With SQLite they see one state of the database, with PostgreSQL
        each sees what is committed when it begins.
        """
        async with self._reader.connect() as tx:
            yield tx

    async def dedicated(self) -> AsyncConnection:
        """A connection outside any transaction, for session locks; the caller closes it."""
        connection = await self._writer.connect()
        return await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def now(self, tx: Tx) -> datetime:
        """The one clock that promises are judged by: the database server's; with SQLite, this machine's."""
        if self.is_sqlite:
            return self._clock.now()
        at: datetime = (await tx.execute(_NOW)).scalar_one()
        return at.astimezone(UTC)

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.read() as tx:
            await tx.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        if self.is_sqlite:  # with PostgreSQL, both have one pool
            await self._reader.dispose()


def _postgresql(url: str, pool_size: int) -> AsyncEngine:
    if not url.startswith("postgresql+asyncpg://"):
        raise Misconfigured("BATON_DATABASE_URL must look like postgresql+asyncpg://user:password@host/name.")
    settings = {
        "application_name": "baton",
        "idle_in_transaction_session_timeout": "60000",
        "lock_timeout": "10000",
    }
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_timeout=10,
        connect_args={"server_settings": settings, "timeout": 5, "command_timeout": 60},
    )
    engine.dialect.do_ping = _ping  # type: ignore[method-assign, assignment]
    return engine


def _ping(connection: Any) -> bool:
    """Whether the server still has this connection. One that it closed shows at once; for one that may have been lost
    silently the server is asked now and then, in one round trip (SQLAlchemy's own ping takes three, for poolers of
    transactions).
    """
    driver, now_s = connection.driver_connection, monotonic()
    if driver.is_closed():
        return False
    if now_s - _asked.get(driver, float("-inf")) < ASK_EVERY_S:
        return True
    try:
        await_only(driver.execute("SELECT 1"))
    except Exception as error:
        connection._handle_exception(error)
    _asked[driver] = now_s
    return True


def _sqlite(url: str, *, begin: str, pool_size: int) -> AsyncEngine:
    Path(url.removeprefix("sqlite+aiosqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, hide_parameters=True, pool_size=pool_size, max_overflow=0, pool_timeout=60
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver does not BEGIN for reads, so we do
        cursor = connection.cursor()
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
