"""Whether two leads are of the same person: they share an e-mail address or a phone number, now or earlier.

A shared number alone is weaker than an address: at a switchboard, or in a family, it has several people. Ingest has
normalized both (`services/ingest/domain/contact_keys.py`) and made the id of a lead of one of them. Which of a person's
leads goes on is decided in `decision`.
"""

from collections.abc import Sequence
from unicodedata import combining, normalize

from services.router.domain.lead import Lead
from shared.domain.lead import Contact

MAX_SHARING = 10
"""When so many leads of different people share a number, it no longer finds the leads that come after."""


def contact_keys(contact: Contact) -> tuple[str, ...]:
    """The keys of a person: address and number, as unambiguous text."""
    if contact.phone:
        return (f"e:{contact.email}", f"p:{contact.phone_key}") if contact.email else (f"p:{contact.phone_key}",)
    return (f"e:{contact.email}",) if contact.email else ()


def person_keys(lead: Lead) -> tuple[str, ...]:
    """All addresses and numbers that the lead's person is found by; none for a lead of tests."""
    if lead.test:
        return ()
    keys = contact_keys(lead.contact)
    return (*(key for key in keys if key[0] == "e"), *lead.other_keys) if lead.number_shared else keys + lead.other_keys


def apart(contact: Contact, own: Lead | None, found: Sequence[Lead]) -> tuple[list[Lead], list[Lead]]:
    """Of the leads that share a key with a person, those that are theirs, and those that may be.

    `own` is the lead with the person's own id. A lead with the same address is theirs. A lead with only the same number
    is another person's if both the address and the name differ. If several people have the number, theirs is the lead
    with the same name.
    """
    given = {f"e:{contact.email}"} if contact.email else set()
    sure = [lead for lead in found if not given.isdisjoint(_addresses(lead))]
    theirs = sure if own is None else [own, *sure]
    addresses = given.union(*map(_addresses, theirs))
    names = [name for each in (contact, *(lead.contact for lead in theirs)) if (name := _name(each))]
    by_number = [lead for lead in found if lead not in sure]
    same = [lead for lead in by_number if not (addresses and _addresses(lead) and _differ(names, lead))]
    if len(same) > 1:
        same = [lead for lead in same if names and _name(lead.contact) and not _differ(names, lead)]
    return sure + same, [lead for lead in by_number if lead not in same]


def one_person(contact: Contact, own: Lead | None, found: Sequence[Lead]) -> tuple[list[Lead], list[Lead]]:
    """Of the leads that seem to be of one person, those that are, and those that someone split from one of them. Of two
    such leads, the person's own counts, else the one with which they share more; if that is equal, neither.
    """
    keys = set(contact_keys(contact))
    theirs: list[Lead] = []
    strangers: list[Lead] = []
    for lead in found:
        shared = len(keys.intersection(person_keys(lead)))
        rivals = [each for each in found if _split(each, lead)]
        loses = any(len(keys.intersection(person_keys(each))) >= shared for each in rivals)
        (strangers if loses or (own is not None and _split(own, lead)) else theirs).append(lead)
    return theirs, strangers


def _split(one: Lead, other: Lead) -> bool:
    return any((theirs, ours) in other.apart for ours, theirs in one.apart)


def _addresses(lead: Lead) -> set[str]:
    return {key for key in person_keys(lead) if key[0] == "e"}


def _differ(names: Sequence[frozenset[str]], lead: Lead) -> bool:
    """Whether both have a name, and it is not the same, not even in part."""
    other = _name(lead.contact)
    return bool(names and other) and not any(name <= other or other <= name for name in names)


def _name(contact: Contact) -> frozenset[str]:
    """The words of the name, without case and accents; in which order depends on the form."""
    text = normalize("NFKD", f"{contact.first_name or ''} {contact.last_name or ''}".casefold())
    return frozenset("".join(each for each in text if not combining(each)).split())
