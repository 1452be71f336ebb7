"""One transaction at the router's desk: what lay there before, what was decided, and everything kept at its end."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.router.domain.accounts import Accounts, Owned, keys_of, owns
from services.router.domain.desk import Desk
from services.router.domain.handover import Verdict
from services.router.store import desk as desk_store
from services.router.store import leads as lead_store
from services.router.store import record
from services.router.store.tables import tables
from shared import metrics
from shared.bus.envelope import Envelope, event_id
from shared.clock import new_id
from shared.db import outbox
from shared.db.engine import Database, Tx
from shared.domain.agreement import Agreement
from shared.domain.events import Event

SOURCE = "baton/router"

AgreementAt = Callable[[datetime], Agreement]
"""The agreement in force at an instant."""


class Sitting:
    """The desk while a transaction has it. `now` is the database's clock, `agreement` the one in force then."""

    def __init__(self, desk: Desk, now: datetime, agreement: Agreement) -> None:
        self.desk = desk
        self.now = now
        self.agreement = agreement
        self.accounts = Accounts()
        self._verdicts: list[Verdict] = []
        self._entries: list[record.Entry] = []

    @property
    def decided(self) -> int:
        """How many verdicts were made so far."""
        return len(self._verdicts)

    def add(self, verdict: Verdict) -> None:
        """A verdict that was made; the next one sees what came of it."""
        self._verdicts.append(replace(verdict, proof=replace(verdict.proof, seq=self.desk.next_seq())))
        lead = verdict.lead
        if owns(lead):
            owned = Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id)
            self.accounts.note(owned)

    def note(self, kind: str, body: object) -> None:
        """Something for the record that is no verdict."""
        entry = record.Entry(self.desk.next_seq(), self.now, kind, msgspec.json.encode(body))
        self._entries.append(entry)

    async def save(self, tx: Tx) -> None:
        """Keep the leads, the verdicts and the record, and announce what was decided."""
        await lead_store.save(tx, self.desk)
        await record.save_entries(tx, self._entries)
        if not self._verdicts:
            return
        await record.save_verdicts(tx, self._verdicts)
        said = [event for verdict in self._verdicts for event in (verdict.event, *verdict.also)]
        await outbox.announce(tx, tables, [self._envelope(event) for event in said])
        for verdict in self._verdicts:
            metrics.verdicts.labels(verdict.proof.verdict).inc()
            metrics.conditions_failed.inc(len(verdict.errors))

    def _envelope(self, event: Event) -> Envelope:
        return Envelope(event_id("lead", event.lead_id, event.lead_version), SOURCE, self.now, event)  # type: ignore[attr-defined]


class Sittings:
    """Gives the desk to one transaction at a time, in this process and in all others.

    The desk stays in memory from one sitting to the next, and is read anew when another process had it in between, or
    when the last sitting did not come to its end.
    """

    def __init__(self, database: Database, agreement_at: AgreementAt) -> None:
        self.database = database
        self.agreement_at = agreement_at
        self._desk: Desk | None = None
        self._token = ""
        self._name = new_id()
        self._number = 0

    @property
    def desk(self) -> Desk | None:
        """The desk as this process left it, to look at; None before the first sitting."""
        return self._desk

    @asynccontextmanager
    async def open(self, tx: Tx) -> AsyncIterator[Sitting]:
        """Sit down, and keep everything when the block ends well. The transaction still has to commit."""
        token, seq = await desk_store.lock(tx)
        known, self._desk = self._desk if token == self._token else None, None
        desk = known or await desk_store.load(tx, seq)
        desk.begin()
        desk.seq = seq
        now = await self.database.now(tx)
        sitting = Sitting(desk, now, self.agreement_at(now))
        yield sitting
        await sitting.save(tx)
        self._number += 1
        self._token = f"{self._name}/{self._number}"
        await desk_store.leave(tx, desk, self._token)
        self._desk = desk
