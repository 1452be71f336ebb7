"""Every operator and leaf reads as plain English."""

from decimal import Decimal

import pytest

from shared.agreement_text.conditions import FACTS, condition_in_words, lead_in_words
from shared.domain.conditions import BUILT_IN, GROUPS, OPERATORS, Condition, Money, SignalTest, compile_cel

BE = Condition("is", "contact.country", "BE")
LARGE = Condition(">=", "company.employees", 1000)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (BE, "the person's country is “BE”"),
        (Condition("is_not", "contact.country", "BE"), "the person's country is something other than “BE”"),
        (Condition("in", "contact.country", ("BE", "NL", "LU")), "the person's country is “BE”, “NL” or “LU”"),
        (Condition("not_in", "seats", (1, 2)), "“seats” is something other than 1 or 2"),
        (Condition(">", "company.employees", 50), "the company's number of employees is more than 50"),
        (LARGE, "the company's number of employees is at least 1,000"),
        (Condition("<", "usage.score", 0.5), "the usage's score is less than 0.5"),
        (
            Condition("<=", "budget.amount", Money(Decimal("5000.00"), "EUR")),
            "the budget's amount is at most 5,000 EUR",
        ),
        (Condition("between", "need.seats", (5, 50)), "the need's seats is between 5 and 50"),
        (Condition("contains", "contact.job_title", "head of"), "the person's job title contains “head of”"),
        (Condition("starts_with", "contact.phone", "+32"), "the person's phone number starts with “+32”"),
        (Condition("ends_with", "company.domain", ".example"), "the company's internet domain ends with “.example”"),
        (Condition("exists", "contact.phone"), "the person's phone number is known"),
        (Condition("missing", "company.size_band"), "the company's size band is not known"),
        (Condition("is", "customer", True), "“customer” is yes"),
        (
            Condition("all", parts=(LARGE, Condition("any", parts=(BE, Condition("exists", "contact.phone"))))),
            "the company's number of employees is at least 1,000 and "
            "(either the person's country is “BE” or the person's phone number is known)",
        ),
        (Condition("none", parts=(BE,)), "it is not so that the person's country is “BE”"),
        (
            Condition("none", parts=(BE, LARGE)),
            "none of these is so: the person's country is “BE”; the company's number of employees is at least 1,000",
        ),
    ],
)
def test_a_condition_reads_as_a_clause(condition: Condition, words: str) -> None:
    assert condition_in_words(condition) == words


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition("matches", "contact.email", "^.*@x$"), "the person's e-mail address matches the pattern “^.*@x$”"),
        (
            Condition("signal", value=SignalTest("page_view", {"path": "/pricing"}, 30 * 86_400, 2)),
            "there were at least 2 page views of /pricing in the last 30 days",
        ),
        (Condition("signal", value=SignalTest("webinar")), "there was at least one signal “webinar”"),
        (
            Condition("signal", value=SignalTest("content_download", {"content_id": "roi"}, at_least=3)),
            "there were at least 3 signals “content download” with the content id “roi”",
        ),
        (
            Condition("cel", value=compile_cel("lead.company.employees > 3", {})),
            "this formula holds: lead.company.employees > 3",
        ),
        (Condition("account", value="owned"), "someone already owns the lead's company"),
        (Condition("lead", value="owned"), "someone had this lead before"),
    ],
)
def test_what_asks_for_more_than_a_fact_reads_as_well(condition: Condition, words: str) -> None:
    assert condition_in_words(condition) == words


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (None, "a lead"),
        (LARGE, "a lead from a company with at least 1,000 employees"),
        (Condition("<", "company.employees", 1), "a lead from a company with less than 1 employee"),
        (Condition("between", "company.employees", (10, 50)), "a lead from a company with between 10 and 50 employees"),
        (Condition("in", "contact.country", ("BE", "NL")), "a lead from BE or NL"),
        (Condition("account", value="owned"), "a lead whose company someone already owns"),
        (Condition("lead", value="owned"), "a lead that someone already had before"),
        (Condition("exists", "contact.phone"), "a lead for which the person's phone number is known"),
    ],
)
def test_a_sentence_about_leads_begins_with_who_they_are(condition: Condition | None, words: str) -> None:
    assert lead_in_words(condition) == words


def test_every_built_in_fact_has_words_of_its_own() -> None:
    assert set(BUILT_IN) <= set(FACTS)
    assert len(set(FACTS.values())) == len(FACTS)


def test_every_operator_reads_differently() -> None:
    values: dict[str, object] = {"between": (1, 2), "in": (1, 2), "not_in": (1, 2), "exists": None, "missing": None}
    values |= dict.fromkeys(("contains", "starts_with", "ends_with", "matches"), "1")
    operators = {op for fitting in OPERATORS.values() for op in fitting}
    words = {condition_in_words(Condition(op, "seats", values.get(op, 1))) for op in operators}
    assert len(words) == len(operators)
    assert not operators & set(GROUPS)
