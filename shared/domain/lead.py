"""The contact, company and other facts of an inquiry, in the format of the events.

Decoding ignores unknown fields, because events may gain fields. Ingest uses strict subclasses that refuse them
(`services.ingest.domain.intake`).
"""

from datetime import datetime
from typing import Literal

import msgspec

LeadState = Literal["received", "assigned", "parked", "rejected", "merged", "closed"]
"""Where a lead is: `received` until the router decides, `closed` once sales ended it."""

LeadStage = Literal["", "inquiry", "mql", "sal", "sql", "opportunity"]
"""How far a lead has come; empty before its first verdict."""


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person. Once accepted, `email` is in lower case and `phone` in E.164."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    seniority: str | None = None
    country: str | None = None
    language: str | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The person's organization."""

    name: str | None = None
    domain: str | None = None
    employees: int | None = None
    industry: str | None = None
    country: str | None = None


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
