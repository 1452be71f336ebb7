"""The leads that one transaction decides on: read once, then as the transaction leaves them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from services.router.domain.accounts import keys_of
from services.router.domain.company_owners import CompanyOwners
from services.router.domain.lead import Lead
from services.router.domain.lookup import Lookup
from services.router.domain.routing_state import RoutingState
from shared.domain.errors import NotFound
from shared.domain.events import InquiryReceived


class LeadLoader:
    """Reads leads into the state, where what was decided on them since is never overwritten."""

    def __init__(self, state: RoutingState, lookup: Lookup, owners: CompanyOwners) -> None:
        self._state = state
        self._lookup = lookup
        self._owners = owners

    def load(self, lead_ids: Collection[str]) -> None:
        """Read those that are not known yet."""
        missing = [lead_id for lead_id in lead_ids if self._state.lead(lead_id) is None]
        if missing:
            self.add(sorted(self._lookup.leads(missing), key=lambda lead: lead.lead_id))

    def load_persons(self, inquiries: Sequence[InquiryReceived]) -> None:
        """Load all leads of the people who ask, and who owns their companies, if the agreement wants to know."""
        self.load({inquiry.lead_id for inquiry in inquiries})
        self.add(self._lookup.leads_of_persons([inquiry.contact for inquiry in inquiries]))
        self._owners.load([keys_of(inquiry.company, inquiry.contact) for inquiry in inquiries])

    def add(self, leads: Iterable[Lead]) -> None:
        """Take leads that were just read."""
        self._state.load(lead for lead in leads if lead.lead_id not in self._state.leads)

    def known(self, lead_id: str) -> Lead:
        """The lead, or the one that it became part of. Raises `NotFound`."""
        lead = self._state.lead(lead_id)
        if lead is None:
            raise NotFound(f"There is no lead {lead_id!r}. Ids are returned by POST /v1/leads.")
        return lead

    def early_withdrawals(self, inquiries: Sequence[InquiryReceived]) -> Mapping[str, datetime]:
        """When people without a lead withdrew consent before they asked, by inquiry id."""
        leads = {each.lead_id: self._state.lead(each.lead_id) for each in inquiries}
        new = {lead_id for lead_id, lead in leads.items() if lead is None or lead.test}
        return self._lookup.early_withdrawals([each for each in inquiries if each.lead_id in new]) if new else {}
