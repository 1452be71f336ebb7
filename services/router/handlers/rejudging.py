"""Judge the leads of a period again under the version in force: first a simulation, which changes nothing, then for
real, which only someone can ask for who has the simulation's id.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.router.domain.lead import Lead, LeadsRejudged
from services.router.domain.routing import Routing
from services.router.domain.verdict import Verdict
from services.router.handlers.transaction import RoutingTransactions
from services.router.store import rejudgings as store
from services.router.store import routing_state as routing_store
from services.router.store.lookup import DatabaseLookup
from services.router.store.rejudgings import Outcome, Rejudging
from shared.clock import new_id
from shared.db.engine import Database, Tx
from shared.domain.errors import Conflict, NotFound, Refused, Unavailable
from shared.domain.lead import LeadState
from shared.runtime.backoff import until_back
from shared.runtime.wakeup import WakeUp, wake

BATCH = 100
"""Leads per transaction, so that new inquiries do not wait long."""
MAX_LEADS = 20_000
LONGEST_WAIT_S = 60.0
BOTH: tuple[LeadState, ...] = ("rejected", "parked")


class Wanted(msgspec.Struct, frozen=True):
    """The leads that someone wants judged again. What is None is not restricted."""

    since: datetime | None = None
    until: datetime | None = None
    statuses: tuple[LeadState, ...] | None = None


class Rejudgings:
    """Simulates and applies re-judgings, one at a time; `run` is the task that applies them. `decided` wakes what waits
    for verdicts.
    """

    def __init__(self, database: Database, transactions: RoutingTransactions, decided: tuple[WakeUp, ...]) -> None:
        self._database = database
        self._transactions = transactions
        self._decided = decided
        self._wake = WakeUp()
        self._simulating = False

    async def simulate(self, wanted: Wanted) -> Rejudging:
        """What judging them again would come to now. Only the result is stored.

        Raises `Refused` for a period that is empty or has too many leads, and `Unavailable` while another
        simulation runs.
        """
        if self._simulating:
            raise Unavailable("Another simulation is running. Try again when it has ended.", retry_after_s=10)
        self._simulating = True
        try:
            async with self._database.read() as tx:
                rejudging = await self._simulated(tx, wanted)
        finally:
            self._simulating = False
        async with self._database.begin() as tx:
            return await store.save(tx, replace(rejudging, after=None), rejudging.changed_at)

    async def apply(self, simulation: str, wanted: Wanted, *, reason: str, by: str | None, sender: str) -> Rejudging:
        """Let what was simulated happen; asking again changes nothing. People are named by id or e-mail address; if
        nobody is named, `sender` decided.

        Raises `NotFound`, `Refused` for an unknown person, and `Conflict` if the simulation is of other leads or of
        another version than the one in force, or while another re-judging is applied.
        """
        async with self._database.begin() as tx:
            await routing_store.lock(tx)
            now = await self._database.now(tx)
            found = await self._stored(tx, simulation)
            if found.state != "simulated":
                return found
            _require_same(wanted, found)
            agreement = self._transactions.agreement_at(now)
            if agreement.hash != found.agreement.hash:
                raise Conflict("Another version of the agreement is in force since the simulation. Simulate again.")
            if await store.applying(tx) is not None:
                raise Conflict("Another re-judging is being applied. Try again when it has ended.")
            who = agreement.person_id(by, pointer="/by") if by else sender
            applying = replace(found, state="applying", applied=Outcome(), by=who, reason=reason)
            applying = await store.save(tx, applying, now)
        self._wake.set()
        return applying

    async def find(self, rejudging: str) -> Rejudging:
        """The re-judging with this id. Raises `NotFound`."""
        async with self._database.read() as tx:
            return await self._stored(tx, rejudging)

    async def run(self) -> None:
        """Apply what is to be applied, also what was left by a process that ended, until cancelled."""
        while True:
            if not await until_back(self.apply_batch, service="router", task="re-judge"):
                await self._wake.wait(LONGEST_WAIT_S)

    async def apply_batch(self) -> bool:
        """Judge the next leads again, and save how far it is, in one transaction; whether there may be more to do."""
        async with self._database.begin() as tx:
            await routing_store.lock(tx)
            rejudging = await store.applying(tx)
            if rejudging is None:
                return False
            found = await store.next_leads(tx, rejudging, BATCH)
            batch = _batch(rejudging, found)
            after = await self._transactions.run_in(tx, lambda routing: _judged(routing, rejudging, batch))
            if found and after.state == "applying":
                after = replace(after, after=found[-1])
            await store.save(tx, after, await self._database.now(tx))
        wake(self._decided)
        return after.state == "applying"

    async def _stored(self, tx: Tx, rejudging: str) -> Rejudging:
        found = await store.by_id(tx, rejudging)
        if found is None:
            raise NotFound(f"There is no re-judging {rejudging!r}. POST /v1/re-judge without 'simulation' makes one.")
        return found

    async def _simulated(self, tx: Tx, wanted: Wanted) -> Rejudging:
        now = await self._database.now(tx)
        agreement = self._transactions.agreement_at(now)
        rejudging = Rejudging(
            id=new_id(),
            agreement=agreement.ref,
            since=wanted.since,
            until=_end(wanted, now),
            statuses=wanted.statuses or BOTH,
            changed_at=now,
        )
        number = await store.count(tx, rejudging)
        if number > MAX_LEADS:
            raise Refused(f"The period has {number:,} such leads, more than {MAX_LEADS:,}: choose a shorter one.")
        state = await routing_store.load(tx, 0)
        while found := await store.next_leads(tx, rejudging, BATCH):
            state.begin()
            routing = Routing(state, DatabaseLookup(tx), agreement, now)
            judged = await tx.run_sync(_tried, routing, _batch(rejudging, found))
            rejudging = replace(rejudging, simulated=rejudging.simulated.plus(judged), after=found[-1])
        return rejudging


def _tried(_: object, routing: Routing, batch: LeadsRejudged) -> list[tuple[Lead, Verdict | None]]:
    return routing.judge_each_again(batch)


def _judged(routing: Routing, rejudging: Rejudging, batch: LeadsRejudged) -> Rejudging:
    """The re-judging after this batch, or at its end."""
    if routing.agreement.hash != rejudging.agreement.hash:
        return replace(rejudging, state="stopped", why="another version of the agreement came into force")
    if not batch.lead_ids:
        return replace(rejudging, state="applied")
    applied = (rejudging.applied or Outcome()).plus(routing.judge_again(batch))
    return replace(rejudging, applied=applied)


def _batch(rejudging: Rejudging, found: list[tuple[datetime, str]]) -> LeadsRejudged:
    ids = tuple([lead_id for _, lead_id in found])
    return LeadsRejudged(ids, rejudging.statuses, rejudging.by or "", rejudging.reason or "")


def _end(wanted: Wanted, now: datetime) -> datetime:
    until = min(wanted.until or now, now)
    if wanted.since is not None and wanted.since >= until:
        raise Refused("The period is empty: 'from' must be before 'to'.", pointer="/from")
    return until


def _require_same(wanted: Wanted, found: Rejudging) -> None:
    same = (
        wanted.since in (None, found.since)
        and (wanted.until is None or min(wanted.until, found.changed_at) == found.until)
        and (wanted.statuses is None or set(wanted.statuses) == set(found.statuses))
    )
    if not same:
        raise Conflict("The simulation is of another period or of other statuses. Simulate what you want to apply.")
