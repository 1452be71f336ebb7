"""What a decision looks up. A running router answers from its database, a replay from what it remembers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.router.domain.accounts import AccountKeys, Owned
from services.router.domain.lead import InquiryCopy, Lead
from shared.domain.agreement import Agreement
from shared.domain.events import ActivityRecorded, InquiryReceived
from shared.domain.lead import Contact


class Lookup(Protocol):
    """Leads and inquiries as they stood when the transaction began; what it decided is in the `RoutingState`."""

    def leads(self, lead_ids: Collection[str]) -> Iterable[Lead]:
        """The leads with these ids, and the leads that they were merged into."""

    def leads_of_persons(self, contacts: Sequence[Contact]) -> Iterable[Lead]:
        """Leads of people with one of these addresses or numbers: first those with it in their contact, then those
        with it in `other_keys`; each by id.
        """

    def owners(self, companies: Collection[AccountKeys], team: Collection[str]) -> Iterable[Owned]:
        """Who owns these companies, or companies with a name like theirs: for each domain and each name the first of
        the `team`, or the first when none of the team does.
        """

    def parked_of(self, companies: Collection[AccountKeys]) -> Sequence[str]:
        """The ids of leads that wait, of companies with one of these domains or a name like one of these, by id."""

    def agreement(self, digest: str) -> Agreement:
        """The agreement with this hash, under which a lead was assigned."""

    def inquiry(self, lead: Lead) -> InquiryReceived:
        """The inquiry on which the lead was judged last."""

    def joined(self, lead: Lead, inquiry_ids: Collection[str]) -> Iterable[InquiryReceived]:
        """Those of these inquiries that joined the lead; one whose verdict was trimmed is missing."""

    def inquiries(self, leads: Collection[Lead]) -> Mapping[str, Sequence[InquiryReceived]]:
        """The inquiries of these leads in this cycle, by lead id, the one on which it was judged last first. Others
        that were trimmed are missing, and so is a lead whose own was.
        """

    def all_inquiries(self, lead_ids: Collection[str]) -> Sequence[InquiryReceived]:
        """The newest inquiries that were judged for these leads, or that joined them or leads that became part of them,
        oldest first; some may have been trimmed.
        """

    def accepted_at(self, copies: Sequence[InquiryCopy]) -> Mapping[str, datetime]:
        """When these inquiries were accepted, by inquiry id, as they were judged. One that was not judged, or whose
        verdict was trimmed, is missing.
        """

    def parked(self, pool: str, after: Lead | None, limit: int) -> Sequence[Lead]:
        """Up to `limit` leads that wait for the pool, the longest waiting first, by id among equals; `after` is the
        last lead of the page before. Contact, company and signals may be missing: read the lead before it is decided.
        """

    def assigned_to(self, reps: Collection[str], limit: int) -> Sequence[Lead]:
        """Up to `limit` leads that these reps have, the oldest change first, by id among equals."""

    def held_by(self, rep: str) -> Sequence[Lead]:
        """All leads that the rep has, the oldest change first, by id among equals."""

    def early_withdrawals(self, inquiries: Collection[InquiryReceived]) -> Mapping[str, datetime]:
        """When the people last withdrew consent before these inquiries, by inquiry id, as far as that was reported
        before their lead. The facts stay where they are.
        """

    def take_early_facts(self, starts: Mapping[str, datetime]) -> Sequence[ActivityRecorded]:
        """Facts that arrived before their lead, in the order of their acceptance; each is returned once. `starts` says
        from when facts count, by lead id: earlier ones stay, since an earlier inquiry may still be on its way.
        """
