"""Whether two leads are of the same person: they share an e-mail address or a phone number, now or earlier.

Ingest has normalized both (`services/ingest/domain/contact_keys.py`) and made the id of a lead of one of them. Which of
a person's leads goes on is decided in `decision`.
"""

from services.router.domain.lead import Lead
from shared.domain.lead import Contact


def contact_keys(contact: Contact) -> tuple[str, ...]:
    """The keys of a person: address and number, as unambiguous text."""
    if contact.phone:
        return (f"e:{contact.email}", f"p:{contact.phone_key}") if contact.email else (f"p:{contact.phone_key}",)
    return (f"e:{contact.email}",) if contact.email else ()


def person_keys(lead: Lead) -> tuple[str, ...]:
    """All addresses and numbers that the lead's person is known by; none for a lead of tests."""
    return () if lead.test else contact_keys(lead.contact) + lead.other_keys
