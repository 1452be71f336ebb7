"""What the page of orphans shows: lead ids that activities name and no inquiry has. Plain values, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

import pydantic

from services.scoreboard.domain.counters import EXPIRED_ORPHANS, ORPHANS
from services.scoreboard.store import lists, orphans
from services.scoreboard.store.orphans import ListedOrphan
from shared.db.engine import Tx
from shared.http.cursor import read_cursor, write_cursor
from shared.http.fields import Cursor

ROWS = 50


class Orphans(pydantic.BaseModel):
    """Which orphans to show, from which on."""

    state: Literal["waiting", "expired"] = "waiting"
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class OrphansPage:
    """Orphans as of `now`, newest first: those that wait, or those that expired. `here` is this page's query,
    `next_page` continues. `count` and `expired_count` are of all of them.
    """

    now: datetime
    here: str
    expired: bool
    listed: Sequence[ListedOrphan]
    next_page: str | None
    count: int
    expired_count: int


async def orphans_page(tx: Tx, chosen: Orphans, now: datetime) -> OrphansPage:
    """The chosen orphans. Raises `Refused` for an invalid page."""
    expired, after = chosen.state == "expired", read_cursor(chosen.after, pointer="/after")
    found = await orphans.newest_orphans(tx, expired=expired, after=after, limit=ROWS + 1)
    last = found[ROWS - 1].orphan if len(found) > ROWS else None
    return OrphansPage(
        now=now,
        here=_query(expired, chosen.after),
        expired=expired,
        listed=found[:ROWS],
        next_page=_query(expired, write_cursor(last.since, last.lead_id)) if last is not None else None,
        count=await lists.count(tx, ORPHANS),
        expired_count=await lists.count(tx, EXPIRED_ORPHANS),
    )


def _query(expired: bool, after: str | None) -> str:
    chosen = ({"state": "expired"} if expired else {}) | ({"after": after} if after is not None else {})
    return f"?{urlencode(chosen)}" if chosen else ""
