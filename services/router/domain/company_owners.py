"""Who owns the companies of the people in one transaction: what was there before it, and what it decides."""

from collections.abc import Collection

from services.router.domain.accounts import AccountKeys, Accounts, Owned, keys_of, owned_by, owns
from services.router.domain.lead import Lead
from services.router.domain.lookup import Lookup
from services.router.domain.routing_state import Owner, RoutingState
from shared.domain.agreement import Agreement


class CompanyOwners:
    """Mutable, for one transaction. Nobody owns a company if no rule of the agreement asks for its owner."""

    def __init__(self, state: RoutingState, lookup: Lookup, agreement: Agreement) -> None:
        self._state = state
        self._lookup = lookup
        self._agreement = agreement
        self._accounts = Accounts()
        self._loaded: set[AccountKeys] = set()
        self._new: list[AccountKeys] = []

    def load(self, companies: Collection[AccountKeys]) -> None:
        """Read the owners of several companies at once."""
        unknown = set(companies) - self._loaded if self._agreement.needs_accounts else ()
        if unknown:
            self._loaded |= unknown
            for owned in self._lookup.owners(unknown, self._agreement.team):
                self._accounts.add(owned)

    def of(self, company: AccountKeys) -> Owner | None:
        """The first owner who is in the team; if there is none, the first who was."""
        if not self._agreement.needs_accounts:
            return None
        self.load([company])
        team = self._agreement.team
        return self._accounts.owner_of(
            company, lambda owned: owned.rep in team and self._still_owns(owned)
        ) or self._accounts.owner_of(company, self._still_owns)

    def of_lead(self, lead: Lead) -> Owner | None:
        """The owner of the company for which the person of the lead writes."""
        return self.of(keys_of(lead.company, lead.contact)) if self._agreement.needs_accounts else None

    def add(self, lead: Lead) -> None:
        """A lead that was decided: it may make its rep the owner of its company."""
        if self._agreement.needs_accounts and owns(lead):
            owned = owned_by(lead)
            self._accounts.add(owned)
            self._new.append(owned.keys)

    def take_new(self) -> list[AccountKeys]:
        """The companies that a decided lead gave an owner since the last call."""
        new, self._new = self._new, []
        return new

    def _still_owns(self, owned: Owned) -> bool:
        """Whether what was read still holds after what was decided since."""
        lead = self._state.leads.get(owned.lead_id)
        return lead is None or (owns(lead) and lead.rep == owned.rep)
