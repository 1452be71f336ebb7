"""Outages of the parts that Baton needs: PostgreSQL full, read-only or gone, Kafka's disk full, clocks stepped."""

import asyncio
from contextlib import suppress

import asyncpg
import psutil

from deploy.local.kafka import KafkaBroker
from deploy.local.postgres import PostgresCluster
from tests.torture.rig import TOLERANCE_S, Rig, names_of

_FULL = """
CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
_TRIGGER = "CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION disk_full()"
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
_TRY_AGAIN_S = 0.1
_REPORTED_WITHIN_S = 20.0


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
    # On a busy machine it takes a while to fail.
    async with asyncio.timeout(_REPORTED_WITHIN_S):
        while broker.pid is not None:
            await asyncio.sleep(_TRY_AGAIN_S)
    await asyncio.sleep(for_s)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)


async def step_clocks(rig: Rig, for_s: float) -> None:
    """Clocks are wrong for a while: one ingest process is slightly ahead, then the other by an hour; then all services
    are five seconds ahead of the database, and five behind it. An ingest process whose clock is off by more than the
    tolerance is not ready, and is ready again once its clock is right."""
    one, other = (rig.processes[name] for name in names_of("ingest", 2))
    for processes, off_s in (
        ([one], 0.8 * TOLERANCE_S),
        ([other], 3600),
        (list(rig.processes.values()), 5),
        (list(rig.processes.values()), -5),
    ):
        for process in processes:
            process.step_clock(off_s)
        await asyncio.sleep(for_s)
        if abs(off_s) > TOLERANCE_S:
            async with asyncio.timeout(_REPORTED_WITHIN_S):
                while b"baton clock accept" not in await asyncio.to_thread(processes[0].readiness):
                    await asyncio.sleep(_TRY_AGAIN_S)
        for process in processes:
            process.step_clock(0)
        await rig.until_ready()


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
