"""Who owns a company: the rep who has, or won, its first lead; when they leave the team, the next. Companies are the
same by domain, else by name.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

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
    assigned_at: datetime | None = None


def keys_of(company: Company, contact: Contact) -> AccountKeys:
    """The keys of the company that a person writes for."""
    name = company_name_key(company.name) if company.name else ""
    return AccountKeys(account_key(company, contact), name or None, name_block(name) if name else None)


def owns(lead: Lead) -> bool:
    """Whether this lead makes its rep the owner of its company: while they have it, and once it is won."""
    return lead.state == "assigned" or (lead.state == "closed" and lead.outcome == "won" and lead.rep is not None)


def owned_by(lead: Lead) -> Owned:
    """What a lead makes its rep the owner of."""
    return Owned(keys_of(lead.company, lead.contact), str(lead.rep), lead.pool or "", lead.lead_id, lead.assigned_at)


class Accounts:
    """The owners of the companies in question, those with the oldest lead first."""

    def __init__(self, owned: Iterable[Owned] = ()) -> None:
        self._by_domain: dict[str, list[Owned]] = {}
        self._by_name: dict[str, dict[str, list[Owned]]] = {}
        for each in owned:
            self.add(each)

    def add(self, owned: Owned) -> None:
        """A lead that makes its rep an owner of a company."""
        keys = owned.keys
        if keys.domain is not None:
            insort(self._by_domain.setdefault(keys.domain, []), owned, key=_age)
        if keys.name is not None and keys.block is not None:
            names = self._by_name.setdefault(keys.block, {})
            insort(names.setdefault(keys.name, []), owned, key=_age)

    def owner_of(self, keys: AccountKeys, counts: Callable[[Owned], bool] = lambda _: True) -> Owner | None:
        """The first owner of the company who `counts`: by domain, else by the same or the most similar name; the
        owner's `how` says which, and how similar.
        """
        found = next(filter(counts, self._by_domain.get(keys.domain or "", ())), None)
        if found is not None:
            return _owner(found, f"owns the company ({keys.domain})")
        if keys.name is None:
            return None
        names: Mapping[str, Sequence[Owned]] = self._by_name.get(keys.block or "", {})
        while (match := same_name(keys.name, names)) is not None:
            found = next(filter(counts, names[match.name]), None)
            if found is not None:
                likeness = "same name" if match.name == keys.name else f"similar name, {match.similarity:.0f} of 100"
                return _owner(found, f"owns the company ({match.name}: {likeness})")
            names = {name: owners for name, owners in names.items() if name != match.name}
        return None


def _age(owned: Owned) -> tuple[bool, datetime | None, str]:
    return owned.assigned_at is not None, owned.assigned_at, owned.lead_id


def _owner(owned: Owned, how: str) -> Owner:
    return Owner(owned.rep, owned.pool, owned.lead_id, how)
