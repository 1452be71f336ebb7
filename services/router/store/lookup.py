"""What a decision looks up, read from the database.

The methods are synchronous, since the rules that call them are. They work under `tx.run_sync` only, which waits for the
database without holding up the event loop. What was read once in a transaction is not read again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from services.router.domain.accounts import AccountKeys, Owned
from services.router.domain.lead import InquiryCopy, Lead, withdrawals_before
from services.router.domain.proof import Proof
from services.router.domain.same_person import contact_keys
from services.router.store.tables import early_facts, leads, other_keys, verdicts
from shared.agreements import store as agreements
from shared.db.bulk import any_of
from shared.db.engine import Tx
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived
from shared.domain.lead import Contact

Column: TypeAlias = "sa.Column[Any]"

MAX_WAITING = 1000
MAX_INQUIRIES = 200

_id_of = attrgetter("lead_id")
_decode = msgspec.json.Decoder(Lead).decode
_decode_fact = msgspec.json.Decoder(ActivityRecorded).decode
_decode_proof = msgspec.json.Decoder(Proof).decode


class DatabaseLookup:
    """The `Lookup` of a running router, within one transaction."""

    def __init__(self, tx: Tx) -> None:
        assert tx.sync_connection is not None, "a transaction has its connection"  # noqa: S101
        self._connection = tx.sync_connection
        self._leads: dict[str, Lead] = {}
        self._inquiries: dict[tuple[str, str], InquiryReceived] = {}
        self._early: dict[str, list[ActivityRecorded]] = {}

    def leads(self, lead_ids: Collection[str]) -> Iterable[Lead]:
        """Read those that no page had."""
        found: dict[str, Lead] = {}
        wanted = set(lead_ids)
        while wanted:
            unread = wanted - self._leads.keys()
            if unread:
                read = self._select(any_of(self._connection, leads.c.lead_id, unread))
                self._leads |= {lead.lead_id: lead for lead in read}
            found |= {lead_id: self._leads[lead_id] for lead_id in wanted if lead_id in self._leads}
            wanted = {lead.into for lead in found.values() if lead.into is not None} - found.keys()
        return found.values()

    def leads_of_persons(self, contacts: Sequence[Contact]) -> Iterable[Lead]:
        """Read leads by address and number, and by the other keys that people are known by."""
        emails = {contact.email for contact in contacts if contact.email}
        phones = {contact.phone_key for contact in contacts if contact.phone_key}
        same = [
            any_of(self._connection, column, keys)
            for column, keys in ((leads.c.email, emails), (leads.c.phone, phones))
            if keys
        ]
        if not same:
            return []
        found = self._select(sa.or_(*same), leads.c.state != "merged")
        keys = {key for contact in contacts for key in contact_keys(contact)}
        others = sa.select(other_keys.c.lead_id).where(any_of(self._connection, other_keys.c.key, keys))
        elsewhere = self.leads(set(self._connection.execute(others).scalars()) - {lead.lead_id for lead in found})
        return [*sorted(found, key=_id_of), *sorted(elsewhere, key=_id_of)]

    def owners(self, companies: Collection[AccountKeys], team: Collection[str]) -> Iterable[Owned]:
        """Read the first lead that makes someone the owner, for each domain and each name."""
        domains = {each.domain for each in companies if each.domain}
        blocks = {each.block for each in companies if each.block}
        return [
            *(self._first_owners(leads.c.domain, domains, team, each=leads.c.domain) if domains else ()),
            *(self._first_owners(leads.c.block, blocks, team, each=leads.c.company) if blocks else ()),
        ]

    def parked_of(self, companies: Collection[AccountKeys]) -> Sequence[str]:
        """Read the ids among the parked leads."""
        domains = any_of(self._connection, leads.c.domain, {each.domain for each in companies if each.domain})
        blocks = any_of(self._connection, leads.c.block, {each.block for each in companies if each.block})
        query = sa.select(leads.c.lead_id).where(sa.text("state = 'parked'"), domains | blocks)
        return self._connection.execute(query.order_by(leads.c.lead_id).limit(MAX_WAITING)).scalars().all()

    def agreement(self, digest: str) -> Agreement:
        """Read it, once per process."""
        return agreements.by_hash_on(self._connection, digest)

    def inquiry(self, lead: Lead) -> InquiryReceived:
        """Read it from the proof of the verdict, unless it came with a page."""
        key = (lead.lead_id, lead.inquiry_id)
        if key not in self._inquiries:
            self._read_inquiries([key])
        return self._inquiries[key]

    def joined(self, lead: Lead, inquiry_ids: Collection[str]) -> Iterable[InquiryReceived]:
        """Read them from the proofs of the verdicts."""
        same = any_of(self._connection, verdicts.c.inquiry_id, inquiry_ids) & verdicts.c.source.is_not(None)
        query = sa.select(verdicts.c.proof).where(verdicts.c.lead_id == lead.lead_id, same)
        found = [_decode_proof(proof).inquiry for proof in self._connection.execute(query).scalars()]
        return [inquiry for inquiry in found if inquiry is not None]

    def inquiries(self, leads: Collection[Lead]) -> Mapping[str, Sequence[InquiryReceived]]:
        """Read them from the proofs of their verdicts."""
        keys = {lead.lead_id: [(lead.lead_id, inquiry_id) for inquiry_id in lead.inquiry_ids] for lead in leads}
        self._read_inquiries([key for theirs in keys.values() for key in theirs])
        known = self._inquiries
        return {
            lead_id: [known[key] for key in theirs if key in known]
            for lead_id, theirs in keys.items()
            if theirs[0] in known
        }

    def all_inquiries(self, lead_ids: Collection[str]) -> Sequence[InquiryReceived]:
        """Read them from the proofs of the verdicts."""
        found: dict[str, InquiryReceived] = {}
        looked: set[str] = set()
        while new := set(lead_ids) - looked:
            looked |= new
            theirs = any_of(self._connection, verdicts.c.lead_id, new)
            query = sa.select(verdicts.c.proof).where(theirs).order_by(verdicts.c.seq.desc()).limit(MAX_INQUIRIES)
            proofs = [_decode_proof(body) for body in self._connection.execute(query).scalars()]
            asked = [proof.inquiry for proof in proofs if proof.inquiry is not None and proof.ask is None]
            found |= {inquiry.inquiry_id: inquiry for inquiry in asked}
            lead_ids = {lead.lead_id for proof in proofs for lead in proof.same_person}
        newest = sorted(found.values(), key=lambda each: (each.accepted_at, each.inquiry_id))[-MAX_INQUIRIES:]
        return [inquiry for inquiry in newest if not inquiry.test]

    def accepted_at(self, copies: Sequence[InquiryCopy]) -> Mapping[str, datetime]:
        """Read it from the verdicts on their leads."""
        theirs = [lead.lead_id for lead in self.leads([copy.lead_id for copy in copies])]
        same = any_of(self._connection, verdicts.c.inquiry_id, [copy.inquiry_id for copy in copies])
        judged = any_of(self._connection, verdicts.c.lead_id, theirs) & same & verdicts.c.source.is_not(None)
        rows = self._connection.execute(sa.select(verdicts.c.inquiry_id, verdicts.c.received_at).where(judged))
        return {row.inquiry_id: row.received_at for row in rows}

    def parked(self, pool: str, after: Lead | None, limit: int) -> Sequence[Lead]:
        """Read a page, with the inquiries of its leads."""
        waiting = [leads.c.state == "parked", leads.c.pool == pool]
        if after is not None:
            waiting.append(sa.tuple_(leads.c.parked_at, leads.c.lead_id) > (after.parked_at, after.lead_id))
        return self._page(waiting, by=leads.c.parked_at, limit=limit)

    def assigned_to(self, reps: Collection[str], limit: int) -> Sequence[Lead]:
        """Read a page, with the inquiries of its leads."""
        theirs = [leads.c.state == "assigned", any_of(self._connection, leads.c.rep, reps)]
        return self._page(theirs, by=leads.c.updated_at, limit=limit)

    def held_by(self, rep: str) -> Sequence[Lead]:
        """Read them without their inquiries, since few of them change."""
        found = self._select(leads.c.state == "assigned", leads.c.rep == rep)
        return sorted(found, key=lambda lead: (lead.updated_at, lead.lead_id))

    def early_withdrawals(self, inquiries: Collection[InquiryReceived]) -> Mapping[str, datetime]:
        """Read them with the other facts that wait for these leads."""
        return withdrawals_before(inquiries, self._read_early_facts({each.lead_id for each in inquiries}))

    def take_early_facts(self, starts: Mapping[str, datetime]) -> Sequence[ActivityRecorded]:
        """Read and delete them."""
        waiting = self._read_early_facts(starts.keys())
        found = [fact for fact in waiting if fact.accepted_at >= starts[fact.lead_id]]
        if found:
            mine = any_of(self._connection, early_facts.c.lead_id, starts)
            taken = any_of(self._connection, early_facts.c.activity_id, [fact.key for fact in found])
            self._connection.execute(sa.delete(early_facts).where(mine & taken))
            self._early = {}
        return sorted(found, key=lambda fact: (fact.accepted_at, fact.activity_id))

    def _read_early_facts(self, lead_ids: AbstractSet[str]) -> list[ActivityRecorded]:
        """Those that wait for these leads; what was read before is not read again."""
        unread = lead_ids - self._early.keys()
        if unread:
            self._early |= {lead_id: [] for lead_id in unread}
            query = sa.select(early_facts.c.body).where(any_of(self._connection, early_facts.c.lead_id, unread))
            for fact in map(_decode_fact, self._connection.execute(query).scalars()):
                self._early[fact.lead_id].append(fact)
        return [fact for lead_id in lead_ids for fact in self._early[lead_id]]

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Lead]:
        rows = self._connection.execute(sa.select(leads.c.body).where(*conditions))
        return [_decode(body) for body in rows.scalars()]

    def _page(self, conditions: Sequence[sa.ColumnElement[bool]], *, by: Column, limit: int) -> list[Lead]:
        query = sa.select(leads.c.body).where(*conditions).order_by(by, leads.c.lead_id).limit(limit)
        page = [_decode(body) for body in self._connection.execute(query).scalars()]
        self._leads |= {lead.lead_id: lead for lead in page}
        self._read_inquiries([(lead.lead_id, lead.inquiry_id) for lead in page])
        return page

    def _read_inquiries(self, keys: Collection[tuple[str, str]]) -> None:
        """Those with these ids of leads and of their inquiries."""
        if not keys:
            return
        mine = any_of(self._connection, verdicts.c.lead_id, {lead_id for lead_id, _ in keys})
        wanted = any_of(self._connection, verdicts.c.inquiry_id, {inquiry_id for _, inquiry_id in keys})
        query = sa.select(verdicts.c.lead_id, verdicts.c.proof).where(mine & wanted & verdicts.c.source.is_not(None))
        for row in self._connection.execute(query):
            inquiry = _decode_proof(row.proof).inquiry
            if inquiry is not None:
                self._inquiries[row.lead_id, inquiry.inquiry_id] = inquiry

    def _first_owners(
        self, column: "sa.Column[Any]", values: Collection[str], team: Collection[str], *, each: "sa.Column[Any]"
    ) -> list[Owned]:
        """The first lead for every value of `each`, among those with one of the values in the column; leads of the team
        come before all others.
        """
        left = sa.case((any_of(self._connection, leads.c.rep, team), 0), else_=1)
        place = sa.func.row_number().over(partition_by=each, order_by=(left, leads.c.assigned_at, leads.c.lead_id))
        columns = (leads.c.domain, leads.c.company, leads.c.block, leads.c.rep, leads.c.pool, leads.c.lead_id)
        owning = any_of(self._connection, column, values), leads.c.owns
        ranked = sa.select(*columns, leads.c.assigned_at, place.label("place")).where(*owning).subquery()
        query = sa.select(ranked).where(ranked.c.place == 1).order_by(ranked.c.assigned_at, ranked.c.lead_id)
        return [
            Owned(
                AccountKeys(row.domain, row.company, row.block), row.rep, row.pool or "", row.lead_id, row.assigned_at
            )
            for row in self._connection.execute(query)
        ]
