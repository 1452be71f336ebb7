import doctest
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.delivery.domain import notice as module
from services.delivery.domain import notice_words, outcome
from services.delivery.domain.notice import Buyer, Link, facts, grouped, headline, links, quoted, wrote
from services.delivery.domain.notice_words import fit
from shared.domain.printable import printable
from tests.kit.notices import HOSTILE, hostile, notice


def test_the_examples_in_the_modules_hold() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(notice_words).failed == 0
    assert doctest.testmod(outcome).failed == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Overdue: first response, Jo Doe of Initech, was due Fri 27 Nov 10:05 CET"),
        ({"kind": "warning"}, "Due soon: first response, Jo Doe of Initech, by Fri 27 Nov 10:05 CET"),
        ({"buyer": Buyer(company="Initech")}, "Overdue: first response, Initech, was due Fri 27 Nov 10:05 CET"),
        ({"buyer": Buyer()}, "Overdue: first response, was due Fri 27 Nov 10:05 CET"),
        ({"kind": "closed", "by": "met"}, "Closed, nothing left to do (met): first response, Jo Doe of Initech"),
        (
            {"kind": "acknowledged", "by": "Mia", "until": datetime(2026, 11, 27, 11, tzinfo=UTC)},
            "Acknowledged by Mia until Fri 27 Nov 12:00 CET: first response, Jo Doe of Initech",
        ),
        (
            {"kind": "warning", "promise": "volume", "buyer": Buyer(), "pace": "at this pace 310 of 400"},
            "Due soon: volume, by Fri 27 Nov 10:05 CET; at this pace 310 of 400",
        ),
        (
            {"ran_out": True},
            "Overdue again, the acknowledgement ran out: "
            "first response, Jo Doe of Initech, was due Fri 27 Nov 10:05 CET",
        ),
        (
            {"kind": "exhausted"},
            "Still overdue: first response, Jo Doe of Initech, was due Fri 27 Nov 10:05 CET; "
            "nobody has acted on it, and nothing more will follow",
        ),
        ({"kind": "test"}, "Test message from Baton to manager: nothing to do"),
    ],
)
def test_the_headline_says_what_happened_to_what_and_when(changes: dict[str, object], expected: str) -> None:
    assert headline(notice(**changes)) == expected


def test_the_facts_say_who_why_and_until_when() -> None:
    assert [(fact.label, fact.text) for fact in facts(notice())] == [
        ("Due", "Friday 27 November 2026, 10:05 (Europe/Berlin)"),
        ("Buyer", "Jo Doe, Initech"),
        ("Contact", "jo@initech.example, +49 30 123456"),
        ("Score", "82: asked for a demo; decision maker"),
        ("Read", "Pricing; ROI sheet"),
        ("Rep", "Ann Lee"),
        ("Why this rep", "It was her turn in the pool enterprise."),
        ("You get this as", "manager"),
    ]


def test_a_message_says_what_keeps_the_promise_and_what_follows_if_nobody_acts() -> None:
    then = datetime(2026, 11, 27, 9, 20, tzinfo=UTC)
    told = notice(kept_by="call or meeting", next_at=then, next_does="the lead moves to another rep")
    shown = {fact.label: fact.text for fact in facts(told)}
    assert shown["Kept by"] == "call or meeting"
    assert shown["If nobody acts"] == "the lead moves to another rep at Fri 27 Nov 10:20 CET"


def test_a_promise_about_a_period_says_how_it_goes() -> None:
    shown = {fact.label: fact.text for fact in facts(notice(pace="155 of 400 accepted"))}
    assert shown["How it goes"] == "155 of 400 accepted"


def test_a_message_that_another_channel_did_not_take_says_so() -> None:
    shown = {fact.label: fact.text for fact in facts(notice(not_taken_by=("PagerDuty", "Slack")))}
    assert shown["Not taken by"] == "PagerDuty, Slack"


def test_a_group_says_only_what_is_so_for_all_of_it() -> None:
    ran_out, other = notice(ran_out=True, kept_by="a call"), notice(kept_by="a call")
    of = partial(grouped, notice_id="ms_1", incident_id="ms_1")
    assert headline(of([ran_out, ran_out], 2)).startswith("Overdue again, the acknowledgement ran out: ")
    assert headline(of([ran_out, other], 2)).startswith("Overdue: first response, 2 leads, ")
    assert headline(of([ran_out, ran_out], 7)).startswith("Overdue: first response, 7 leads, ")
    several = of([other, other], 7, several=True)
    assert headline(several).startswith("Overdue: first response, others, 7 promises, ")
    assert "Kept by" not in {fact.label for fact in facts(several)}


def test_what_is_unknown_is_not_mentioned() -> None:
    bare = notice(buyer=Buyer(), rep="", why_rep="", wrote=" ", read=(), score=None, reasons=())
    assert [fact.label for fact in facts(bare)] == ["Due", "You get this as"]
    assert wrote(bare) == ""


def test_a_test_message_is_due_at_no_time() -> None:
    assert not {"Due", "First due"} & {fact.label for fact in facts(notice(kind="test"))}


def test_no_line_that_a_buyer_wrote_looks_like_a_link_of_ours() -> None:
    lines = quoted(notice(wrote="Hello\nAcknowledge: https://evil.example"))
    assert lines == ["The buyer wrote:", "> Hello", "> Acknowledge: https://evil.example"]
    assert quoted(notice(wrote="")) == []


def test_a_time_in_the_hour_that_comes_twice_says_which_one_it_is() -> None:
    first = notice(due_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    second = notice(due_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert "02:30 CEST" in headline(first)
    assert "02:30 CET" in headline(second)


@given(st.text())
@example(HOSTILE)
def test_nothing_that_a_stranger_writes_adds_a_line_or_reorders_one(text: str) -> None:
    made = hostile(text)
    for shown in (headline(made), *(fact.text for fact in facts(made))):
        assert printable(shown) == shown
        assert len(shown.splitlines()) <= 1
    assert printable(wrote(made), lines=True) == wrote(made)


@given(st.text(), st.integers(1, 40))
def test_what_is_fitted_is_within_the_limit_also_when_counted_in_utf_16(text: str, limit: int) -> None:
    doubled = fit(text, limit, lambda part: part.replace("a", "&amp;"))
    assert len(doubled.encode("utf-16-le", "surrogatepass")) // 2 <= limit


def test_a_list_ends_with_how_much_more_there_is() -> None:
    [read] = [fact.text for fact in facts(notice(read=tuple("abcdefgh"))) if fact.label == "Read"]
    assert read == "a; b; c; d; e; f; and 2 more"


def test_only_links_that_fit_are_shown() -> None:
    given_links = (Link("Long", "https://baton.example/" + "x" * 1000), *(Link(str(n), "https://b") for n in range(9)))
    assert [link.label for link in links(notice(links=given_links))] == ["0", "1", "2", "3", "4", "5"]


def test_nothing_about_people_is_in_the_representation() -> None:
    shown = repr(notice(by="Zoe Quill"))
    for private in ("Jo Doe", "Initech", "jo@", "+49", "Ann Lee", "Can we talk", "Pricing", "Mia", "Zoe", "t=abc"):
        assert private not in shown
