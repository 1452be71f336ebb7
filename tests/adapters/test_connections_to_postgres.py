"""Connections to PostgreSQL: a dead one is replaced before it is used, and one that lives costs no extra round trip."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from shared.clock import SystemClock
from shared.db import engine
from shared.db.engine import Database, Tx

pytestmark = pytest.mark.postgres
_PID = sa.text("SELECT pg_backend_pid()")


@pytest.fixture
async def postgres(fresh_database: str) -> AsyncIterator[Database]:
    database = Database(fresh_database, SystemClock())
    yield database
    await database.close()


async def pid_of(tx: Tx) -> int:
    pid: int = (await tx.execute(_PID)).scalar_one()
    return pid


async def kill(database: Database, pid: int) -> None:
    async with database.read() as tx:
        await tx.execute(sa.select(sa.func.pg_terminate_backend(pid, 10_000)))


@contextmanager
def asking_always() -> Iterator[None]:
    before, engine.ASK_AFTER_S = engine.ASK_AFTER_S, -1.0
    yield
    engine.ASK_AFTER_S = before


@pytest.mark.parametrize("asked", [False, True])
async def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used(
    postgres: Database, asked: bool
) -> None:
    async with postgres.read() as tx:
        pid = await pid_of(tx)
        await kill(postgres, pid)
    if asked:
        with asking_always():
            await postgres.ping()
    async with postgres.begin() as tx, postgres.read() as other:
        assert pid not in {await pid_of(tx), await pid_of(other)}


async def test_a_read_is_one_statement_and_leaves_no_transaction_open(postgres: Database) -> None:
    async with postgres.read() as tx:
        pid = await pid_of(tx)
        async with postgres.read() as other:
            seen = sa.text("SELECT state, query FROM pg_stat_activity WHERE pid = :pid")
            assert tuple((await other.execute(seen, {"pid": pid})).one()) == ("idle", str(_PID))
