"""Who a lead is: the facts an inquiry carries, in the shapes of the wire.

These structs ignore unknown fields when decoded, because events may gain fields; doors that must refuse
unknown fields use strict subclasses of them (`services.ingest.domain.intake`).
"""

from datetime import datetime

import msgspec


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person. `email` and `phone` are normalised (lower case address, E.164) once accepted."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    seniority: str | None = None
    country: str | None = None
    language: str | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The organisation that the person writes for."""

    name: str | None = None
    domain: str | None = None
    employees: int | None = None
    industry: str | None = None
    country: str | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """On what ground we may speak to the person; `basis` is compared with the agreement's."""

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
    """A marketing contact before the inquiry, for attribution."""

    at: datetime
    channel: str
    campaign: str | None = None
