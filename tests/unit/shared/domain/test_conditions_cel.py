"""CEL: typed when it is read, with the place of a mistake; what fails when it runs counts as absent."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.conditions import CelRefused, Checked, Condition, DecisionFacts, compile_cel, explain
from shared.domain.conditions.cel import _environment
from shared.domain.lead import Signal

NOW = datetime(2026, 1, 10, tzinfo=UTC)
FIELDS = {
    "seats": "integer",
    "budget.amount": "money",
    "budget": "text",
    "need.timeline": "one_of",
    "rate": "number",
    "ok.flag": "boolean",
    "a.b_c": "text",
    "a_b.c": "text",
    "fooBar": "text",
    "foo_bar": "text",
    "no-name": "text",
    "signals.x": "text",
}
WEBINAR = Signal(kind="webinar", at=NOW - timedelta(days=3, hours=5))


def cel(text: str) -> Condition:
    return Condition("cel", value=compile_cel(text, FIELDS))


def decision_facts(seen: dict[str, Any]) -> DecisionFacts:
    values = {name: value for name, value in seen.items() if name != "signals"}
    return DecisionFacts(values, NOW, seen.get("signals", ()))


@pytest.mark.parametrize(
    ("text", "seen", "holds"),
    [
        ("lead.company.employees > 200", {"company.employees": 300}, True),
        ("lead.company.employees > 200", {"company.employees": 200.0}, False),
        ("lead.contact.country in ['BE', 'NL']", {"contact.country": "BE"}, True),
        ("lead.contact.country == 'be'", {"contact.country": "BE"}, False),
        ("lead.contact.email.matches('@acme[.]be$')", {"contact.email": "jo@acme.be"}, True),
        ("lead.inquiry.kind == 'demo'", {"inquiry.kind": "demo"}, True),
        ("lead.inquiry.kind == 'demo'", {}, False),
        ("has(lead.company.employees)", {"company.employees": 0}, True),
        ("has(lead.company.employees)", {}, False),
        ("has(lead.company)", {"company.name": "Acme"}, True),
        ("lead.company.employees == null", {}, True),
        ("lead.seats * 2 >= 10", {"seats": 5}, True),
        ("lead.rate > 0.5", {"rate": 1}, True),
        ("lead.ok.flag", {"ok.flag": True}, True),
        ("!lead.ok.flag", {"ok.flag": False}, True),
        ("lead.need.timeline == 'now'", {"need.timeline": "now"}, True),
        ("lead.budget.amount.value > 100.0", {"budget.amount": {"value": "500", "currency": "EUR"}}, True),
        ("lead.budget.amount.currency == 'USD'", {"budget.amount": {"value": "500", "currency": "EUR"}}, False),
        ("lead.a.b_c + lead.a_b.c == 'xy'", {"a.b_c": "x", "a_b.c": "y"}, True),
        ("lead.fooBar + lead.foo_bar == 'xy'", {"fooBar": "x", "foo_bar": "y"}, True),
        ("lead.signals.exists(s, s.kind == 'webinar' && s.age_days == 3)", {"signals": (WEBINAR,)}, True),
        ("lead.signals.exists(s, s.path != '')", {"signals": (WEBINAR,)}, False),
        ("lead.signals.size() == 0", {"signals": (Signal(kind="x", at=NOW + timedelta(seconds=1)),)}, True),
    ],
)
def test_an_expression_sees_the_facts(text: str, seen: dict[str, object], holds: bool) -> None:
    facts = decision_facts(seen)
    condition = cel(text)
    assert condition.test(facts) is holds
    assert explain(condition, facts) == (Checked("cel", "cel", text, "matched" if holds else "not_matched"),)
    assert not facts.errors


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("lead.company.emplyees > 1", 1, 13, "there is no `emplyees` in lead.company"),
        ("lead.compny.name == ''", 1, 5, "there is no `compny` in lead"),
        ("lead.score > 1", 1, 5, "there is no `score` in lead"),
        ("lead.seats > 1\n && company.name == ''", 2, 12, "`company.name` is not known here"),
        ("lead.company.employees > 'x'", 1, 24, "`>` does not fit a whole number and text"),
        ("lead.company.employees > 1.5", 1, 24, "write both as whole numbers"),
        ("lead.budget.amount.value > 100", 1, 26, "as decimals"),
        ("lead.signals.exists(s, s.knd == 'x')", 1, 25, "there is no `knd` in a signal"),
        ("lead.company.employees", 1, 1, "has to be true or false"),
        ("lead.seats > 1 &&", 1, 18, "Syntax error"),
        ("", 1, 1, "Syntax error"),
        ("lead.no == ''", 1, 5, "there is no `no` in lead"),
        ("lead.budget == 'x'", 1, 13, "does not fit lead.budget and text"),
    ],
)
def test_a_mistake_is_refused_with_its_place(
    text: str, line: int, column: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CelRefused) as refused:
        compile_cel(text, FIELDS)
    assert message in str(refused.value)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert "baton." not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "seen", "reason"),
    [
        ("lead.company.employees > 200", {}, "a fact that it needs is absent"),
        ("lead.company.employees > 200", {"company.employees": "many"}, "a fact that it needs is absent"),
        ("lead.company.employees > 200", {"company.employees": 2**70}, "a fact that it needs is absent"),
        ("lead.company.employees > 200", {"company.employees": float("inf")}, "a fact that it needs is absent"),
        ("lead.rate > 0.5", {"rate": 10**400}, "a fact that it needs is absent"),
        ("lead.ok.flag", {}, "a fact that it needs is absent"),
        ("1 / 0 == 1", {}, "divide by zero"),
        ("{'a': 1}[lead.company.name] == 1", {"company.name": "private"}, "Key not found in map"),
        ("lead.company.name.matches(lead.company.name)", {"company.name": "(private"}, "invalid regular expression"),
        ("lead.company.name == 'x'", {"company.name": "\ud800"}, "surrogates not allowed"),
        (
            "lead.signals.all(a, lead.signals.all(b, lead.signals.all(c, true)))",
            {"signals": (WEBINAR,) * 300},
            "Iteration budget exceeded",
        ),
    ],
)
def test_what_fails_counts_as_absent_and_says_so_once_without_the_value(
    text: str, seen: dict[str, object], reason: str
) -> None:
    facts = decision_facts(seen)
    condition, sentence = cel(text), f"cel `{text}`: {reason}"
    assert condition.test(facts) is False
    assert condition.test(facts) is False
    assert facts.errors == [sentence]
    assert explain(condition, facts) == (Checked("cel", "cel", text, "absent", sentence),)


def test_an_expression_is_equal_to_another_by_its_text_and_the_types_of_facts() -> None:
    assert cel("lead.seats > 1") == cel("lead.seats > 1")
    assert hash(cel("lead.seats > 1")) == hash(cel("lead.seats > 1"))
    assert cel("lead.seats > 1") != cel("lead.seats > 2")
    assert cel("lead.seats > 1").value != compile_cel("lead.seats > 1", {"seats": "integer"})


def test_where_the_library_is_missing_the_reason_is_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment.cache_clear()
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    with pytest.raises(CelRefused, match="needs the package cel-expr-python, which is not installed here") as refused:
        compile_cel("lead.seats > 1", FIELDS)
    assert refused.value.column == 0


def test_the_library_is_loaded_only_for_an_agreement_that_uses_it() -> None:
    loaded = "import sys, shared.domain.conditions; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert "shared.domain.conditions.cel" in names
    assert not {"cel_expr_python", "google.protobuf"} & set(names)
