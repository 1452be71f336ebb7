"""Who owns a company: the rep who has, or won, its first lead. Companies are the same by domain, else by name."""

from collections.abc import Iterable

import msgspec

from services.router.domain.lead import Lead
from services.router.domain.routing_state import Owner
from services.router.domain.same_company import account_key, company_name_key, name_block, same_name
from shared.domain.lead import Company, Contact


class AccountKeys(msgspec.Struct, frozen=True):
    """Identifies a company: its registrable domain, its normalized name, and the part of the name that finds similar
    names.
    """

    domain: str | None
    name: str | None
    block: str | None


class Owned(msgspec.Struct, frozen=True):
    """One lead that makes its rep the owner of a company."""

    keys: AccountKeys
    rep: str
    pool: str
    lead_id: str


def keys_of(company: Company, contact: Contact) -> AccountKeys:
    """The keys of the company that a person writes for."""
    name = company_name_key(company.name) if company.name else ""
    return AccountKeys(account_key(company, contact), name or None, name_block(name) if name else None)


def owns(lead: Lead) -> bool:
    """Whether this lead makes its rep the owner of its company: while they have it, and once it is won."""
    return lead.state == "assigned" or (lead.state == "closed" and lead.outcome == "won" and lead.rep is not None)


class Accounts:
    """The owners of the companies in question. The first owner of a company stays its owner."""

    def __init__(self, owned: Iterable[Owned] = ()) -> None:
        self._by_domain: dict[str, Owner] = {}
        self._by_name: dict[str, dict[str, Owner]] = {}
        for each in owned:
            self.add(each)

    def add(self, owned: Owned) -> None:
        """A lead that makes its rep the owner of a company, unless it has one."""
        keys = owned.keys
        if keys.domain is not None:
            how = f"owns the company ({keys.domain})"
            self._by_domain.setdefault(keys.domain, Owner(owned.rep, owned.pool, owned.lead_id, how))
        if keys.name is not None and keys.block is not None:
            names = self._by_name.setdefault(keys.block, {})
            names.setdefault(keys.name, Owner(owned.rep, owned.pool, owned.lead_id, f"owns the company ({keys.name})"))

    def owner_of(self, keys: AccountKeys) -> Owner | None:
        """The owner of the company: by domain, else by the same or a similar name; the owner's `how` says which, and
        how similar.
        """
        found = self._by_domain.get(keys.domain or "")
        if found is not None or keys.name is None:
            return found
        names = self._by_name.get(keys.block or "", {})
        match = same_name(keys.name, names)
        if match is None:
            return None
        owner = names[match.name]
        likeness = "same name" if match.name == keys.name else f"similar name, {match.similarity:.0f} of 100"
        return msgspec.structs.replace(owner, how=f"owns the company ({match.name}: {likeness})")
