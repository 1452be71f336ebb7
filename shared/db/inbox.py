"""The ids of handled events, so that a duplicate is handled once."""

from collections.abc import Sequence
from datetime import datetime

from shared.db.bulk import insert_new
from shared.db.engine import Tx
from shared.db.tables import RuntimeTables


async def fresh(tx: Tx, tables: RuntimeTables, ids: Sequence[str], now: datetime) -> set[str]:
    """Record the ids as handled and return the new ones; takes effect if the transaction commits."""
    rows = [{"event_id": event_id, "handled_at": now} for event_id in dict.fromkeys(ids)]
    return await insert_new(tx, tables.inbox.c.event_id, rows)
