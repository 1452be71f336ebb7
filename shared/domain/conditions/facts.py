"""What rules ask about: the facts of an inquiry under dotted names, and what else is known when a lead is decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType

from shared.domain.conditions.mail_domains import EMAIL_KINDS, email_kind
from shared.domain.events import InquiryReceived
from shared.domain.lead import Signal

__all__ = ["BUILT_IN", "EMAIL_KINDS", "RESERVED", "DecisionFacts", "facts_of"]

RESERVED = "@"
"""No custom fact has a name that begins like this."""


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """What conditions see of one inquiry: its facts by name, the instant of the decision, what the person did before,
    and whether someone owns the company or had the lead. A condition that fails adds a sentence to `errors`, once.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None
    signals: tuple[Signal, ...] = ()
    account_owned: bool = False
    lead_owned: bool = False
    errors: list[str] = field(default_factory=list)


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
"""The facts that every inquiry may carry, with their kinds. `contact.email_kind` is one of `EMAIL_KINDS`, worked out
from the address."""

_READ = tuple([name for name in BUILT_IN if name != "contact.email_kind"])
_values = attrgetter(*(name.removeprefix("inquiry.") for name in _READ))


def facts_of(inquiry: InquiryReceived) -> dict[str, object]:
    """The facts of an inquiry under their dotted names. Custom facts have their own names and cannot replace
    built-in or reserved ones; missing facts and empty text are left out."""
    facts: dict[str, object] = {
        name: value for name, value in zip(_READ, _values(inquiry), strict=True) if value is not None and value != ""
    }
    if inquiry.contact.email:
        facts["contact.email_kind"] = email_kind(inquiry.contact.email)
    for name, value in inquiry.custom.items():
        if value is not None and value != "" and name not in BUILT_IN and name[:1] != RESERVED:
            facts[name] = value
    return facts
