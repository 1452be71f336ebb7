"""Leads that wait for someone get one as soon as someone can: the longest waiting first, by the rules in force.

They are tried whenever a lead ends or moves, before new inquiries are judged, and when time alone makes someone
available: hours begin, leave or a hold ends, a new day begins. Leads whose owner left the team are handed on likewise.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta

from services.router.domain.lead import Lead
from services.router.domain.parked import RoutingKey, departed_reps, next_available_at, pools_with_capacity, routing_key
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import reassign
from services.router.domain.routing_state import RoutingState
from services.router.handlers.transaction import RoutingTransaction, RoutingTransactions
from services.router.store import leads as store
from shared.db.engine import Tx
from shared.ports import Clock
from shared.runtime.outage import until_back
from shared.runtime.service import WakeUp

PAGE = 200
MAX_LEADS = 1000
"""So many waiting leads of a pool are looked at in one transaction, so that it stays short."""

LONGEST_WAIT_S = 60.0


class ParkedTimer:
    """The task that watches the clock for leads that wait. What it plans by is in memory; what it does is decided in a
    transaction, at least once a minute, since another process may have parked leads meanwhile.
    """

    def __init__(self, transactions: RoutingTransactions, clock: Clock, wake: WakeUp, done: WakeUp) -> None:
        self._transactions = transactions
        self._clock = clock
        self._wake = wake
        self._announced = done
        self._agreement = ""

    async def run(self) -> None:
        """Until cancelled; an outage of the database is waited out."""
        while True:
            if not await until_back(self._settle, service="router", task="waiting"):
                await self._until_due()

    async def _until_due(self) -> None:
        latest = self._clock.now() + timedelta(seconds=LONGEST_WAIT_S)
        while (left := (self._due_at(latest) - self._clock.now()).total_seconds()) > 0:
            await self._wake.wait(left)

    def _due_at(self, latest: datetime) -> datetime:
        routing, now = self._transactions.routing, self._clock.now()
        agreement = self._transactions.agreement_at(now)
        if agreement.hash != self._agreement:
            return now
        # While a transaction holds the state there is none to look at; its commit wakes us.
        available_at = next_available_at(agreement, routing, now) if routing is not None else None
        return min(available_at or latest, latest)

    async def _settle(self) -> bool:
        """Whether there may be more to do at once, because one transaction takes only so many."""
        async with self._transactions.database.begin() as tx, self._transactions.open(tx) as transaction:
            if transaction.agreement.hash != self._agreement:
                await reassign_from_departed_reps(tx, transaction)
            await drain(tx, transaction)
            if transaction.decided:
                transaction.add_entry("tick", None)
        if transaction.decided:
            self._announced.set()
            return True
        self._agreement = transaction.agreement.hash
        return False


async def drain(tx: Tx, transaction: RoutingTransaction) -> None:
    """Give waiting leads to those who can have them."""
    for pool in list(pools_with_capacity(transaction.agreement, transaction.routing, transaction.now)):
        await _drain_pool(tx, transaction, pool)


async def _drain_pool(tx: Tx, transaction: RoutingTransaction, pool: str) -> None:
    """In the order of their waiting. A rule for whose leads nobody is there does not hold up those of others."""
    stuck: set[RoutingKey] = set()
    async for page in _parked_pages(tx, transaction.routing, pool):
        inquiries = await transaction.inquiries_of(tx, page)
        for lead in page:
            key = routing_key(transaction.agreement, lead)
            if key is not None and key in stuck:
                continue
            inquiry = inquiries[lead.lead_id]
            verdict = reassign(
                transaction.agreement, ReassignReason("drained"), lead, inquiry, transaction.routing, transaction.now
            )
            if verdict is not None:
                transaction.add(verdict)
            elif key is not None:
                stuck.add(key)


async def _parked_pages(tx: Tx, routing: RoutingState, pool: str) -> AsyncIterator[list[Lead]]:
    """A bounded number of leads that wait for the pool, a page at a time: those that are kept, then those that have
    come to wait in this very transaction.
    """
    new = sorted(lead.lead_id for lead in routing.changed.values() if lead.state == "parked" and lead.pool == pool)
    after, seen = None, 0
    while seen < MAX_LEADS and routing.waiting.get(pool, 0) > 0:
        page = await store.parked(tx, pool, after, PAGE)
        if not page:
            break
        seen += len(page)
        after = (page[-1].parked_at, page[-1].lead_id)
        routing.load(lead for lead in page if lead.lead_id not in routing.leads)
        yield _still_parked(routing, pool, [lead.lead_id for lead in page if lead.lead_id not in new])
    yield _still_parked(routing, pool, new)


def _still_parked(routing: RoutingState, pool: str, ids: Iterable[str]) -> list[Lead]:
    found = [routing.leads[lead_id] for lead_id in ids]
    return [lead for lead in found if lead.state == "parked" and lead.pool == pool]


async def reassign_from_departed_reps(tx: Tx, transaction: RoutingTransaction) -> None:
    """Hand on the leads of reps who are no longer in the team, a bounded number at a time."""
    departed = departed_reps(transaction.agreement, transaction.routing)
    if not departed:
        return
    for lead in await store.held_by(tx, departed, MAX_LEADS):
        transaction.routing.load([lead])
        inquiries = await transaction.inquiries_of(tx, [lead])
        verdict = reassign(
            transaction.agreement,
            ReassignReason("left"),
            lead,
            inquiries[lead.lead_id],
            transaction.routing,
            transaction.now,
        )
        if verdict is not None:
            transaction.add(verdict)
