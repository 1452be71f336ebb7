"""What people tell the router: move this lead, put this rep on hold, these are their days off."""

from datetime import datetime

from msgspec.structs import replace

from services.router.domain.availability import AvailabilityChange, Hold, Leave, RepState
from services.router.domain.lead import HELD, Lead
from services.router.domain.proof import ReassignReason
from services.router.handlers.events import reassign_and_add
from services.router.handlers.parked import drain
from services.router.handlers.transaction import RoutingTransaction, RoutingTransactions
from services.router.store import leads as store
from shared.domain.errors import Conflict, NotFound
from shared.runtime.service import WakeUp


class Commands:
    """Carries out what people ask for, each in a transaction of its own; `done` wakes those who announce it."""

    def __init__(self, transactions: RoutingTransactions, done: tuple[WakeUp, ...]) -> None:
        self._transactions = transactions
        self._announced = done

    async def move(self, lead_id: str, cause: ReassignReason) -> Lead:
        """Give the lead to a rep, or to whoever's turn it is in a pool; returns the lead afterwards.

        Raises `NotFound`, `Conflict` when the lead is in nobody's hands and does not wait, `Refused` when the one who
        is named can't have it.
        """
        async with self._transactions.database.begin() as tx, self._transactions.open(tx) as transaction:
            transaction.routing.load(await store.by_id(tx, {lead_id}))
            lead = transaction.routing.lead(lead_id)
            if lead is None:
                raise NotFound(f"There is no lead {lead_id!r}. Ids come with the answer to POST /v1/leads.")
            if lead.state not in HELD:
                raise Conflict(f"The lead is {lead.state}: only one that is assigned or parked can be moved.")
            moved = await reassign_and_add(tx, transaction, lead, cause)
            await drain(tx, transaction)
        self._wake()
        if moved is None:
            raise Conflict(f"Nobody in {cause.to_pool} can have the lead now; it goes on waiting.")
        return moved

    async def hold(self, rep: str, *, until: datetime | None, by: str | None, reason: str | None) -> None:
        """The rep gets no leads from now on, until `until` or until `release`. Raises `NotFound`."""
        async with self._transactions.database.begin() as tx, self._transactions.open(tx) as transaction:
            self._change(transaction, rep, hold=Hold(transaction.now, until, by, reason))
        self._wake()

    async def release(self, rep: str) -> None:
        """The rep can get leads again; those that waited for someone are given out. Raises `NotFound`."""
        async with self._transactions.database.begin() as tx, self._transactions.open(tx) as transaction:
            self._change(transaction, rep, hold=None)
            await drain(tx, transaction)
        self._wake()

    async def take_leave(self, rep: str, leave: tuple[Leave, ...]) -> None:
        """These are the rep's days off, in place of those known before. Raises `NotFound`."""
        async with self._transactions.database.begin() as tx, self._transactions.open(tx) as transaction:
            self._change(transaction, rep, leave=leave)
            await drain(tx, transaction)
        self._wake()

    def _change(self, transaction: RoutingTransaction, rep: str, **changes: object) -> RepState:
        if not any(rep in agreement.people for agreement in transaction.agreement.with_drafts):
            known = ", ".join(transaction.agreement.people)
            raise NotFound(f"The agreement has no person {rep!r}. It has: {known}.")
        state = replace(transaction.routing.state(rep), **changes)
        transaction.routing.set_state(rep, state)
        transaction.add_entry("availability", AvailabilityChange(rep, state.hold, state.leave))
        return state

    def _wake(self) -> None:
        for signal in self._announced:
            signal.set()
