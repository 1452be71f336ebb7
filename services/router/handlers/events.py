"""What the router does with events, a batch at a time: load, decide, save and announce in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.router.domain.accounts import Accounts, keys_of
from services.router.domain.decision import decide
from services.router.domain.lead import CLOSING, Lead, followed_by
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import reassign
from services.router.domain.routing_state import RoutingState
from services.router.handlers.parked import drain
from services.router.handlers.transaction import RoutingTransaction, RoutingTransactions
from services.router.store import leads as store
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import ActivityRecorded, InquiryReceived, MoveRequested

LEAD_CHANGING = ("accepted", "declined", "opportunity", "stage", *CLOSING)
"""Kinds of activity that may change a lead."""


class RouterHandlers:
    """The router's handlers."""

    def __init__(self, transactions: RoutingTransactions) -> None:
        self._transactions = transactions

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Judge each inquiry, in order, after those that have been waiting for someone."""
        inquiries = [r.event for r in batch if isinstance(r.event, InquiryReceived)]
        async with self._transactions.open(tx) as transaction:
            await self._prefetch(tx, transaction, inquiries)
            await drain(tx, transaction)
            for inquiry in inquiries:
                owner = (
                    transaction.accounts.owner_of(keys_of(inquiry.company, inquiry.contact))
                    if transaction.needs_accounts
                    else None
                )
                transaction.add(decide(transaction.agreement, inquiry, transaction.routing, transaction.now, owner))
            await self._apply_facts(
                tx, transaction, await store.take_early_facts(tx, starts_of(inquiries, transaction.routing))
            )
            if transaction.routing.ended:
                await drain(tx, transaction)

    async def on_escalations(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Move the leads whose ladder asks for it, unless they have moved on meanwhile."""
        asked = [r.event for r in batch if isinstance(r.event, MoveRequested)]
        if not asked:
            return
        async with self._transactions.open(tx) as transaction:
            transaction.routing.load(await store.by_id(tx, {event.lead_id for event in asked}))
            for event in asked:
                lead = transaction.routing.lead(event.lead_id)
                if lead is not None and lead.state == "assigned" and lead.generation == event.generation:
                    await reassign_and_add(tx, transaction, lead, ReassignReason("missed"))
            await drain(tx, transaction)

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Sales accepts a lead, gives it back, or it ends. What concerns a lead that is not there yet waits for it."""
        heard = [r.event for r in batch if isinstance(r.event, ActivityRecorded)]
        if not heard:
            return
        async with self._transactions.open(tx) as transaction:
            for fact in heard:
                transaction.add_entry("activity", fact)
            facts = [fact for fact in heard if fact.kind in LEAD_CHANGING]
            if not facts:
                return
            transaction.routing.load(await store.by_id(tx, {fact.lead_id for fact in facts}))
            here = [fact for fact in facts if transaction.routing.lead(fact.lead_id) is not None]
            await store.save_early_facts(tx, [fact for fact in facts if fact not in here])
            await self._apply_facts(tx, transaction, here)
            await drain(tx, transaction)

    async def _prefetch(self, tx: Tx, transaction: RoutingTransaction, inquiries: Sequence[InquiryReceived]) -> None:
        """Put in the routing state what the inquiries' verdicts need."""
        routing = transaction.routing
        routing.load(await store.by_id(tx, {inquiry.lead_id for inquiry in inquiries}))
        routing.load(await store.of_persons(tx, [inquiry.contact for inquiry in inquiries]))
        if transaction.needs_accounts:
            keys = [keys_of(inquiry.company, inquiry.contact) for inquiry in inquiries]
            transaction.accounts = Accounts(await store.owners_of(tx, keys))

    async def _apply_facts(self, tx: Tx, transaction: RoutingTransaction, facts: Sequence[ActivityRecorded]) -> None:
        for fact in facts:
            lead = transaction.routing.lead(fact.lead_id)
            if lead is None:
                continue
            if fact.kind == "declined":
                if lead.state == "assigned" and fact.by in (None, lead.rep):
                    await reassign_and_add(
                        tx, transaction, lead, ReassignReason("declined", by=fact.by, reason=fact.reason or fact.text)
                    )
                continue
            after = followed_by(lead, fact, transaction.now)
            if after is not None:
                transaction.routing.save(after)


def starts_of(inquiries: Sequence[InquiryReceived], routing: RoutingState) -> Mapping[str, datetime]:
    """From when facts count for the leads of these inquiries, also under an id that has become part of another lead."""
    starts: dict[str, datetime] = {}
    for inquiry in inquiries:
        lead = routing.lead(inquiry.lead_id)
        if lead is not None:
            starts |= {inquiry.lead_id: lead.received_at, lead.lead_id: lead.received_at}
    return starts


async def reassign_and_add(tx: Tx, transaction: RoutingTransaction, lead: Lead, cause: ReassignReason) -> Lead | None:
    """Give a lead to someone else and say so; the lead afterwards, or None when it stays. Raises as `reassign`."""
    inquiries = await transaction.inquiries_of(tx, [lead])
    verdict = reassign(
        transaction.agreement, cause, lead, inquiries[lead.lead_id], transaction.routing, transaction.now
    )
    if verdict is None:
        return None
    transaction.add(verdict)
    return verdict.lead
