"""PostgreSQL as services use it: many keys are looked up in an index."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from services.sla_monitor.store.tables import windows
from shared.clock import SystemClock
from shared.db.bulk import any_of
from shared.db.engine import Database
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
