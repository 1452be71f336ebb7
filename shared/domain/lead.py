"""The contact, company and other facts of an inquiry, in the format of the events.

Decoding ignores unknown fields, because events may gain fields. Ingest uses strict subclasses that refuse them
(`services.ingest.domain.intake`).
"""

from datetime import datetime
from typing import Literal, get_args

import msgspec

LeadState = Literal["received", "assigned", "parked", "rejected", "merged", "closed"]
"""Where a lead is: `received` until the router decides, `closed` once sales ended it."""

LeadStage = Literal["", "inquiry", "mql", "sal", "sql", "opportunity", "customer"]
"""How far a lead has come; empty before its first verdict."""

STAGES: tuple[LeadStage, ...] = get_args(LeadStage)
"""All stages, the lowest first."""


def highest(*stages: LeadStage) -> LeadStage:
    """The highest of these stages.

    >>> highest("opportunity", "sal")
    'opportunity'
    """
    return max(stages, key=STAGES.index)


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person. Once accepted, `email` is in lower case and `phone` in E.164, with the digits of its extension apart.

    `phone_as_given` is what was given as a number but is nobody's number: it identifies and reaches nobody.
    """

    email: str | None = None
    phone: str | None = None
    phone_extension: str | None = None
    phone_as_given: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    seniority: str | None = None
    country: str | None = None
    language: str | None = None

    @property
    def phone_key(self) -> str | None:
        """The number by which the person is known, with its extension as RFC 3966 writes it: at a switchboard, each
        extension is another person.
        """
        return f"{self.phone};ext={self.phone_extension}" if self.phone and self.phone_extension else self.phone


class Company(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The person's organization."""

    name: str | None = None
    domain: str | None = None
    employees: int | None = None
    industry: str | None = None
    country: str | None = None


HANDED_OVER = frozenset(
    {f"contact.{each}" for each in Contact.__struct_fields__}
    | {f"company.{each}" for each in Company.__struct_fields__}
)
"""The fields of a lead that its hand-off to sales carries."""


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The legal basis for contacting the person; the agreement lists the accepted ones."""

    basis: str
    text: str | None = None
    given_at: datetime | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something the person did before the inquiry, such as a page view."""

    kind: str
    at: datetime
    path: str | None = None
    content_id: str | None = None


class Touch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An earlier marketing contact, for attribution."""

    at: datetime
    channel: str
    campaign: str | None = None
