"""Outages of the parts that Baton needs: PostgreSQL full, read-only or gone, Kafka's disk full."""

import asyncio
from contextlib import suppress

import asyncpg
import psutil

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster

_FULL = """
CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
_TRIGGER = "CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION disk_full()"
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
_TRY_AGAIN_S = 0.1


async def postgres_full(postgres: PostgresCluster, for_s: float) -> None:
    """Every write ends with 53100, as it does on a full disk."""
    connection = await asyncpg.connect(_dsn(postgres.url))
    try:
        await connection.execute(_FULL)
        tables = [row["relname"] for row in await connection.fetch(_TABLES)]
        for table in tables:
            await _until_done(connection, _TRIGGER.format(table))
        await asyncio.sleep(for_s)
        for table in tables:
            await _until_done(connection, f"DROP TRIGGER disk_full ON {table}")
        await connection.execute("DROP FUNCTION disk_full()")
    finally:
        await connection.close()


async def postgres_read_only(postgres: PostgresCluster, for_s: float) -> None:
    """Every write ends with 25006, as it does on a server that a failover has made a standby."""
    connection = await asyncpg.connect(_dsn(postgres.url_of("postgres")))
    try:
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(for_s)
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def postgres_gone(postgres: PostgresCluster, for_s: float) -> None:
    """It crashes, and is started again after a while."""
    await asyncio.to_thread(postgres.kill)
    await asyncio.sleep(for_s)
    await asyncio.to_thread(postgres.start)


async def kafka_full(broker: KafkaBroker, for_s: float) -> None:
    """No file of the broker can grow, which ends it as a full disk does; there is room again after a while."""
    assert broker.pid is not None
    process = psutil.Process(broker.pid)
    _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (1, hard))
    await asyncio.sleep(for_s)
    ended_by_itself = broker.pid is None
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    assert ended_by_itself, "the broker went on without room for its log"


async def _until_done(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    """Wait for the table's lock a little at a time, so that nobody waits behind this."""
    await connection.execute("SET lock_timeout = '200ms'")
    while True:
        with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await connection.execute(statement)
            return
        await asyncio.sleep(_TRY_AGAIN_S)


def _dsn(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")
