"""What the router does with events, a batch at a time: decide, save and announce in one transaction."""

from collections.abc import Sequence

from services.router.domain.lead import InquiryCopy
from services.router.handlers.transaction import RoutingTransactions
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import ActivityRecorded, InquiryReceived, MoveRequested


class RouterHandlers:
    """The router's handlers."""

    def __init__(self, transactions: RoutingTransactions) -> None:
        self._transactions = transactions

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Judge each inquiry in order, after the parked leads."""
        inquiries = [r.event for r in batch if isinstance(r.event, InquiryReceived)]
        await self._transactions.run_in(tx, lambda routing: routing.judge(inquiries))

    async def on_copies(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Inquiries that were judged before: another ingest process may have accepted one earlier."""
        inquiries = [r.event for r in batch if isinstance(r.event, InquiryReceived) and not r.event.test]
        copies = [InquiryCopy(each.lead_id, each.inquiry_id, each.accepted_at) for each in inquiries]
        if copies:
            await self._transactions.run_in(tx, lambda routing: routing.backdate(copies))

    async def on_escalations(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Move the leads whose ladder asks for it, unless they have moved on meanwhile."""
        missed = [(r.event.lead_id, r.event.generation) for r in batch if isinstance(r.event, MoveRequested)]
        if missed:
            await self._transactions.run_in(tx, lambda routing: routing.move_missed(missed))

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Sales accepts a lead, gives it back, or it ends. What concerns a lead that is not there yet waits for it."""
        facts = [r.event for r in batch if isinstance(r.event, ActivityRecorded)]
        if facts:
            await self._transactions.run_in(tx, lambda routing: routing.apply(facts))
