"""What the page of orphans shows: activities that wait for a lead that no inquiry has. Plain values, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from services.scoreboard.store import lists
from services.scoreboard.store.lists import WaitingActivity
from shared.db.engine import Tx
from shared.http.cursor import read_cursor, write_cursor

ROWS = 50


@dataclass(frozen=True, slots=True)
class OrphansPage:
    """Waiting activities as of `now`, newest first; `here` is this page's query, `next_page` continues."""

    now: datetime
    here: str
    waiting: Sequence[WaitingActivity]
    next_page: str | None


async def orphans_page(tx: Tx, after: str | None, now: datetime) -> OrphansPage:
    """The waiting activities from `after` on. Raises `Refused` for an invalid page."""
    found = await lists.waiting_activities(tx, after=read_cursor(after, pointer="/after"), limit=ROWS + 1)
    shown = found[:ROWS]
    following = _query(write_cursor(shown[-1].at, shown[-1].event_id)) if len(found) > ROWS else None
    return OrphansPage(now, _query(after) if after is not None else "", shown, following)


def _query(after: str) -> str:
    return f"?{urlencode({'after': after})}"
