"""Whatever an accepted inquiry says, the router decides, in time that grows no faster than the texts."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.accounts import keys_of
from services.router.domain.decision import decide
from services.router.domain.routing_state import RoutingState
from services.router.domain.same_person import contact_keys
from services.scoreboard.domain.event_words import plain
from services.scoreboard.domain.leads import clause_of
from shared import agreement_file
from shared.domain.agreement import Agreement
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Consent, Contact, Signal
from shared.domain.printable import printable
from tests.fuzz.strategies import texts

DATA = Path(__file__).parents[4] / "data"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MAX_S = 1.0
UNITS = (
    " nv",
    "a.",
    "gmbh & co. kg ",
    "(",
    "e\u0301",
    "\u202e",
    "@",
    "\u682a\u5f0f\u4f1a\u793e",
    "-a",
    "1",
    ": ",
    "\ufdfa",
)


@cache
def agreement(name: str) -> Agreement:
    """One of the agreements of the tests."""
    return agreement_file.load(DATA / name).agreement


_maybe = st.none() | texts
_numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
_contact = st.builds(
    Contact,
    email=st.just("jo@example.com") | _maybe,
    phone=_maybe,
    country=_maybe,
    language=_maybe,
    job_title=_maybe,
    seniority=_maybe,
)
_company = st.builds(Company, name=_maybe, domain=_maybe, country=_maybe, industry=_maybe, employees=_numbers)
_custom = st.dictionaries(texts, texts | st.booleans() | st.integers() | st.floats(), max_size=4)
_inquiries = st.builds(
    InquiryReceived,
    lead_id=texts,
    inquiry_id=texts,
    accepted_at=st.just(NOW),
    source=texts,
    kind=st.just("demo_request") | texts,
    contact=_contact,
    company=_company,
    consent=st.none() | st.builds(Consent, basis=texts),
    custom=_custom,
    signals=st.lists(st.builds(Signal, kind=texts, at=st.just(NOW), path=_maybe), max_size=3).map(tuple),
)


@pytest.mark.parametrize("name", ["agreement_full.yaml", "agreement/deal.yaml"])
@settings(max_examples=60)
@given(inquiry=_inquiries)
def test_every_inquiry_is_decided_and_its_verdict_can_be_written(name: str, inquiry: InquiryReceived) -> None:
    agreed = agreement(name)
    routing = RoutingState()
    routing.begin()
    contact_keys(inquiry.contact)
    keys_of(inquiry.company, inquiry.contact)
    verdict = decide(routing, agreed, inquiry, NOW)
    assert verdict.lead.state in ("assigned", "parked", "rejected")
    assert msgspec.json.decode(msgspec.json.encode(verdict.event), type=type(verdict.event)) == verdict.event
    assert msgspec.json.encode(verdict.proof)


def _keys_of_name(text: str) -> object:
    return keys_of(Company(name=text), Contact())


def _keys_of_domain(text: str) -> object:
    return keys_of(Company(domain=text), Contact(email=f"jo@{text}"))


def _decided(text: str) -> object:
    """A verdict on an inquiry with `text` in every field."""
    contact = Contact(email="jo@example.com", country=text, language=text, job_title=text, seniority=text)
    inquiry = InquiryReceived(
        lead_id="ld_1",
        inquiry_id="inq_1",
        accepted_at=NOW,
        source=text,
        kind=text,
        contact=contact,
        company=Company(name=text, domain=text, country=text, industry=text),
        custom={"need.timeline": text},
    )
    routing = RoutingState()
    routing.begin()
    return decide(routing, agreement("agreement_full.yaml"), inquiry, NOW)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("work", [_keys_of_name, _keys_of_domain, _decided, clause_of, plain, printable])
def test_the_time_to_read_a_text_grows_no_faster_than_its_size(work: Callable[[str], object], unit: str) -> None:
    small, large = unit * (8_192 // len(unit)), unit * (32_768 // len(unit))
    work(small)
    for _ in range(5):
        large_s = _least_s(work, large)
        if large_s < 0.02 or (large_s < MAX_S and large_s < 8 * _least_s(work, small)):
            return
    pytest.fail(f"{large_s:.3f} s for four times the text")


def _least_s(work: Callable[[str], object], text: str) -> float:
    """Processor time, the least of three: what other processes do does not count."""
    return min(_once_s(work, text) for _ in range(3))


def _once_s(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began
