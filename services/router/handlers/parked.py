"""Leads that wait for someone get one as soon as someone can: the longest waiting first, by the rules in force.

They are tried whenever a lead ends or moves, before new inquiries are judged, and when time alone makes someone
available: hours begin, leave or a hold ends, a new day begins. Leads whose owner left the team are reassigned likewise,
and those of one who goes on leave, and a new version of the agreement routes all parked leads again at once.
"""

from datetime import datetime, timedelta

from services.router.domain.owner_leave import next_leave_at, not_relieved, on_leave_since
from services.router.domain.parked import Rerouted, next_available_at
from services.router.domain.routing import Routing
from services.router.handlers.transaction import RoutingTransactions
from shared.ports import Clock
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp

LONGEST_WAIT_S = 60.0


class ParkedTimer:
    """The task that watches the clock for leads that wait. What it plans by is in memory; what it does is decided in a
    transaction, at least once a minute, since another process may have parked leads meanwhile.
    """

    def __init__(self, transactions: RoutingTransactions, clock: Clock, wake: WakeUp, done: WakeUp) -> None:
        self._transactions = transactions
        self._clock = clock
        self._wake = wake
        self._done = done
        self._agreement = ""
        # How far the leads that wait have been tried under which version that has come into force since.
        self._rerouted: tuple[str, Rerouted | None] = ("", None)

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
        state, now = self._transactions.state, self._clock.now()
        agreement = self._transactions.agreement_at(now)
        if agreement.hash != self._agreement:
            return now
        # While a transaction holds the state there is none to look at; its commit wakes us.
        if state is None:
            return latest
        if not_relieved(on_leave_since(agreement, state, now), state):
            return now
        due = (next_available_at(agreement, state, now), next_leave_at(agreement, state, now))
        return min(at for at in (latest, *due) if at is not None)

    async def _settle(self) -> bool:
        """Whether there may be more to do, because one transaction is bounded."""
        agreement, rerouted, decided = await self._transactions.run(self._decide)
        self._rerouted = (agreement, rerouted)
        if decided:
            self._done.set()
        if decided or rerouted is not None:
            return True
        self._agreement = agreement
        return False

    def _decide(self, routing: Routing) -> tuple[str, Rerouted | None, bool]:
        """The hash of the agreement that it was decided under, how far the leads that wait were tried under it if there
        are more, and whether there was anything to decide.
        """
        digest, rerouted = routing.agreement.hash, None
        if digest != self._agreement:
            under, after = self._rerouted
            routing.reassign_departed()
            rerouted = routing.reroute_parked(after if under == digest else None)
        routing.relieve()
        routing.drain()
        if routing.verdicts:
            routing.record("tick")
        return digest, rerouted, bool(routing.verdicts)
