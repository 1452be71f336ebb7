"""What the pages of parked and rejected leads show: who sees to them, how many there are, and the leads a page at a
time. Plain values, no markup.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import pydantic

from services.scoreboard.domain.leads import REFUSED_FOR, REJECTED_FOR, WAITS_IN, LeadRow
from services.scoreboard.domain.promises import WindowRow
from services.scoreboard.store import lists
from services.scoreboard.store.lists import After, Counters
from shared.agreements import store as agreements
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.instants import EARLIEST
from shared.http.cursor import read_cursor, write_cursor
from shared.http.fields import Cursor, Number, Text

ROWS = 50
"""Leads of one page."""
NAMES = 50
"""Clauses, or reasons, of one page."""
MAX_QUEUES = 20
"""Queues of one page."""


@dataclass(frozen=True, slots=True)
class ParkedLead:
    """A lead in a queue: the pools that it waits for, and the promise of the queue's owner, if one runs."""

    lead: LeadRow
    pools: str
    triage: WindowRow | None


@dataclass(frozen=True, slots=True)
class QueuePanel:
    """A queue with its leads, longest-waiting first; `next_page` continues. `owner` is None if the agreement in force
    does not define the queue.
    """

    name: str
    owner: str | None
    count: int
    waiting: Sequence[ParkedLead]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class ParkedPage:
    """All queues, or one of them, as of `now`; `here` is this page's query."""

    now: datetime
    here: str
    queues: Sequence[QueuePanel]
    total: int
    one: str | None
    more_queues: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """A page of counters with the query of the next page."""

    counters: Counters
    next_page: str | None


class Rejections(pydantic.BaseModel):
    """The query of a page: the leads of one clause or reason from `after` on, and how many of the most frequent
    `clauses` and `reasons` to skip.
    """

    clause: Text | None = None
    reason: Text | None = None
    after: Cursor | None = None
    clauses: Number = 0
    reasons: Number = 0


@dataclass(frozen=True, slots=True)
class RejectedPage:
    """Rejected leads by clause, and those that sales rejected by reason, as of `now`; `shown` are those of the chosen
    `clause` or `reason`, newest first. `marketing` signed the agreement for marketing.
    """

    now: datetime
    here: str
    by_clause: Tally
    by_reason: Tally
    marketing: str | None
    clause: str | None
    reason: str | None
    shown: Sequence[LeadRow]
    next_page: str | None


async def parked_page(tx: Tx, queue: str | None, after: str | None, skip: int, now: datetime) -> ParkedPage:
    """The queues with leads in them without the first `skip`, or `queue` alone from `after` on. Raises `Refused` for
    a page that is none.
    """
    agreement = await agreements.in_force(tx, now)
    counted = await lists.counted(tx, WAITS_IN, limit=MAX_QUEUES, offset=skip)
    chosen = sorted(counted.shown.items())
    if queue is not None:
        chosen = [(queue, await lists.count(tx, WAITS_IN + queue))]
    behind = read_cursor(after, pointer="/after")
    queues = [await _queue(tx, name, count, agreement, behind) for name, count in chosen]
    more = queue is None and skip + MAX_QUEUES < counted.names
    here = _query(queue=queue, after=after, skip=skip)
    return ParkedPage(now, here, queues, counted.total, queue, _query(skip=skip + MAX_QUEUES) if more else None)


async def rejected_page(tx: Tx, chosen: Rejections, now: datetime) -> RejectedPage:
    """Rejected leads by clause and reason, with the leads of one of them. Raises `Refused` for an invalid page."""
    agreement = await agreements.in_force(tx, now)
    signed = agreement.approved_by.get("marketing") if agreement is not None else None
    shown: Sequence[LeadRow] = ()
    next_page = None
    if chosen.clause is not None:
        shown, last = await _cut(lists.rejected, tx, chosen.clause, chosen.after)
        next_page = _query(clause=chosen.clause, after=_cursor(last.settled_at, last)) if last else None
    elif chosen.reason is not None:
        shown, last = await _cut(lists.refused, tx, chosen.reason, chosen.after)
        next_page = _query(reason=chosen.reason, after=_cursor(last.ended_at, last)) if last else None
    by_clause = await lists.counted(tx, REJECTED_FOR, limit=NAMES, offset=chosen.clauses)
    by_reason = await lists.counted(tx, REFUSED_FOR, limit=NAMES, offset=chosen.reasons)
    return RejectedPage(
        now=now,
        here=_query(**chosen.model_dump()),
        by_clause=Tally(by_clause, _next_names("clauses", chosen.clauses, by_clause)),
        by_reason=Tally(by_reason, _next_names("reasons", chosen.reasons, by_reason)),
        marketing=signed.name if signed is not None else None,
        clause=chosen.clause,
        reason=chosen.reason,
        shown=shown,
        next_page=next_page,
    )


def _next_names(parameter: str, skipped: int, counters: Counters) -> str | None:
    following = skipped + NAMES
    return _query(**{parameter: following}) if following < counters.names else None


async def _queue(tx: Tx, name: str, count: int, agreement: Agreement | None, behind: After | None) -> QueuePanel:
    found = await lists.parked(tx, name, after=behind, limit=ROWS + 1)
    shown, more = found[:ROWS], len(found) > ROWS
    triage = await lists.triage_of(tx, [lead.lead_id for lead in shown])
    queue = agreement.queues.get(name) if agreement is not None else None
    return QueuePanel(
        name=name,
        owner=queue.owner if queue is not None else None,
        count=count,
        waiting=[ParkedLead(lead, _pools(lead, name, agreement), triage.get(lead.lead_id)) for lead in shown],
        next_page=_query(queue=name, after=_cursor(shown[-1].settled_at, shown[-1])) if more else None,
    )


def _pools(lead: LeadRow, queue: str, agreement: Agreement | None) -> str:
    """The pool that the lead waits for: the one in the reason, among the pools of this queue."""
    parks = [pool.name for pool in agreement.pools.values() if pool.park_in == queue] if agreement is not None else []
    named = [name for name in parks if f"nobody in {name} is available" in (lead.reason or "")]
    return " or ".join(named or parks)


Page = Callable[..., Awaitable[list[LeadRow]]]


async def _cut(page: Page, tx: Tx, name: str, after: str | None) -> tuple[list[LeadRow], LeadRow | None]:
    found = await page(tx, name, after=read_cursor(after, pointer="/after"), limit=ROWS + 1)
    return found[:ROWS], found[ROWS - 1] if len(found) > ROWS else None


def _cursor(at: datetime | None, lead: LeadRow) -> str:
    return write_cursor(at or EARLIEST, lead.lead_id)


def _query(**chosen: str | int | None) -> str:
    given = {name: value for name, value in chosen.items() if value is not None and value != 0}
    return f"?{urlencode(given)}" if given else ""
