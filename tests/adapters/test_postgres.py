"""PostgreSQL as services use it: a dead connection is replaced before it is used, a live one costs no extra round trip,
and many keys are looked up in an index.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from services.sla_monitor.store.tables import windows
from shared.clock import SystemClock
from shared.db import engine
from shared.db.bulk import any_of
from shared.db.engine import Database, Tx
from tests.kit.tables import make_tables

pytestmark = pytest.mark.postgres
_PID = sa.text("SELECT pg_backend_pid()")
_MANY_WINDOWS = sa.text(
    """INSERT INTO sla_monitor_windows (window_id, lead_id, partition, promise, owner, state, due_at, look_at, body)
    SELECT 'ev_' || md5(n::text), 'ld_' || n, 0, 'first_response', 'ann', 'open', now(), now(), repeat('x', 600)::bytea
    FROM generate_series(1, 5000) n"""
)


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


async def test_many_keys_are_found_by_the_index_of_a_table_without_statistics(postgres: Database) -> None:
    await make_tables(postgres)
    columns = windows.c
    async with postgres.begin() as tx:
        await tx.execute(sa.text("ALTER TABLE sla_monitor_windows SET (autovacuum_enabled = false)"))
        await tx.execute(_MANY_WINDOWS)
        query = sa.select(columns.body).where(any_of(tx, columns.lead_id, [f"ld_{n}" for n in range(1000)]))
        sa.event.listen(tx.sync_connection, "before_cursor_execute", _explained, retval=True)
        plan = (await tx.execute(query.order_by(columns.window_id))).scalars().all()
    assert any("ix_sla_monitor_windows_lead_id" in str(line) for line in plan), plan


def _explained(*args: Any) -> tuple[str, Any]:
    _, _, statement, parameters, _, _ = args
    return f"EXPLAIN {statement}", parameters
