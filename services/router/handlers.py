"""What the router does with what it hears, a batch at a time: load, decide, save and announce in one transaction."""

from collections.abc import Callable, Sequence

from services.router import store
from services.router.domain.decision import Verdict, decide, move
from services.router.domain.lead import STAGES, Lead, followed_by
from shared.bus.envelope import Envelope, Received, event_id
from shared.db import agreements, outbox
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived, MoveRequested

SOURCE = "baton/router"


class Handlers:
    """The router's handlers. `agreement` gives the one in force."""

    def __init__(self, database: Database, agreement: Callable[[], Agreement]) -> None:
        self._database = database
        self._agreement = agreement

    async def on_inquiries(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Judge each inquiry, in order."""
        inquiries = [r.event for r in batch if isinstance(r.event, InquiryReceived)]
        agreement, now = self._agreement(), await self._database.now(tx)
        turns = await store.pools_to_turn(tx, list(agreement.pools))
        leads = await store.leads_to_change(tx, list({inquiry.lead_id for inquiry in inquiries}))
        known, before = set(leads), dict(turns)
        verdicts = []
        for inquiry in inquiries:
            verdict = decide(agreement, inquiry, leads.get(inquiry.lead_id), turns, now)
            leads[inquiry.lead_id] = verdict.lead
            verdicts.append(verdict)
        await store.save_turns(tx, {name: state for name, state in turns.items() if state is not before.get(name)})
        await self._conclude(tx, agreement, verdicts)
        new = [lead_id for lead_id in leads if lead_id not in known]
        early = await store.take_early_facts(tx, new) if new else []
        since = [fact for fact in early if fact.accepted_at >= leads[fact.lead_id].received_at]
        if since:
            await self._follow(tx, leads, since)

    async def on_escalations(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Move the leads whose ladder asks for it, unless they have moved on meanwhile."""
        asked = [r.event for r in batch if isinstance(r.event, MoveRequested)]
        if not asked:
            return
        agreement, now = self._agreement(), await self._database.now(tx)
        turns = await store.pools_to_turn(tx, list(agreement.pools))
        leads = await store.leads_to_change(tx, list({event.lead_id for event in asked}))
        verdicts = []
        for event in asked:
            lead = leads.get(event.lead_id)
            verdict = move(agreement, event, lead, turns, now) if lead is not None else None
            if verdict is not None:
                leads[event.lead_id] = verdict.lead
                verdicts.append(verdict)
        await store.save_turns(tx, turns)
        await self._conclude(tx, agreement, verdicts)

    async def on_activities(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Sales accepts a lead, or it ends. What concerns a lead that is not there yet waits for it."""
        facts = [r.event for r in batch if isinstance(r.event, ActivityRecorded) and r.event.kind in STAGES]
        if not facts:
            return
        leads = await store.leads_to_change(tx, list({fact.lead_id for fact in facts}))
        await store.save_early_facts(tx, [fact for fact in facts if fact.lead_id not in leads])
        await self._follow(tx, leads, facts)

    async def _follow(self, tx: Tx, leads: dict[str, Lead], facts: Sequence[ActivityRecorded]) -> None:
        now = await self._database.now(tx)
        changed: dict[str, Lead] = {}
        for fact in facts:
            lead = changed.get(fact.lead_id) or leads.get(fact.lead_id)
            after = followed_by(lead, fact, now) if lead is not None else None
            if after is not None:
                changed[fact.lead_id] = after
        await store.save_leads(tx, list(changed.values()))
        closed = [lead.lead_id for lead in changed.values() if lead.state == "closed"]
        if closed:
            await store.end_assignments(tx, closed)

    async def _conclude(self, tx: Tx, agreement: Agreement, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        now = verdicts[0].lead.updated_at
        await agreements.keep(tx, agreement, now)
        await store.save_verdicts(tx, verdicts)
        await outbox.announce(tx, store.tables, [_announcement(verdict) for verdict in verdicts])


def _announcement(verdict: Verdict) -> Envelope:
    lead = verdict.lead
    return Envelope(event_id("lead", lead.lead_id, lead.version), SOURCE, lead.updated_at, verdict.event)
