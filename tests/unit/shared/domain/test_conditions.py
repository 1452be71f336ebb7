"""Conditions: what each operator means, what absence means, and that the explanation never contradicts the test."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.conditions import (
    BUILT_IN,
    EMAIL_KINDS,
    GROUPS,
    OPERATORS,
    Checked,
    Condition,
    DecisionFacts,
    Money,
    SignalTest,
    asks_what_was_done,
    compile_cel,
    compile_condition,
    explain,
    facts_of,
)
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Contact, Signal
from tests.kit.events import NINE

OWNED = DecisionFacts(account_owned=True, lead_owned=True)
EUR_5000 = {"value": "5000.00", "currency": "EUR"}


@pytest.mark.parametrize(
    ("op", "value", "seen", "holds"),
    [
        ("is", "be", "BE", True),
        ("is", "straße", "STRASSE", True),
        ("is", "BE", "BEL", False),
        ("is", 5, 5, True),
        ("is", 5, 5.0, True),
        ("is", True, True, True),
        ("is", False, True, False),
        ("is_not", "BE", "nl", True),
        ("is_not", "BE", "be", False),
        ("in", ("BE", "NL"), "nl", True),
        ("in", ("BE", "NL"), "fr", False),
        ("in", (1, 2), 2, True),
        ("not_in", ("BE", "NL"), "fr", True),
        ("not_in", ("BE", "NL"), "be", False),
        (">", 50, 50, False),
        (">=", 50, 50, True),
        ("<", 50, 49.5, True),
        ("<=", 50, 51, False),
        ("between", (10, 20), 10, True),
        ("between", (10, 20), 20, True),
        ("between", (10, 20), 21, False),
        ("contains", "HEAD", "ahead of it", True),
        ("contains", "head", "tail", False),
        ("starts_with", "Head", "head of IT", True),
        ("ends_with", ".GOV", "x.gov", True),
        ("ends_with", ".gov", "x.gov.uk", False),
        ("matches", r"^.*@acme\.(com|be)$", "Jo@ACME.be", True),
        ("matches", r"^.*@acme\.(com|be)$", "jo@acme.be.example", False),
        ("matches", "ACME", "jo@acme.be", True),
        ("matches", "^stra.e$", "Straße", True),
        ("matches", r"\S\d", "x1", True),
        ("is", Money(Decimal(5000), "EUR"), EUR_5000, True),
        (">=", Money(Decimal(5001), "EUR"), EUR_5000, False),
        ("in", (Money(Decimal(1), "EUR"), Money(Decimal(5000), "EUR")), EUR_5000, True),
        ("between", (Money(Decimal(1), "EUR"), Money(Decimal(5000), "EUR")), EUR_5000, True),
    ],
)
def test_an_operator_compares_what_is_there(op: str, value: object, seen: object, holds: bool) -> None:
    condition = Condition(op, "fact", value)
    assert condition.test(DecisionFacts({"fact": seen})) is holds
    [checked] = explain(condition, DecisionFacts({"fact": seen}))
    assert (checked.outcome, checked.seen) == ("matched" if holds else "not_matched", seen)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (5, "5"),
        (5, True),
        (5, None),
        (5, [5]),
        (5, float("nan")),
        (5, float("inf")),
        ("5", 5),
        ("x", ["x"]),
        (True, "true"),
        (True, 1),
        (Money(Decimal(5000), "EUR"), 5000),
        (Money(Decimal(5000), "EUR"), {"value": "5000", "currency": "USD"}),
        (Money(Decimal(5000), "EUR"), {"value": "a lot", "currency": "EUR"}),
        (Money(Decimal(5000), "EUR"), {"value": "NaN", "currency": "EUR"}),
        (Money(Decimal(5000), "EUR"), {"value": True, "currency": "EUR"}),
        (Money(Decimal(5000), "EUR"), {"currency": "EUR"}),
    ],
)
@pytest.mark.parametrize("op", ["is", "is_not"])
def test_a_fact_of_another_kind_counts_as_absent_and_never_raises(op: str, value: object, seen: object) -> None:
    condition = Condition(op, "fact", value)
    assert condition.test(DecisionFacts({"fact": seen})) is False
    [checked] = explain(condition, DecisionFacts({"fact": seen}))
    assert checked.outcome == "absent"


@pytest.mark.parametrize("op", ["is", "is_not", "contains"])
def test_an_absent_fact_makes_every_comparison_false(op: str) -> None:
    assert Condition(op, "fact", "x").test(DecisionFacts({})) is False
    assert [each.outcome for each in explain(Condition(op, "fact", "x"), DecisionFacts({}))] == ["absent"]
    assert Condition("not_in", "fact", ("x",)).test(DecisionFacts({})) is False


def test_presence_can_be_asked_for() -> None:
    assert Condition("exists", "fact").test(DecisionFacts({"fact": 0}))
    assert not Condition("exists", "fact").test(DecisionFacts({}))
    assert Condition("missing", "fact").test(DecisionFacts({}))
    assert not Condition("missing", "fact").test(DecisionFacts({"fact": "x"}))
    outcomes = [
        explain(Condition(op, "fact"), DecisionFacts(facts))[0].outcome
        for op in ("exists", "missing")
        for facts in ({}, {"fact": 1})
    ]
    assert outcomes == ["absent", "matched", "matched", "not_matched"]


def test_groups_combine_and_stop_once_they_know() -> None:
    yes, no = Condition("exists", "here"), Condition("exists", "gone")
    facts = DecisionFacts({"here": 1})
    for op, parts, holds, evaluated in [
        ("all", (yes, yes), True, 2),
        ("all", (yes, no, yes), False, 2),
        ("any", (no, yes, no), True, 2),
        ("any", (no, no), False, 2),
        ("none", (no, no), True, 2),
        ("none", (yes, no), False, 1),
    ]:
        group = Condition(op, parts=parts)
        assert group.test(facts) is holds
        assert len(explain(group, facts)) == evaluated


def test_an_operator_that_is_not_known_or_has_no_value_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="'like' is not an operator"):
        Condition("like", "fact", "x")
    with pytest.raises(ValueError, match="can't be compared"):
        Condition("is", "fact")


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "a{1000000}"])
def test_a_pattern_that_cannot_be_searched_for_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        Condition("matches", "fact", pattern)


def test_a_pattern_that_makes_others_run_for_ever_does_not() -> None:
    assert not Condition("matches", "fact", "^(a+)+$").test(DecisionFacts({"fact": "a" * 5000 + "b"}))


@pytest.mark.parametrize("seen", [5, True, None, ["x"], {"x": 1}, "\ud800"])
def test_a_pattern_on_what_is_no_text_does_not_raise(seen: object) -> None:
    assert Condition("matches", "fact", ".*").test(DecisionFacts({"fact": seen})) is False


@pytest.mark.parametrize("op", ["account", "lead"])
def test_an_owner_can_be_asked_for(op: str) -> None:
    owned = Condition(op, value="owned")
    assert owned.test(OWNED)
    assert not owned.test(DecisionFacts({}))
    assert explain(owned, OWNED) == (Checked(op, op, "owned", "matched", "owned"),)
    assert explain(owned, DecisionFacts({})) == (Checked(op, op, "owned", "absent"),)


def test_a_leaf_that_needs_a_field_is_refused_without_one() -> None:
    with pytest.raises(ValueError, match="needs a field"):
        Condition("is", value="x")


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        (Condition("is", "inquiry.kind", "demo"), True),
        (Condition("signal", value=SignalTest("page_view")), True),
        (Condition("cel", value=compile_cel("lead.signals.size() > 1", {})), True),
        (Condition("cel", value=compile_cel("lead . inquiry.kind == 'demo'", {})), True),
        (Condition("cel", value=compile_cel("lead.company.employees > 1", {})), False),
        (Condition("is", "contact.country", "BE"), False),
        (Condition("account", value="owned"), False),
        (Condition("none", parts=(Condition("exists", "seats"), Condition("missing", "inquiry.campaign"))), True),
        (Condition("all", parts=(Condition("exists", "seats"),)), False),
    ],
)
def test_it_is_known_whether_a_condition_asks_what_was_done(condition: Condition, asks: bool) -> None:
    assert asks_what_was_done(condition) is asks


def test_conditions_are_values_and_hide_what_was_seen() -> None:
    assert Condition("is", "a", "x") == Condition("is", "a", "x")
    assert len({Condition("in", "a", ("x",)), Condition("in", "a", ("x",))}) == 1
    [checked] = explain(
        Condition("is", "contact.email", "a@b.example"), DecisionFacts({"contact.email": "jo@example.com"})
    )
    assert checked == Checked("contact.email", "is", "a@b.example", "not_matched", "jo@example.com")
    assert "jo@" not in repr(checked)


def inquiry(**more: Any) -> InquiryReceived:
    ordinary: dict[str, Any] = {"lead_id": "l", "inquiry_id": "i", "source": "web", "kind": "demo", "accepted_at": NINE}
    return InquiryReceived(**ordinary | {"contact": Contact()} | more)


def test_facts_go_by_their_dotted_names_and_unknown_ones_are_left_out() -> None:
    contact = Contact(email="jo@example.com", country="BE", job_title="")
    facts = facts_of(
        inquiry(contact=contact, company=Company(employees=0), campaign="q4", custom={"seats": 3, "x": None})
    )
    assert facts == {
        "inquiry.source": "web",
        "inquiry.kind": "demo",
        "inquiry.campaign": "q4",
        "contact.email": "jo@example.com",
        "contact.email_kind": "business",
        "contact.country": "BE",
        "company.employees": 0,
        "seats": 3,
    }


def test_every_built_in_fact_is_read_from_its_own_place() -> None:
    for name, kind in BUILT_IN.items():
        if name in ("contact.email", "contact.email_kind"):
            continue  # one follows from the other: see below
        group, _, field = name.partition(".")
        value = 7 if kind == "integer" else f"my {field}"
        parts: dict[str, Any] = {"contact": Contact(), "company": Company()}
        if group == "inquiry":
            parts[field] = value
        else:
            parts[group] = type(parts[group])(**{field: value})
        assert facts_of(inquiry(**{"source": "", "kind": ""} | parts)) == {name: value}


@pytest.mark.parametrize(
    ("email", "kind"),
    [
        ("jo@acme.example", "business"),
        ("jo@acme.co.uk", "business"),
        ("jo@mail.acme.com", "business"),
        ("jo@gmail.com", "free"),
        ("jo@GMX.net", "free"),
        ("jo@mailinator.com", "disposable"),
        ("jo@any.Mailinator.com", "disposable"),
        ("jo@yopmail.com", "disposable"),
        ("jo@not-mailinator.example", "business"),
    ],
)
def test_the_kind_of_a_mailbox_follows_from_the_address(email: str, kind: str) -> None:
    assert kind in EMAIL_KINDS
    facts = facts_of(inquiry(contact=Contact(email=email)))
    assert (facts["contact.email"], facts["contact.email_kind"]) == (email, kind)
    assert Condition("is", "contact.email_kind", kind).test(DecisionFacts(facts))


def test_without_an_address_there_is_no_kind_of_mailbox() -> None:
    assert "contact.email_kind" not in facts_of(inquiry(contact=Contact(phone="+32470123456")))


def test_a_custom_fact_cannot_stand_in_for_a_built_in_or_reserved_one() -> None:
    forged = {
        "contact.email": "forged@example.com",
        "contact.email_kind": "business",
        "company.employees": 9,
        "@account": "owned",
        "@lead": "owned",
        "@signals": (),
        "": "nameless",
    }
    assert facts_of(inquiry(contact=Contact(), custom=forged)) == {
        "inquiry.kind": "demo",
        "inquiry.source": "web",
        "": "nameless",
    }


NAMES = st.sampled_from(["a", "b", "c", "contact.email"])
TEXT = st.sampled_from(["", "x", "X", "xy", "Straße", "STRASSE", "5"])
NUMBER = st.one_of(st.integers(-2, 2), st.sampled_from([0.5, 2.0]))
MONEY = st.builds(Money, st.sampled_from([Decimal(1), Decimal("2.50")]), st.just("EUR"))
STRANGE = st.sampled_from(
    [
        None,
        True,
        False,
        [],
        ["x"],
        {},
        float("nan"),
        {"value": "2.5", "currency": "EUR"},
        {"value": "1", "currency": "USD"},
    ]
)
NOW = datetime(2026, 1, 10, tzinfo=UTC)
SIGNALS = st.builds(
    Signal,
    kind=st.sampled_from(["page_view", "webinar"]),
    at=st.sampled_from([NOW - timedelta(days=days) for days in (-1, 0, 2, 40)]),
    path=st.sampled_from([None, "/pricing", "/Pricing/?a=1", "/"]),
)
FACTS = st.builds(
    DecisionFacts,
    st.dictionaries(NAMES, st.one_of(TEXT, NUMBER, STRANGE)),
    st.sampled_from([None, NOW]),
    st.lists(SIGNALS, max_size=4).map(tuple),
    account_owned=st.booleans(),
    errors=st.builds(list),
)


def leaves_of(kind: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[Condition]:
    def leaf(op: str, name: str, listed: list[object]) -> Condition:
        if op in ("exists", "missing"):
            return Condition(op, name)
        if op == "matches":
            return Condition(op, name, f"^{listed[0]}.?$")
        many = {"in": listed, "not_in": listed, "between": [listed[0], listed[-1]]}
        return Condition(op, name, tuple(many[op]) if op in many else listed[0])

    return st.builds(leaf, st.sampled_from(OPERATORS[kind]), NAMES, st.lists(values, min_size=1, max_size=3))


FIELDS = {"a": "text", "b": "number", "c": "integer"}
FORMULAS = [
    compile_cel(text, FIELDS)
    for text in ("lead.b > 0.5", "lead.a == 'x' || lead.c > 0", "lead.signals.exists(s, s.age_days > 1)", "1 / 0 == 1")
]
SIGNAL_TESTS = st.builds(
    SignalTest,
    st.sampled_from(["page_view", "Webinar"]),
    st.sampled_from([{}, {"path": "/pricing"}]),
    st.sampled_from([None, 86400 * 30]),
    st.integers(1, 2),
)
WITHOUT_FIELD = st.one_of(
    st.sampled_from([Condition(op, value="owned") for op in ("account", "lead")]),
    st.sampled_from(FORMULAS).map(lambda formula: Condition("cel", value=formula)),
    SIGNAL_TESTS.map(lambda wanted: Condition("signal", value=wanted)),
)
LEAVES = st.one_of(
    leaves_of("text", TEXT),
    leaves_of("number", NUMBER),
    leaves_of("boolean", st.booleans()),
    leaves_of("money", MONEY),
    WITHOUT_FIELD,
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda op, parts: Condition(op, parts=tuple(parts)),
        st.sampled_from(GROUPS),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


def verdict(condition: Condition, outcomes: Iterator[Checked]) -> bool:
    """What the explanation says, worked out from its outcomes alone."""
    if condition.op not in GROUPS:
        checked = next(outcomes)
        assert checked.op == condition.op
        if condition.field:
            assert (checked.field, checked.expected) == (condition.field, condition.value)
        return checked.outcome == "matched"
    for part in condition.parts:
        holds = verdict(part, outcomes)
        if holds is (condition.op != "all"):
            return condition.op == "any"
    return condition.op != "any"


@given(CONDITIONS, FACTS)
def test_the_explanation_and_the_compiled_test_always_agree(condition: Condition, facts: DecisionFacts) -> None:
    outcomes = iter(explain(condition, facts))
    assert verdict(condition, outcomes) is condition.test(facts)
    assert next(outcomes, None) is None
    assert compile_condition(condition)(facts) is condition.test(facts)
    assert hash(condition) == hash(dataclasses.replace(condition))
    assert dataclasses.replace(condition) == condition
