"""How notices stand: how many wait, how many failed lately, and the latest.

Of the last day, the latest 10,000 notices are looked at, so that a storm of them makes no answer slow.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.delivery.domain.due_notices import DueNotice, NoticeStatus
from services.delivery.store.notices import notice_of
from services.delivery.store.tables import notices
from shared.db.engine import Tx

LATELY = timedelta(hours=24)
LOOK_AT = 10_000
COUNT_TO = 1000


async def due_count(tx: Tx) -> int:
    """How many notices are not sent yet; counting stops at `COUNT_TO`."""
    return await _count(tx, sa.select(notices.c.notice_id).where(notices.c.state == sa.literal_column("'due'")))


async def failed_count(tx: Tx, now: datetime) -> int:
    """How many of the latest notices could not be sent; counting stops at `COUNT_TO`."""
    recent = _recent(now)
    return await _count(tx, sa.select(recent.c.notice_id).where(recent.c.state == "failed"))


async def latest(tx: Tx, state: NoticeStatus, now: datetime, *, limit: int) -> Sequence[DueNotice]:
    """The latest notices in a state, newest first."""
    recent = _recent(now)
    query = sa.select(recent).where(recent.c.state == state).order_by(recent.c.created_at.desc()).limit(limit)
    return [notice_of(row) for row in (await tx.execute(query)).mappings()]


def _recent(now: datetime) -> sa.Subquery:
    query = sa.select(notices).where(notices.c.created_at > now - LATELY)
    return query.order_by(notices.c.created_at.desc(), notices.c.notice_id.desc()).limit(LOOK_AT).subquery()


async def _count(tx: Tx, query: "sa.Select[tuple[str]]") -> int:
    found = query.limit(COUNT_TO).subquery()
    return (await tx.execute(sa.select(sa.func.count()).select_from(found))).scalar_one()
