"""The facts of an inquiry under the dotted names that rules use."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.domain.conditions.mail_domains import EMAIL_KINDS, email_kind
from shared.domain.events import InquiryReceived

__all__ = ["BUILT_IN", "EMAIL_KINDS", "RESERVED", "Facts", "facts_of"]

Facts = Mapping[str, object]
"""Facts by name. Names that begin with `@` are reserved for what the router knows: `@at` (the instant of the decision),
`@signals` (a tuple of `shared.domain.lead.Signal`), `@account` and `@lead` (`owned`, or not there), and `@errors` (a
list, to which a condition that fails adds a sentence)."""

RESERVED = "@"

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "inquiry.kind": "text",
        "inquiry.source": "text",
        "inquiry.channel": "text",
        "inquiry.campaign": "text",
        "inquiry.message": "text",
        "inquiry.page_url": "text",
        "contact.email": "text",
        "contact.email_kind": "text",
        "contact.phone": "text",
        "contact.first_name": "text",
        "contact.last_name": "text",
        "contact.job_title": "text",
        "contact.seniority": "text",
        "contact.country": "text",
        "contact.language": "text",
        "company.name": "text",
        "company.domain": "text",
        "company.employees": "integer",
        "company.industry": "text",
        "company.country": "text",
    }
)
"""The facts that every inquiry may carry, with their kinds, in the order in which `facts_of` reads them.
`contact.email_kind` is one of `EMAIL_KINDS`, worked out from the address."""


def facts_of(inquiry: InquiryReceived) -> dict[str, object]:
    """The facts of an inquiry under their dotted names. Custom facts have their own names and cannot replace
    built-in or reserved ones; missing facts and empty text are left out."""
    contact, company = inquiry.contact, inquiry.company
    email = contact.email
    values = (  # in the order of BUILT_IN
        inquiry.kind,
        inquiry.source,
        inquiry.channel,
        inquiry.campaign,
        inquiry.message,
        inquiry.page_url,
        email,
        email_kind(email) if email else None,
        contact.phone,
        contact.first_name,
        contact.last_name,
        contact.job_title,
        contact.seniority,
        contact.country,
        contact.language,
        company.name,
        company.domain,
        company.employees,
        company.industry,
        company.country,
    )
    facts: dict[str, object] = {
        name: value for name, value in zip(BUILT_IN, values, strict=True) if value is not None and value != ""
    }
    for name, value in inquiry.custom.items():
        if value is not None and value != "" and name not in BUILT_IN and name[:1] != RESERVED:
            facts[name] = value
    return facts
