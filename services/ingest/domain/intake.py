"""What a submission must be, and the inquiry that it becomes: strict shapes, contact keys, identity, repeats.

The structs refuse unknown fields (except under `custom`) and instants without an offset from UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, structs

from services.ingest.domain.contact_keys import Phone, normal_email, normal_phone
from services.ingest.domain.identity import (
    Identity,
    digest,
    digest_of_bytes,
    digest_of_content,
    inquiry_stem,
    with_format,
)
from services.ingest.domain.pending_event import DAY_S, DEDUPE_S, PendingEvent, within_limit
from services.ingest.domain.strict_json import check_bounds
from shared.domain.errors import Refused
from shared.domain.events import InquiryReceived, RecordQuarantined
from shared.domain.instants import PLAUSIBLE, bounded
from shared.domain.lead import Company, Consent, Contact, Signal, Touch

Instant = Annotated[datetime, Meta(tz=True)]
_ID_DIGITS = 24
_LONGEST_DETAIL = 1000
_SHOWN = 100
_encode = msgspec.json.Encoder().encode


class StrictContact(Contact, frozen=True, forbid_unknown_fields=True):
    """A person, as a sender may write it."""


class StrictCompany(Company, frozen=True, forbid_unknown_fields=True):
    """An organisation, as a sender may write it."""

    employees: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class StrictConsent(Consent, frozen=True, forbid_unknown_fields=True):
    """Consent, as a sender may write it."""

    given_at: Instant | None = None


class StrictSignal(Signal, frozen=True, forbid_unknown_fields=True):
    """A signal, as a sender may write it."""

    at: Instant


class StrictTouch(Touch, frozen=True, forbid_unknown_fields=True):
    """A touch, as a sender may write it."""

    at: Instant


class SubmittedLead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One item of `POST /v1/leads`, or a mapped payload of a source. The fields of `InquiryReceived`."""

    contact: StrictContact
    company: StrictCompany = StrictCompany()
    external_id: str | None = None
    occurred_at: Instant | None = None
    kind: str | None = None
    source: str | None = None
    channel: str | None = None
    campaign: str | None = None
    page_url: str | None = None
    message: str | None = None
    consent: StrictConsent | None = None
    signals: tuple[StrictSignal, ...] = ()
    touches: tuple[StrictTouch, ...] = ()
    custom: dict[str, Any] = {}


def normal_lead(lead: SubmittedLead) -> SubmittedLead:
    """The lead with normalised contact keys and instants in UTC, `kind` and `source` filled in.

    Raises `Refused` with a JSON pointer where a contact key is wrong or none is given, or a custom value out of bounds.
    """
    if lead.custom:
        check_bounds({"custom": lead.custom})
    contact = lead.contact
    try:
        email = normal_email(contact.email) if contact.email else None
        region = contact.country or lead.company.country
        phone = normal_phone(contact.phone, _region(region)) if contact.phone else Phone()
    except Refused as wrong:
        raise Refused(wrong.detail, pointer="/contact" + wrong.pointer) from None
    as_given = phone.as_given or contact.phone_as_given or None
    if email is None and phone.number is None and as_given is None:
        raise Refused(
            "Give contact.email or contact.phone: without either, the person cannot be contacted.", pointer="/contact"
        )
    extension = phone.extension or (contact.phone_extension if phone.number else None)
    contact = structs.replace(
        contact, email=email, phone=phone.number, phone_extension=extension, phone_as_given=as_given
    )
    changes = _instants_in_utc(lead)
    return structs.replace(lead, contact=contact, kind=lead.kind or "inquiry", source=lead.source or "api", **changes)


def forgiving_lead(lead: SubmittedLead) -> SubmittedLead:
    """As `normal_lead`, for senders that can't correct it: if one of two contact keys is wrong, it stays as it was
    given: the number in `phone_as_given`, the address in `custom`.
    """
    try:
        return normal_lead(lead)
    except Refused as wrong:
        name = wrong.pointer.removeprefix("/contact/")
        other = {"email": lead.contact.phone, "phone": lead.contact.email}.get(name)
        if not other:
            raise
        contact = lead.contact
        if name == "phone":
            return normal_lead(
                structs.replace(lead, contact=structs.replace(contact, phone=None, phone_as_given=contact.phone))
            )
        custom = {**lead.custom, "email_as_given": contact.email}
        return normal_lead(structs.replace(lead, contact=structs.replace(contact, email=None), custom=custom))


