"""Every function that reads what someone else wrote, as a target that takes bytes.

A target passes when it answers or refuses with a `Problem` of the sender (a status below 500, or an agreement that does
not load). Any other exception is a finding. Targets do no I/O, so that atheris can run thousands of them a second.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from services.delivery.domain.endpoint import vet_url
from services.delivery.domain.retry import retry_after_s
from services.ingest.api.request import LARGEST_ITEM
from services.ingest.domain.contact_keys import normal_email, normal_phone
from services.ingest.domain.facts import Activity, normal_activity, recorded
from services.ingest.domain.identity import Identity
from services.ingest.domain.intake import SubmittedLead, forgiving_lead, inquiry, normal_lead
from services.ingest.domain.items import each, split
from services.ingest.domain.pending_event import PendingEvent, json_instant
from services.ingest.domain.strict_json import Reader
from services.ingest.sources import Source, SourceRequest
from services.ingest.sources.form import Form
from services.ingest.sources.google_ads import GoogleAds
from services.router.api.calendar_file import days_off
from services.router.domain.accounts import keys_of
from services.router.domain.qualification import judge, routes
from shared import agreement_file
from shared.agreement_file.build.duty_calendar import shifts_of
from shared.bus.envelope import decode
from shared.domain.agreement import Agreement
from shared.domain.conditions import DecisionFacts, facts_of
from shared.domain.errors import Misconfigured, Problem
from shared.domain.events import TYPES, InquiryReceived
from shared.domain.lead import Company, Contact
from shared.http.keys import Key, Keys
from shared.ports import Record

Target = Callable[[bytes], object]

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BOUNDARY = "boundary"
GOOGLE_KEY = "a-key"
AGREEMENT = Path(__file__).parents[1] / "data" / "agreement_full.yaml"
_IDENTITY = Identity(b"k" * 32)
_KEYS = Keys([Key("admin", b"d" * 32, frozenset(["admin"]))])
_lead_reader: Reader[SubmittedLead] = Reader(SubmittedLead)
_activity_reader: Reader[Activity] = Reader(Activity)


def run(name: str, data: bytes) -> None:
    """Run one target. Raises whatever is not the sender's fault."""
    try:
        TARGETS[name](data)
    except Misconfigured:
        pass  # an agreement that does not load
    except Problem as problem:
        if problem.status >= 500:
            raise


def _leads(data: bytes) -> None:
    def draft(raw: bytes, _number: int) -> PendingEvent:
        return inquiry(normal_lead(_lead_reader.read(raw)), identity=_IDENTITY, raw=raw, sender="key:test")

    for made in each(data, split(data, lines=False), draft, largest=LARGEST_ITEM):
        _decide(made)


def _lines(data: bytes) -> None:
    def draft(raw: bytes, _number: int) -> PendingEvent:
        return inquiry(normal_lead(_lead_reader.read(raw)), identity=_IDENTITY, raw=raw, sender="key:test")

    each(data, split(data, lines=True), draft, largest=LARGEST_ITEM)


def _activities(data: bytes) -> None:
    def draft(raw: bytes, _number: int) -> PendingEvent:
        return recorded(normal_activity(_activity_reader.read(raw), _IDENTITY), raw=raw, sender="key:test")

    for made in each(data, split(data, lines=False), draft, largest=LARGEST_ITEM):
        msgspec.json.decode(made.value_at(made.id, json_instant(1)), type=TYPES[made.type])


def _submitted(source: Source, received: SourceRequest) -> None:
    authentic = source.verify(received)
    for submission in source.map(authentic):
        _decide(
            inquiry(forgiving_lead(submission.lead), identity=_IDENTITY, raw=authentic.redacted, sender="source:test")
        )


def _decide(made: PendingEvent) -> None:
    """What the router does with the text of an accepted inquiry, from its bytes on the log."""
    event = msgspec.json.decode(made.value_at(made.id, json_instant(1)), type=InquiryReceived)
    keys_of(event.company, event.contact)
    facts = DecisionFacts(facts_of(event), NOW, event.signals)
    judge(agreement(), event, facts)
    list(routes(agreement(), facts))


@cache
def agreement() -> Agreement:
    """An agreement that uses every block."""
    return agreement_file.load(AGREEMENT).agreement


def _form(content_type: str) -> Target:
    form = Form("website")
    return lambda data: _submitted(form, SourceRequest(data, {"content-type": content_type}, {}))


def _content_type(data: bytes) -> None:
    _submitted(Form("website"), SourceRequest(b"email=jo@example.com", {"content-type": data.decode("latin-1")}, {}))


def _company(data: bytes) -> None:
    text = data.decode(errors="replace")
    keys_of(Company(name=text), Contact())
    keys_of(Company(domain=text), Contact(email=text))


def _record(data: bytes) -> None:
    for kind in TYPES:
        headers = {"ce_type": kind.encode(), "ce_id": b"ev", "ce_source": b"test", "ce_time": b"2026-01-01T00:00:00Z"}
        try:
            decode(Record("topic", 0, 0, "key", data, headers))
        except Problem:
            continue


def _record_headers(data: bytes) -> None:
    parts = (data.split(b"\n") + [b""] * 4)[:4]
    decode(
        Record("topic", 0, 0, "key", b"{}", dict(zip(("ce_type", "ce_id", "ce_source", "ce_time"), parts, strict=True)))
    )


def _retry_after(data: bytes) -> None:
    asked = retry_after_s(data.decode("latin-1"), NOW)
    if asked is not None:
        NOW + timedelta(seconds=min(asked, 100_000))


def _authorization(data: bytes) -> None:
    _KEYS.authorise(data.decode("latin-1"), "admin")


def _text(read: Callable[[str], object]) -> Target:
    def target(data: bytes) -> None:
        read(data.decode(errors="replace"))

    return target


TARGETS: Mapping[str, Target] = {
    "leads": _leads,
    "lines": _lines,
    "activities": _activities,
    "form": _form("application/x-www-form-urlencoded"),
    "multipart": _form(f"multipart/form-data; boundary={BOUNDARY}"),
    "content_type": _content_type,
    "google": lambda data: _submitted(
        GoogleAds("google", keys=[GOOGLE_KEY], defaults={}),
        SourceRequest(data, {"content-type": "application/json"}, {}),
    ),
    "company": _company,
    "email": _text(normal_email),
    "phone": _text(lambda text: normal_phone(text, "BE")),
    "record": _record,
    "record_headers": _record_headers,
    "calendar": lambda data: days_off(data, ZoneInfo("Europe/Brussels"), date(2026, 11, 27)),
    "rota": _text(lambda text: shifts_of(text, ZoneInfo("Europe/Brussels"), NOW, {"": "ann"})),
    "agreement": _text(lambda text: agreement_file.parse(text, "agreement.yaml")),
    "retry_after": _retry_after,
    "authorization": _authorization,
    "endpoint": _text(lambda text: vet_url(text, allow_loopback=True)),
}
"""By the names of their folders in `corpus`."""
