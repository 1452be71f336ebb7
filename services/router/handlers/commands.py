"""Commands of people: move a lead, put a rep on hold, set their days off."""

from collections.abc import Callable
from datetime import datetime

from services.router.domain.availability import Hold, Leave, RepState
from services.router.domain.lead import Lead
from services.router.domain.proof import ReassignReason
from services.router.domain.routing import Routing
from services.router.handlers.transaction import RoutingTransactions
from shared.domain.errors import Conflict, NotFound
from shared.runtime.wakeup import WakeUp, wake


class Commands:
    """Carries out commands, each in its own transaction; `done` wakes the relay."""

    def __init__(self, transactions: RoutingTransactions, done: tuple[WakeUp, ...]) -> None:
        self._transactions = transactions
        self._done = done

    async def move(self, lead_id: str, reason: ReassignReason) -> Lead:
        """Move the lead to a rep, or to the next in a pool's rotation; returns the lead.

        Raises `NotFound`, `Conflict` if the lead is neither assigned nor parked or no rep is available, `Refused` if
        the named rep cannot own it.
        """
        moved = await self._transactions.run(lambda routing: routing.move(lead_id, reason))
        wake(self._done)
        if moved is None:
            raise Conflict(f"Nobody in {reason.to_pool} can have the lead now; it goes on waiting.")
        return moved

    async def hold(self, rep: str, *, until: datetime | None, by: str | None, reason: str | None) -> None:
        """The rep gets no leads from now on, until `until` or until `release`. Raises `NotFound`."""

        def change(routing: Routing, state: RepState) -> None:
            routing.set_absence(rep, Hold(routing.now, until, by, reason), state.leave)

        await self._change_absence(rep, change)

    async def release(self, rep: str) -> None:
        """End the rep's hold and assign parked leads. Raises `NotFound`."""
        await self._change_absence(rep, lambda routing, state: routing.set_absence(rep, None, state.leave))

    async def take_leave(self, rep: str, leave: tuple[Leave, ...]) -> None:
        """Replace the rep's days off. Raises `NotFound`."""
        await self._change_absence(rep, lambda routing, state: routing.set_absence(rep, state.hold, leave))

    async def _change_absence(self, rep: str, change: Callable[[Routing, RepState], None]) -> None:
        def change_known(routing: Routing) -> None:
            if not any(rep in agreement.people for agreement in routing.agreement.with_drafts):
                known = ", ".join(routing.agreement.people)
                raise NotFound(f"Unknown person {rep!r}. The agreement has: {known}.")
            change(routing, routing.state.state(rep))

        await self._transactions.run(change_known)
        wake(self._done)
