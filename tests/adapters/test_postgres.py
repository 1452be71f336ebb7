"""PostgreSQL as services use it: many keys are looked up in an index, connections are asked before use, and one process
relays what the others have committed.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from services.sla_monitor.store.tables import tables, windows
from shared.bus.embedded import EmbeddedBus
from shared.clock import SystemClock
from shared.db import engine, outbox
from shared.db.bulk import any_of
from shared.db.engine import Database
from shared.domain.events import ASSIGNMENTS
from shared.runtime import relay
from shared.runtime.relay import OutboxRelay
from shared.runtime.wakeup import WakeUp
from tests.kit.events import assigned, envelope
from tests.kit.services import first_records
from tests.kit.tables import make_tables

pytestmark = pytest.mark.postgres
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


@pytest.mark.parametrize("way", ["begin", "read"])
async def test_a_connection_that_the_server_has_closed_is_replaced_before_use(postgres: Database, way: str) -> None:
    async with postgres.begin() as tx:
        mine = (await tx.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
    other = Database(postgres.url, SystemClock())
    async with other.begin() as tx:
        await tx.execute(sa.text(f"SELECT pg_terminate_backend({mine}, 10000)"))
    await other.close()
    async with getattr(postgres, way)() as tx:
        assert (await tx.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one() != mine


async def test_a_connection_is_asked_before_use_unless_it_answered_a_moment_ago(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    async with postgres.read() as tx:
        connection = (await tx.get_raw_connection()).driver_connection
        assert connection is not None
        connection.add_query_logger(lambda record: asked.append(record.query))
    counts = []
    for ask_every_s in (3600.0, 3600.0, 0.0):
        monkeypatch.setattr(engine, "ASK_EVERY_S", ask_every_s)
        async with postgres.read() as tx:
            await tx.execute(sa.text("SELECT 2"))
        counts.append(asked.count("SELECT 1"))
    assert counts == [1, 1, 2]


async def test_what_only_reads_holds_no_transaction_open(postgres: Database) -> None:
    async with postgres.read() as tx:
        await tx.execute(sa.text("SELECT 1"))
        state = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        )
        async with postgres.read() as other:
            assert (await other.execute(sa.text(state))).scalar_one() == 0


async def test_the_process_that_relays_is_told_what_another_has_committed(
    postgres: Database, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "IDLE_S", 3600.0)
    await make_tables(postgres)
    other = Database(postgres.url, SystemClock())
    first, committed = WakeUp(), WakeUp()
    relays = [
        OutboxRelay(database=database, bus=embedded_bus, clock=SystemClock(), tables=tables, wake=wake)
        for database, wake in ((postgres, first), (other, committed))
    ]
    tasks = []
    for each, wake, database in zip(relays, (first, committed), (postgres, other), strict=True):
        tasks.append(asyncio.create_task(each.run()))
        # The first one relays: it has published before the second one starts.
        async with database.begin() as tx:
            await outbox.announce(tx, tables, [envelope(assigned(f"ld_{len(tasks)}"), SystemClock().now())])
        wake.set()
        await first_records(embedded_bus, ASSIGNMENTS, len(tasks))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await other.close()
