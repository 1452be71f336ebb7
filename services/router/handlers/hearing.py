"""What the router does with what it hears, a batch at a time: load, decide, save and announce in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.router.domain.accounts import Accounts, keys_of
from services.router.domain.decision import decide
from services.router.domain.desk import Desk
from services.router.domain.handover import hand_on
from services.router.domain.lead import CLOSING, Lead, followed_by
from services.router.domain.proof import Ask
from services.router.handlers.sitting import Sitting, Sittings
from services.router.handlers.waiting import drain
from services.router.store import leads as store
from shared.bus.envelope import Received
from shared.db.engine import Tx
from shared.domain.events import ActivityRecorded, InquiryReceived, MoveRequested

CHANGING = ("accepted", "declined", "opportunity", "stage", *CLOSING)
"""Kinds of activity that may change a lead."""


class Handlers:
    """The router's handlers."""

    def __init__(self, sittings: Sittings) -> None:
        self._sittings = sittings

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Judge each inquiry, in order, after those that have been waiting for somebody."""
        inquiries = [r.event for r in batch if isinstance(r.event, InquiryReceived)]
        async with self._sittings.open(tx) as sitting:
            await self._lay_out(tx, sitting, inquiries)
            await drain(tx, sitting)
            for inquiry in inquiries:
                owner = (
                    sitting.accounts.owner_of(keys_of(inquiry.company, inquiry.contact))
                    if sitting.asks_for_accounts
                    else None
                )
                sitting.add(decide(sitting.agreement, inquiry, sitting.desk, sitting.now, owner))
            await self._follow(tx, sitting, await store.take_early_facts(tx, starts_of(inquiries, sitting.desk)))
            if sitting.desk.ended:
                await drain(tx, sitting)

    async def on_escalations(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Move the leads whose ladder asks for it, unless they have moved on meanwhile."""
        asked = [r.event for r in batch if isinstance(r.event, MoveRequested)]
        if not asked:
            return
        async with self._sittings.open(tx) as sitting:
            sitting.desk.know(await store.by_id(tx, {event.lead_id for event in asked}))
            for event in asked:
                lead = sitting.desk.lead(event.lead_id)
                if lead is not None and lead.state == "assigned" and lead.generation == event.generation:
                    await move(tx, sitting, lead, Ask("missed"))
            await drain(tx, sitting)

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Sales accepts a lead, gives it back, or it ends. What concerns a lead that is not there yet waits for it."""
        heard = [r.event for r in batch if isinstance(r.event, ActivityRecorded)]
        if not heard:
            return
        async with self._sittings.open(tx) as sitting:
            for fact in heard:
                sitting.note("activity", fact)
            facts = [fact for fact in heard if fact.kind in CHANGING]
            if not facts:
                return
            sitting.desk.know(await store.by_id(tx, {fact.lead_id for fact in facts}))
            here = [fact for fact in facts if sitting.desk.lead(fact.lead_id) is not None]
            await store.save_early_facts(tx, [fact for fact in facts if fact not in here])
            await self._follow(tx, sitting, here)
            await drain(tx, sitting)

    async def _lay_out(self, tx: Tx, sitting: Sitting, inquiries: Sequence[InquiryReceived]) -> None:
        """Put on the desk what the inquiries' verdicts need."""
        desk = sitting.desk
        desk.know(await store.by_id(tx, {inquiry.lead_id for inquiry in inquiries}))
        desk.know(await store.of_persons(tx, [inquiry.contact for inquiry in inquiries]))
        if sitting.asks_for_accounts:
            keys = [keys_of(inquiry.company, inquiry.contact) for inquiry in inquiries]
            sitting.accounts = Accounts(await store.owners_of(tx, keys))

    async def _follow(self, tx: Tx, sitting: Sitting, facts: Sequence[ActivityRecorded]) -> None:
        for fact in facts:
            lead = sitting.desk.lead(fact.lead_id)
            if lead is None:
                continue
            if fact.kind == "declined":
                if lead.state == "assigned" and fact.by in (None, lead.rep):
                    await move(tx, sitting, lead, Ask("declined", by=fact.by, reason=fact.reason or fact.text))
                continue
            after = followed_by(lead, fact, sitting.now)
            if after is not None:
                sitting.desk.keep(after)


def starts_of(inquiries: Sequence[InquiryReceived], desk: Desk) -> Mapping[str, datetime]:
    """From when facts count for the leads of these inquiries, also under an id that has become part of another lead."""
    starts: dict[str, datetime] = {}
    for inquiry in inquiries:
        lead = desk.lead(inquiry.lead_id)
        if lead is not None:
            starts |= {inquiry.lead_id: lead.received_at, lead.lead_id: lead.received_at}
    return starts


async def move(tx: Tx, sitting: Sitting, lead: Lead, ask: Ask) -> Lead | None:
    """Give a lead to somebody else and say so; the lead afterwards, or None when it stays. Raises as `hand_on`."""
    inquiries = await sitting.inquiries_of(tx, [lead])
    verdict = hand_on(sitting.agreement, ask, lead, inquiries[lead.lead_id], sitting.desk, sitting.now)
    if verdict is None:
        return None
    sitting.add(verdict)
    return verdict.lead
