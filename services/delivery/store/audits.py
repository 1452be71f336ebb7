"""What the scoreboard's auditor found last: the only table of another service that delivery reads."""

from datetime import datetime

import sqlalchemy as sa

from shared.db.engine import Instant, Tx

_audits = sa.table("scoreboard_audits", sa.column("finished_at", Instant), sa.column("clean", sa.Boolean))


async def last_clean(tx: Tx) -> datetime | None:
    """When the last audit ended, if it was clean; None if it was not, or if there was none yet."""
    query = sa.select(_audits).order_by(_audits.c.finished_at.desc()).limit(1)
    row = (await tx.execute(query)).one_or_none()
    return row.finished_at if row is not None and row.clean else None
