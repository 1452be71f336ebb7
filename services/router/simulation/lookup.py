"""The `Lookup` of a replay: leads from the replay's storage instead of the database."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from services.router.domain.accounts import AccountKeys, Owned, owns
from services.router.domain.lead import InquiryCopy, Lead, withdrawals_before
from services.router.domain.routing import Routing
from services.router.domain.same_person import contact_keys
from services.router.domain.verdict import Verdict
from services.router.simulation.replay_state import ReplayState
from services.router.simulation.storage import DiskDict, OwnerIndex, ParkedIndex
from services.router.simulation.summary import reason_text
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived
from shared.domain.lead import Contact


class ReplayLookup:
    """The `Lookup` of one replay. `owner_index` is None if no agreement uses owners. `candidates` are the ids of
    leads that may belong to the people of the current inquiries, `split_up` the inquiries of a lead that is split.
    """

    def __init__(
        self, state: ReplayState, owner_index: OwnerIndex | None, inquiries: DiskDict[InquiryReceived]
    ) -> None:
        self.candidates: Sequence[str] = ()
        self.split_up: Sequence[InquiryReceived] = ()
        self._state = state
        self._owner_index = owner_index
        self._parked_index = ParkedIndex()
        self._inquiries = inquiries

    def leads(self, lead_ids: Collection[str]) -> Iterator[Lead]:
        """The leads in the replay."""
        for lead_id in lead_ids:
            yield from self._state.chain(lead_id)

    def leads_of_persons(self, contacts: Sequence[Contact]) -> Iterable[Lead]:
        """The candidates, and what they became part of."""
        if not self.candidates:
            return ()
        keys = {key for contact in contacts for key in contact_keys(contact)}
        found = {lead.lead_id: lead for lead in self.leads(self.candidates)}
        return sorted(found.values(), key=lambda lead: (keys.isdisjoint(contact_keys(lead.contact)), lead.lead_id))

    def owners(self, companies: Collection[AccountKeys], team: Collection[str]) -> Iterable[Owned]:
        """As the index has them."""
        return self._owner_index.owners_of(companies, team) if self._owner_index is not None else ()

    def parked_of(self, companies: Collection[AccountKeys]) -> Sequence[str]:
        """As the index has them."""
        return self._parked_index.of_companies(companies)

    def agreement(self, digest: str) -> Agreement:
        """As the replay has it."""
        return self._state.agreements[digest]

    def inquiry(self, lead: Lead) -> InquiryReceived:
        """From the record."""
        inquiry = self._inquiries.get(lead.inquiry_id)
        assert inquiry is not None, "every inquiry of the record is stored"  # noqa: S101
        return inquiry

    def joined(self, lead: Lead, inquiry_ids: Collection[str]) -> Iterable[InquiryReceived]:
        """From the record."""
        found = (self._inquiries.get(inquiry_id) for inquiry_id in inquiry_ids)
        return [inquiry for inquiry in found if inquiry is not None]

    def inquiries(self, leads: Collection[Lead]) -> Mapping[str, Sequence[InquiryReceived]]:
        """From the record."""
        return {lead.lead_id: list(self.joined(lead, lead.inquiry_ids)) for lead in leads}

    def all_inquiries(self, lead_ids: Collection[str]) -> Sequence[InquiryReceived]:
        """Those of the split that is replayed."""
        return self.split_up

    def accepted_at(self, copies: Sequence[InquiryCopy]) -> Mapping[str, datetime]:
        """From the record."""
        found = {copy.inquiry_id: self._inquiries.get(copy.inquiry_id) for copy in copies}
        return {inquiry_id: each.accepted_at for inquiry_id, each in found.items() if each is not None}

    def parked(self, pool: str, after: Lead | None, limit: int) -> Sequence[Lead]:
        """As the index has them."""
        return self._parked_index.page(pool, after, limit)

    def assigned_to(self, reps: Collection[str], limit: int) -> Sequence[Lead]:
        """As the replay's state has them."""
        theirs = [(lead.updated_at, lead.lead_id) for lead in self.leads(self._state.assigned_to(reps))]
        return list(self.leads([lead_id for _, lead_id in heapq.nsmallest(limit, theirs)]))

    def held_by(self, rep: str) -> Sequence[Lead]:
        """As the replay's state has them."""
        return sorted(self.leads(self._state.assigned_to([rep])), key=lambda lead: (lead.updated_at, lead.lead_id))

    def early_withdrawals(self, inquiries: Collection[InquiryReceived]) -> Mapping[str, datetime]:
        """From the waiting facts."""
        return withdrawals_before(inquiries, self._state.early({each.lead_id for each in inquiries}))

    def take_early_facts(self, starts: Mapping[str, datetime]) -> Sequence[ActivityRecorded]:
        """From the waiting facts."""
        return self._state.take_early(starts)

    def save(self, routing: Routing) -> list[tuple[Lead | None, Lead]]:
        """Save the result of a transaction; returns each changed lead, before and after."""
        reasons, asked = _reasons(routing.verdicts), _asked(routing.verdicts)
        saved = []
        for lead_id, lead in routing.state.changed.items():
            before = self._state.lead(lead_id)
            saved.append((before, lead))
            if self._owner_index is not None and (owns(lead) or (before is not None and owns(before))):
                self._owner_index.update(lead)
            self._parked_index.update(lead)
            self._state.change(lead, routing.now, reasons.get(lead_id, ""), asked=lead_id in asked)
        for fact in routing.early_facts:
            self._state.add_early(fact)
        return saved


def _reasons(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The reason of each lead's last verdict."""
    reasons = {}
    for verdict in verdicts:
        proof = verdict.proof
        if proof.verdict != "merged":
            reasons[verdict.lead.lead_id] = reason_text(proof)
    return reasons


def _asked(verdicts: Sequence[Verdict]) -> set[str]:
    """The ids of leads whose person asked, also under an id that became part of another."""
    asked = set()
    for verdict in verdicts:
        if verdict.proof.ask is None and verdict.proof.inquiry is not None:
            asked |= {verdict.lead.lead_id, verdict.proof.inquiry.lead_id}
    return asked