def inquiry(
    lead: SubmittedLead,
    *,
    identity: Identity,
    sender: str,
    raw: bytes,
    sent_key: str | None = None,
    anonymous: bool = False,
    test: bool = False,
) -> PendingEvent:
    """The draft of an inquiry from a normal lead.

    A repeat is known by `sent_key` (within the source), else by the lead's `external_id`, else for a day by its
    bytes `raw`; each only among what `sender` sent, and an `external_id` from anyone (`anonymous`) only for the same
    person. Tests are never repeats: platforms send the same one at each click. Raises `TooLarge`.
    """
    source, external = lead.source or "", lead.external_id
    lead_id = _lead_id(lead.contact, identity, test=test) or identity.lead_of_nobody(f"{sender}\0{source}", raw)
    own_key = bool(sent_key or external) and not test
    key_name = ""
    if sent_key:
        key = digest("inquiry", "sent", sender, source, sent_key)
        key_name = f"The Idempotency-Key {sent_key.partition(chr(10))[0]!r}"
    elif external:
        key = digest("inquiry", "external", sender, source, lead_id if anonymous else "", external)
        key_name = f"The external_id {external[:_SHOWN]!r} of source {source[:_SHOWN]!r}"
    else:
        key = digest_of_bytes("inquiry", f"{sender}\0{source}", raw)
    if test:
        known_s = 0
    elif own_key:
        known_s = DEDUPE_S
    else:
        known_s = DAY_S
    stem, body = inquiry_stem(lead_id), within_limit(_encode(lead))
    content = digest_of_content(body) if own_key else ""
    return PendingEvent(
        type=InquiryReceived.TYPE,
        topic=InquiryReceived.TOPIC,
        lead_id=lead_id,
        repeat_key=key,
        repeat_s=known_s,
        id=stem + digest(key, content)[:_ID_DIGITS] if own_key else stem,
        timed=not own_key,
        head=_head_of_test if test else _head,
        body=body,
        content=with_format(content),
        key_name=key_name,
    )


def _lead_id(contact: Contact, identity: Identity, *, test: bool) -> str | None:
    email, phone = contact.email, contact.phone_key
    return identity.lead_id(email=email, phone=phone, test=test) if email or phone else None


def quarantined(*, identity: Identity, source: str, raw: bytes, code: str, detail: str) -> PendingEvent:
    """The event for an authentic payload that cannot be mapped, with the reason. Duplicates are recognized by bytes.

    Raises `TooLarge`.
    """
    stem = inquiry_stem(identity.lead_id(email=None, phone=f"source:{source}"))
    fixed = {
        "lead_id": source,
        "service": "ingest",
        "origin": f"source:{source}",
        "code": code,
        "detail": detail[:_LONGEST_DETAIL],
    }
    return PendingEvent(
        type=RecordQuarantined.TYPE,
        topic=RecordQuarantined.TOPIC,
        lead_id=source,
        repeat_key=digest_of_bytes("quarantine", source, raw),
        repeat_s=DAY_S,
        id=stem,
        timed=True,
        head=_head_of_quarantined,
        body=within_limit(_encode(fixed | {"body": raw, "record_type": InquiryReceived.TYPE})),
    )


def _head(fact_id: str, at: str, lead_id: str) -> str:
    return f'{{"inquiry_id":{fact_id},"accepted_at":{at},"lead_id":"{lead_id}",'


def _head_of_test(fact_id: str, at: str, lead_id: str) -> str:
    return _head(fact_id, at, lead_id) + '"test":true,'


def _head_of_quarantined(fact_id: str, at: str, _source: str) -> str:
    return f'{{"quarantine_id":{fact_id},"inquiry_id":{fact_id},"at":{at},'


def _region(country: str | None) -> str | None:
    return country.strip().upper() if country and len(country.strip()) == 2 else None


def _instants_in_utc(lead: SubmittedLead) -> Mapping[str, Any]:
    changes: dict[str, Any] = {}
    if lead.occurred_at is not None:
        occurred_at = bounded(lead.occurred_at, pointer="/occurred_at")
        if occurred_at < PLAUSIBLE:
            # Points fade from then on. Without an instant, they fade from when the inquiry was accepted.
            changes["custom"] = {**lead.custom, "occurred_at_as_given": occurred_at.isoformat()}
        changes["occurred_at"] = occurred_at if occurred_at >= PLAUSIBLE else None
    if lead.consent is not None and lead.consent.given_at is not None:
        given_at = bounded(lead.consent.given_at, pointer="/consent/given_at")
        changes["consent"] = structs.replace(lead.consent, given_at=given_at)
    if lead.signals:
        changes["signals"] = _each_in_utc(lead.signals, "/signals")
    if lead.touches:
        changes["touches"] = _each_in_utc(lead.touches, "/touches")
    return changes


_Dated = TypeVar("_Dated", StrictSignal, StrictTouch)


def _each_in_utc(items: tuple[_Dated, ...], pointer: str) -> tuple[_Dated, ...]:
    return tuple(
        structs.replace(item, at=bounded(item.at, pointer=f"{pointer}/{place}/at")) for place, item in enumerate(items)
    )
