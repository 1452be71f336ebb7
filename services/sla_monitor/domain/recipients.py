"""Who the roles of a step are at an instant: the lead's rep and their manager, and for others who is on duty."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.agreement import Agreement
from shared.domain.duty import on_duty
from shared.domain.events import Recipient

NOBODY = "nobody on duty"


def recipients(agreement: Agreement, owner: str, roles: Sequence[str], at: datetime) -> tuple[Recipient, ...]:
    """The roles that a step reaches, in its order, each with its person. The agreement is the one under which the
    promise runs.

    A role that the duty rota has is left out while nobody is on duty. One that it does not have is reached without a
    person, as is the manager of someone who has none.
    """
    found = []
    for role in roles:
        person = _person(agreement, owner, role, at)
        if person is not None or role not in agreement.duty:
            found.append(Recipient(role, person))
    return tuple(found)


def _person(agreement: Agreement, owner: str, role: str, at: datetime) -> str | None:
    if role == "rep":
        return owner
    if role == "manager":
        person = agreement.people.get(owner)
        return person.reports_to if person is not None else None
    return on_duty(agreement.duty, role, at).person
