"""Who the roles of a step are at an instant: the lead's rep and their manager, and for others who is on duty."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from shared.domain.agreement import Agreement
from shared.domain.duty import Shift, on_duty
from shared.domain.events import Recipient

NOBODY = "nobody on duty"
NO_OVERRIDES: Mapping[str, Sequence[Shift]] = MappingProxyType({})


def recipients(
    agreement: Agreement,
    owner: str,
    roles: Sequence[str],
    at: datetime,
    overrides: Mapping[str, Sequence[Shift]] = NO_OVERRIDES,
) -> tuple[Recipient, ...]:
    """The roles that a step reaches, in its order, each with its person. The agreement is the one under which the
    promise runs; `overrides` of its duty rota, by role, win over it.

    A role that the duty rota has is left out while nobody is on duty. One that it does not have is reached without a
    person, as is the manager of someone who has none.
    """
    found = []
    for role in roles:
        person = _person(agreement, owner, role, at, overrides.get(role, ()))
        if person is not None or role not in agreement.duty:
            found.append(Recipient(role, person))
    return tuple(found)


def _person(agreement: Agreement, owner: str, role: str, at: datetime, overrides: Sequence[Shift]) -> str | None:
    if role == "rep":
        return owner
    if role == "manager":
        person = agreement.people.get(owner)
        return person.reports_to if person is not None else None
    return on_duty(agreement.duty, role, at, overrides).person
