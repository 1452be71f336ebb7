"""One transaction of the router: take the lock, load the state, decide, save and publish."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from services.router.domain.routing import Routing
from services.router.domain.routing_state import RoutingState
from services.router.store import leads, pilots, record
from services.router.store import routing_state as routing_store
from services.router.store.lookup import DatabaseLookup
from services.router.store.tables import tables
from shared import metrics
from shared.bus.envelope import Envelope
from shared.clock import new_id
from shared.db import outbox
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.events import Event
from shared.domain.ids import event_id

SOURCE = "baton/router"

T = TypeVar("T")

AgreementAt = Callable[[datetime], Agreement]
"""The agreement in force at an instant."""


class RoutingTransactions:
    """Gives the routing state to one transaction at a time, in this process and in all others.

    The state stays in memory from one transaction to the next. It is read again when another process had the lock in
    between, or when the last transaction did not reach its end.
    """

    def __init__(self, database: Database, agreement_at: AgreementAt) -> None:
        self.agreement_at = agreement_at
        self._database = database
        self._state: RoutingState | None = None
        self._token = ""
        self._name = new_id()
        self._number = 0

    @property
    def state(self) -> RoutingState | None:
        """The state as this process left it, to look at; None before the first transaction and while one runs."""
        return self._state

    async def run(self, decide: Callable[[Routing], T]) -> T:
        """Decide in its own transaction; returns the result of `decide` after the commit."""
        async with self._database.begin() as tx:
            return await self.run_in(tx, decide)

    async def run_in(self, tx: Tx, decide: Callable[[Routing], T]) -> T:
        """Take the lock, decide and save; what `decide` returns. The database transaction still has to commit.

        `now` is the database's clock, and the agreement the one in force then. Nothing is saved when `decide` raises.
        """
        token, seq = await routing_store.lock(tx)
        known, self._state = self._state if token == self._token else None, None
        state = known or await routing_store.load(tx, seq)
        state.begin()
        state.seq = seq
        now = await self._database.now(tx)
        routing = Routing(state, DatabaseLookup(tx), self.agreement_at(now), now)
        outcome = await tx.run_sync(lambda _: decide(routing))
        await _save(tx, routing)
        self._number += 1
        self._token = f"{self._name}/{self._number}"
        await routing_store.save(tx, state, self._token)
        self._state = state
        return outcome


async def _save(tx: Tx, routing: Routing) -> None:
    """Save the leads, the verdicts and the record, and publish the events."""
    await leads.save(tx, routing.state)
    await leads.save_early_facts(tx, routing.early_facts)
    await record.save_entries(tx, routing.journal)
    if not routing.events and not routing.backdated:
        return
    await record.save_verdicts(tx, routing.verdicts)
    await pilots.save(tx, routing.shadows)
    events = [*routing.backdated, *routing.events]
    await outbox.announce(tx, tables, [_envelope(event, routing.now) for event in events])
    for kind, number in Counter(verdict.proof.verdict for verdict in routing.verdicts).items():
        metrics.verdicts.labels(kind).inc(number)
    metrics.conditions_failed.inc(sum(len(verdict.errors) for verdict in routing.verdicts))


def _envelope(event: Event, now: datetime) -> Envelope:
    return Envelope(event_id("lead", event.lead_id, event.lead_version), SOURCE, now, event)  # type: ignore[attr-defined]
