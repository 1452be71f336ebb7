"""One transaction of the router: the state before it, what was decided, and everything that is saved at its end."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.router.domain.accounts import Accounts, Owned, keys_of, needs_accounts, owns
from services.router.domain.lead import Lead
from services.router.domain.reassignment import Verdict
from services.router.domain.routing_state import RoutingState
from services.router.domain.shadow import Shadow, shadows
from services.router.store import leads as lead_store
from services.router.store import pilots, record
from services.router.store import routing_state as routing_store
from services.router.store.tables import tables
from shared import metrics
from shared.bus.envelope import Envelope, event_id
from shared.clock import new_id
from shared.db import outbox
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.events import Event, InquiryReceived

SOURCE = "baton/router"

AgreementAt = Callable[[datetime], Agreement]
"""The agreement in force at an instant."""


class RoutingTransaction:
    """The routing state while one transaction holds it. `now` is the database's clock, `agreement` the one in force
    then.
    """

    def __init__(self, routing: RoutingState, now: datetime, agreement: Agreement) -> None:
        self.routing = routing
        self.now = now
        self.agreement = agreement
        self.accounts = Accounts()
        self.needs_accounts = needs_accounts(agreement)
        self._verdicts: list[Verdict] = []
        self._inquiries: dict[str, InquiryReceived] = {}
        self._entries: list[record.JournalEntry] = []
        self._shadows: list[Shadow] = []

    @property
    def decided(self) -> int:
        """How many verdicts were made so far."""
        return len(self._verdicts)

    def add(self, verdict: Verdict) -> None:
        """A verdict that was made; the next one sees what came of it."""
        self._verdicts.append(replace(verdict, proof=replace(verdict.proof, seq=self.routing.next_seq())))
        lead, proof = verdict.lead, verdict.proof
        if proof.ask is None and proof.inquiry is not None and proof.verdict != "merged":
            self._inquiries[lead.lead_id] = proof.inquiry
        if self.agreement.pilots:
            self._shadows += shadows(self.agreement, verdict, self.routing)
        if self.needs_accounts and owns(lead):
            owned = Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id)
            self.accounts.add(owned)

    async def inquiries_of(self, tx: Tx, leads: Sequence[Lead]) -> Mapping[str, InquiryReceived]:
        """The inquiries on which these leads were judged, by the lead's id."""
        elsewhere = {lead.lead_id: lead.inquiry_id for lead in leads if lead.lead_id not in self._inquiries}
        kept = await record.first_inquiries(tx, elsewhere) if elsewhere else {}
        return {**{lead_id: kept[lead_id, number] for lead_id, number in elsewhere.items()}, **self._inquiries}

    def add_entry(self, kind: str, body: object) -> None:
        """Something for the record that is no verdict."""
        entry = record.JournalEntry(self.routing.next_seq(), self.now, kind, msgspec.json.encode(body))
        self._entries.append(entry)

    async def save(self, tx: Tx) -> None:
        """Save the leads, the verdicts and the record, and announce what was decided."""
        await lead_store.save(tx, self.routing)
        await record.save_entries(tx, self._entries)
        if not self._verdicts:
            return
        await record.save_verdicts(tx, self._verdicts)
        await pilots.save(tx, self._shadows)
        said = [event for verdict in self._verdicts for event in (verdict.event, *verdict.further_events)]
        await outbox.announce(tx, tables, [self._envelope(event) for event in said])
        for kind, number in Counter(verdict.proof.verdict for verdict in self._verdicts).items():
            metrics.verdicts.labels(kind).inc(number)
        metrics.conditions_failed.inc(sum(len(verdict.errors) for verdict in self._verdicts))

    def _envelope(self, event: Event) -> Envelope:
        return Envelope(event_id("lead", event.lead_id, event.lead_version), SOURCE, self.now, event)  # type: ignore[attr-defined]


class RoutingTransactions:
    """Gives the routing state to one transaction at a time, in this process and in all others.

    The state stays in memory from one transaction to the next. It is read again when another process had the lock in
    between, or when the last transaction did not reach its end.
    """

    def __init__(self, database: Database, agreement_at: AgreementAt) -> None:
        self.database = database
        self.agreement_at = agreement_at
        self._routing: RoutingState | None = None
        self._token = ""
        self._name = new_id()
        self._number = 0

    @property
    def routing(self) -> RoutingState | None:
        """The state as this process left it, to look at; None before the first transaction."""
        return self._routing

    @asynccontextmanager
    async def open(self, tx: Tx) -> AsyncIterator[RoutingTransaction]:
        """Take the lock; save everything when the block ends well. The database transaction still has to commit."""
        token, seq = await routing_store.lock(tx)
        known, self._routing = self._routing if token == self._token else None, None
        routing = known or await routing_store.load(tx, seq)
        routing.begin()
        routing.seq = seq
        now = await self.database.now(tx)
        transaction = RoutingTransaction(routing, now, self.agreement_at(now))
        yield transaction
        await transaction.save(tx)
        self._number += 1
        self._token = f"{self._name}/{self._number}"
        await routing_store.save(tx, routing, self._token)
        self._routing = routing
