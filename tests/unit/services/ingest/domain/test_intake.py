"""A submission becomes one inquiry of one person, under ids that follow from what was sent."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.ingest.domain.identity import Identity, lead_of_inquiry
from services.ingest.domain.intake import SubmittedLead, forgiving_lead, inquiry, normal_lead, quarantined
from services.ingest.domain.pending_event import DAY_S, DEDUPE_S, PendingEvent, instant_at, json_instant
from services.ingest.domain.strict_json import Reader
from shared.domain.errors import Refused
from shared.domain.events import InquiryReceived, RecordQuarantined
from shared.domain.lead import Company, Consent, Contact, Signal, Touch

identity = Identity(b"a key of more than enough length")
reader: Reader[SubmittedLead] = Reader(SubmittedLead)
AT_US = 1_795_427_400_123_456

FULL: dict[str, Any] = {
    "external_id": "web-8f2c", "occurred_at": "2026-11-21T10:29:58+01:00", "kind": "demo_request", "source": "website",
    "contact": {"email": "Jo@Example.com", "phone": "0470 12 34 56", "first_name": "Jo", "country": "be"},
    "company": {"name": "Example \"NV\"", "employees": 120}, "channel": "paid_search", "campaign": "q4-demo",
    "page_url": "https://acme.example/demo", "message": "Can we\ntalk?",
    "consent": {"basis": "opt_in", "given_at": "2026-11-21T09:29:50Z"},
    "signals": [{"kind": "page_view", "at": "2026-11-20T19:02:00+01:00", "path": "/pricing"}],
    "touches": [{"at": "2026-11-02T08:00:00Z", "channel": "organic_search", "campaign": None}],
    "custom": {"budget.amount": {"value": "50000", "currency": "EUR"}},
}  # fmt: skip


sender = "key:website"


def lead(**changes: Any) -> SubmittedLead:
    return reader.read(msgspec.json.encode({"contact": {"email": "jo@example.com"}} | changes))


def test_the_stored_event_is_the_inquiry_that_was_sent() -> None:
    pending_event = inquiry(normal_lead(lead(**FULL)), identity=identity, sender=sender, raw=b"{}")
    fact_id = pending_event.id_at(AT_US)
    event = msgspec.json.decode(pending_event.value_at(fact_id, json_instant(AT_US)), type=InquiryReceived)
    assert event == InquiryReceived(
        lead_id=pending_event.lead_id, inquiry_id=fact_id, source="website", kind="demo_request",
        accepted_at=instant_at(AT_US), contact=Contact(email="jo@example.com", phone="+32470123456", first_name="Jo",
        country="be"), company=Company(name='Example "NV"', employees=120), external_id="web-8f2c",
        occurred_at=datetime(2026, 11, 21, 9, 29, 58, tzinfo=UTC), channel="paid_search", campaign="q4-demo",
        page_url="https://acme.example/demo", message="Can we\ntalk?",
        consent=Consent(basis="opt_in", given_at=datetime(2026, 11, 21, 9, 29, 50, tzinfo=UTC)),
        signals=(Signal(kind="page_view", at=datetime(2026, 11, 20, 18, 2, tzinfo=UTC), path="/pricing"),),
        touches=(Touch(at=datetime(2026, 11, 2, 8, tzinfo=UTC), channel="organic_search"),),
        custom=FULL["custom"],
    )  # fmt: skip
    assert lead_of_inquiry(fact_id) == pending_event.lead_id
    assert pending_event.topic == InquiryReceived.TOPIC


def test_a_lead_is_the_keyed_digest_of_its_address_and_else_of_its_number() -> None:
    key = b"a key of more than enough length"
    expected = hmac.new(key, b"email:jo@example.com", hashlib.sha256).hexdigest()[:32]
    assert identity.lead_id(email="jo@example.com", phone="+32470123456") == f"ld_{expected}"
    expected = hmac.new(key, b"phone:+32470123456", hashlib.sha256).hexdigest()[:32]
    assert identity.lead_id(email=None, phone="+32470123456") == f"ld_{expected}"
    long = b"k" * 100
    assert Identity(long).digest("x") == hmac.new(long, b"x", hashlib.sha256).hexdigest()


def test_kind_and_source_have_words_of_their_own_when_none_are_given() -> None:
    normal = normal_lead(lead())
    assert (normal.kind, normal.source) == ("inquiry", "api")


@pytest.mark.parametrize("given", ["1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2019-12-31T23:59:59Z"])
def test_an_absurd_past_counts_no_more_than_an_absurd_future_and_stays_readable(given: str) -> None:
    normal = normal_lead(lead(occurred_at=given, custom={"plan": "pro"}))
    stored = datetime.fromisoformat(given).isoformat()
    assert (normal.occurred_at, normal.custom) == (None, {"plan": "pro", "occurred_at_as_given": stored})
    assert normal_lead(lead(occurred_at="2020-01-01T00:00:00Z")).occurred_at == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"contact": {}}, "/contact"),
        ({"contact": {"email": "", "phone": ""}}, "/contact"),
        ({"contact": {"email": "jo"}}, "/contact/email"),
        ({"contact": {"email": "jo@example.com", "phone": "none"}}, "/contact/phone"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"consent": {"basis": "x", "given_at": "0001-01-01T00:00:00+14:00"}}, "/consent/given_at"),
        ({"touches": [{"at": "0001-01-01T00:00:00+14:00", "channel": "x"}]}, "/touches/0/at"),
    ],
)
def test_a_lead_that_nobody_could_call_or_date_is_refused(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        normal_lead(lead(**changes))
    assert refused.value.pointer == pointer


def test_a_sender_that_can_not_correct_loses_no_lead_over_one_wrong_key() -> None:
    normal = forgiving_lead(lead(contact={"email": "jo@example.com", "phone": "n/a"}))
    assert (normal.contact.phone, normal.contact.phone_as_given) == (None, "n/a")
    normal = forgiving_lead(lead(contact={"email": "jo at home", "phone": "+32470123456"}))
    assert (normal.contact.email, normal.custom) == (None, {"email_as_given": "jo at home"})
    with pytest.raises(Refused):
        forgiving_lead(lead(contact={"email": "jo", "phone": "n/a"}))


def _draft(
    raw: bytes = b"1",
    sent: str | None = None,
    *,
    test: bool = False,
    by: str = sender,
    anonymous: bool = False,
    **changes: Any,
) -> PendingEvent:
    normal = normal_lead(lead(**changes))
    return inquiry(normal, identity=identity, sender=by, raw=raw, sent_key=sent, anonymous=anonymous, test=test)


def test_a_repeat_is_known_by_the_senders_key_then_by_its_id_then_by_its_bytes() -> None:
    sent = _draft(sent="k", external_id="e")
    assert sent.repeat_key == _draft(b"2", sent="k", message="other").repeat_key
    assert sent.repeat_key != _draft(sent="k", source="other").repeat_key
    external = _draft(external_id="e")
    assert external.repeat_key == _draft(b"2", external_id="e").repeat_key
    assert external.repeat_key not in (_draft(external_id="f").repeat_key, sent.repeat_key, _draft(sent="e").repeat_key)
    by_bytes = _draft(b"1")
    assert by_bytes.repeat_key == _draft(b"1").repeat_key
    assert by_bytes.repeat_key != _draft(b"2").repeat_key
    assert (sent.repeat_s, external.repeat_s, by_bytes.repeat_s) == (DEDUPE_S, DEDUPE_S, DAY_S)


def test_a_repeat_is_known_only_among_what_the_same_sender_sent() -> None:
    kinds: list[dict[str, Any]] = [{"sent": "k"}, {"external_id": "e"}, {}]
    for given in kinds:
        mine, other = _draft(**given), _draft(**given, by="key:other")
        assert mine.repeat_key != other.repeat_key
        assert mine.id_at(1) != other.id_at(1)


def test_an_external_id_from_anyone_counts_for_the_same_person_only() -> None:
    mine = _draft(external_id="e", anonymous=True)
    assert mine.repeat_key == _draft(external_id="e", anonymous=True, message="other").repeat_key
    assert mine.repeat_key != _draft(external_id="e", anonymous=True, contact={"email": "al@example.com"}).repeat_key


def test_different_content_under_one_idempotency_key_is_detected() -> None:
    assert _draft(b"1", sent="k").content == _draft(b" 1", sent="k").content
    assert _draft(sent="k").content != _draft(sent="k", message="other").content
    assert _draft().content == ""


def test_a_sent_key_fixes_the_id_and_bytes_alone_do_not() -> None:
    assert _draft(sent="k").id_at(1) == _draft(sent="k").id_at(2)
    assert _draft().id_at(1) == _draft().id_at(1)
    assert _draft().id_at(1) != _draft().id_at(2)
    assert lead_of_inquiry(_draft().id_at(1)) == _draft().lead_id == _draft(sent="k").lead_id


def test_a_test_is_marked_and_never_a_repeat() -> None:
    pending_event = _draft(test=True, external_id="e")
    assert pending_event.repeat_s == 0
    assert pending_event.id_at(1) != pending_event.id_at(2)
    assert msgspec.json.decode(
        pending_event.value_at(pending_event.id_at(1), json_instant(1)), type=InquiryReceived
    ).test


def test_what_could_not_be_mapped_is_quarantined_whole_with_its_reason() -> None:
    raw = b'\xff{"odd": "payload"}'
    pending_event = quarantined(identity=identity, source="ads", raw=raw, code="no_columns", detail="why")
    fact_id = pending_event.id_at(AT_US)
    event = msgspec.json.decode(pending_event.value_at(fact_id, json_instant(AT_US)), type=RecordQuarantined)
    assert event == RecordQuarantined(
        lead_id="ads", quarantine_id=fact_id, inquiry_id=fact_id, service="ingest", origin="source:ads",
        code="no_columns", detail="why", at=instant_at(AT_US), body=raw, record_type=InquiryReceived.TYPE,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "inq_1", "ld_" + "a" * 32, "inq_" + "a" * 32 + "_" + "b" * 25])
def test_what_is_no_inquirys_id_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        lead_of_inquiry(text)
    assert refused.value.pointer == "/inquiry_id"


@pytest.mark.parametrize("far", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        (lambda far: {"occurred_at": far}, "/occurred_at"),
        (lambda far: {"consent": {"basis": "opt_in", "given_at": far}}, "/consent/given_at"),
        (lambda far: {"signals": [{"kind": "page_view", "at": far}]}, "/signals/0/at"),
        (lambda far: {"touches": [{"channel": "email", "at": far}]}, "/touches/0/at"),
    ],
)
def test_an_instant_out_of_range_is_refused_where_it_stands(far: str, fields: Any, pointer: str) -> None:
    with pytest.raises(Refused, match="from 1970-01-01 to 2100-01-01") as refused:
        normal_lead(lead(**fields(far)))
    assert refused.value.pointer == pointer


def test_a_number_that_is_nobodys_identifies_nobody() -> None:
    asked = [
        normal_lead(lead(contact={"phone": "0000000000", "country": "BE", "first_name": n})) for n in ("Ann", "Bob")
    ]
    assert {each.contact.phone_as_given for each in asked} == {"0000000000"}
    drafts = [
        inquiry(each, identity=identity, sender=sender, raw=str(number).encode()) for number, each in enumerate(asked)
    ]
    again = inquiry(asked[0], identity=identity, sender=sender, raw=b"0")
    assert drafts[0].lead_id != drafts[1].lead_id
    assert (again.lead_id, again.repeat_key) == (drafts[0].lead_id, drafts[0].repeat_key)


def test_people_at_one_number_are_told_apart_by_their_extensions() -> None:
    numbers = ("+32 2 555 12 12", "+32 2 555 12 12 ext. 1", "+32 2 555 12 12 ext. 2", "+3225551212 x2")
    asked = [normal_lead(lead(contact={"phone": number})) for number in numbers]
    ids = [inquiry(each, identity=identity, sender=sender, raw=b"{}").lead_id for each in asked]
    assert len(set(ids)) == 3
    assert ids[2] == ids[3]
