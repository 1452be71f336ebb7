"""Agreement files: every mistake is reported with its place and what would be right; a good file becomes one value."""

import contextlib
import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from shared.agreement_file import AgreementRefused, load, parse
from shared.agreement_file.schema.unsupported import NOT_BUILT
from shared.agreement_file.text import yaml_document
from shared.domain.agreement import Agreement, Duration, FactType, Segment, Step
from shared.domain.conditions import DecisionFacts
from shared.domain.errors import Misconfigured
from shared.domain.not_watched import NOT_WATCHED

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "agreement.example.yaml"
GUIDE = ROOT / "docs" / "agreement.md"

DATA = ROOT / "tests" / "data" / "agreement"
GOOD = (DATA / "deal.yaml").read_text()
BEGINS = "an agreement is a mapping that begins with a line like `agreement: my-agreement`"
MISTAKES = YAML(typ="safe", pure=True).load(DATA / "mistakes.yaml")
ODDITIES = YAML(typ="safe", pure=True).load(DATA / "oddities.yaml")


def findings_of(text: str) -> list[str]:
    with pytest.raises(AgreementRefused) as refused:
        parse(text, "deal.yaml")
    return [str(finding) for finding in refused.value.findings]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[each["new"].strip()[:50] or "removed" for each in MISTAKES])
def test_a_mistake_is_reported_with_line_column_and_correction(mistake: dict[str, Any]) -> None:
    assert findings_of(changed(mistake["old"], mistake["new"])) == mistake["says"]


def test_a_ladder_of_hand_offs_needs_a_time_for_them_and_cannot_tell_a_rep() -> None:
    climbing = changed("\nladders:", "\n  operations:\n    hand_off: {ladder: response}\nladders:")
    line = climbing.splitlines().index("    hand_off: {ladder: response}") + 1
    what = "there is no time for it: add `hand_off_within` under `definitions`, `mql`"
    assert findings_of(climbing) == [f"{line}:5: {what}"]
    timed = climbing.replace("    score:", "    hand_off_within: 2 minutes\n    score:")
    who = "no rep has the lead yet: tell `ops`, or another role that is on duty"
    assert findings_of(timed) == [f"{line + 1}:24: {who}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"1:1: the file is empty: {BEGINS}"),
        ("# hi\n", f"1:1: the file is empty: {BEGINS}"),
        ("\n- a\n", f"2:1: this is no mapping: {BEGINS}"),
        ("a: \x01", "1:4: the character U+0001 is not allowed in YAML: remove it"),
        (GOOD + "---\na: 1\n", "51:1: a second document begins here: an agreement is one document"),
        (
            changed("{field: inquiry.kind, op: is, value: demo_request}", "{any: [" * 30 + "]}" * 30),
            "23:180: groups are nested too deeply: write the condition with fewer of them",
        ),
        ("a: b: c", "1:5: a second colon in one line, or wrong indentation: put text that holds `: ` in quotes"),
        ("[" * 100_000, "1:101: lists or mappings are nested too deeply: use at most 100 levels"),
        (changed("[price]", '["\\ud800"]'), "50:16: half of a character (a lone surrogate): write the whole one"),
        (changed("price", "9" * 5000), f"50:16: `{'9' * 60}` can't be read as int: put it in quotes if it is text"),
    ],
    ids=lambda text: text[:40] or "nothing",
)
def test_text_that_is_not_a_document_is_refused(text: str, expected: str) -> None:
    assert findings_of(text) == [expected]


def test_a_file_with_too_many_values_is_refused_where_it_exceeds_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document, "MAX_NODES", 50)
    assert findings_of("[" + "a, " * 60 + "]") == ["1:149: the file has more than 50 keys and values: make it shorter"]


def test_rules_whose_points_add_up_to_more_than_a_score_can_have_are_refused() -> None:
    rule = '  - {add: 1000000, reason: large, when: {field: company.employees, op: ">=", value: 50}}\n'
    assert findings_of(changed("scoring:\n", "scoring:\n" + rule * 2_148)) == [
        "23:3: the points of all rules come to 2148000050: a score can have 2147483647 at most"
    ]


def test_everyone_in_a_circle_is_named_once_and_a_long_chain_of_managers_is_no_circle() -> None:
    def person(n: int, manager: int) -> str:
        return f"  - {{id: p{n}, email: p{n}@acme.example, calendar: office, reports_to: p{manager}}}\n"

    chain = "".join(person(n, n + 1) for n in range(1_000))
    assert parse(changed("people:\n", f"people:\n{chain}  - {{id: p1000, email: p1000@a.example}}\n"), "deal.yaml")
    circle = person(0, 1) + person(1, 2) + person(2, 3) + person(3, 1)
    [finding] = findings_of(changed("people:\n", "people:\n" + circle))
    assert finding.endswith(
        "`p1` reports to `p2`, who reports to `p3`, who reports to `p1`: someone has to be at the top"
    )


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = changed("version: 1", "version: 0").replace("calendar: office", "calendar: offce")
    text = text.replace("ladder: resp", "ladder: rasp")
    assert findings_of(text) == [
        "2:10: `version` should be 1 or more, not `0`",
        "26:50: unknown calendar `offce`; did you mean `office`?",
        "27:50: unknown calendar `offce`; did you mean `office`?",
        "39:15: unknown ladder `rasponse`; did you mean `response`?",
    ]


def test_a_ladder_that_notifies_only_a_manager_the_rep_does_not_have_is_refused() -> None:
    text = changed("tell: [rep]", "tell: [manager]").replace("[rep, manager], page: true", "[manager]")
    [finding] = findings_of(text.replace("office, reports_to: mia", "office"))
    assert finding.startswith("41:3: the manager is told, but ann, bob can own leads without a `reports_to`")


def test_every_missing_block_is_named() -> None:
    missing = [text.split("`")[1] for text in findings_of("{}")]
    assert missing == [
        *("agreement", "approved_by", "calendars", "effective_from", "ladders", "people", "pools", "promises"),
        *("routing", "timezone", "version"),
    ]


def test_one_wrong_block_does_not_make_the_others_look_wrong() -> None:
    assert findings_of(changed("{hours:", "{hour:")) == ["15:12: unknown key `hour`; did you mean `hours`?"]
    undeclared = changed("amount: money", "amount: mony").replace('op: "<", value: 10', "op: is, value: 1")
    assert len(findings_of(undeclared.replace("company.employees, op: is", "budget.amount, op: is"))) == 1
    assert findings_of(changed("id: mia,", "id: mia, age: 3,")) == [
        "28:15: unknown key `age`; known: id, email, calendar, languages, skills, territories, reports_to, "
        "deputy, on_leave, role, max_open, max_new_per_day, active"
    ]


def test_a_refusal_names_the_file_and_can_be_shown_as_a_misconfiguration() -> None:
    with pytest.raises(Misconfigured) as refused:
        parse(changed("version: 1", "version: one"), "deal.yaml")
    assert refused.value.detail == "deal.yaml:2:10: `version` should be a whole number, not `one`"
    assert isinstance(refused.value, AgreementRefused)
    assert refused.value.findings[0].code == "wrong_type"


@pytest.mark.parametrize("path", sorted(NOT_BUILT, key=str), ids=lambda path: ".".join(map(str, path)))
def test_what_is_not_built_is_refused_by_name(path: tuple[str]) -> None:
    [key] = path
    assert findings_of(f"{GOOD}{key}: {{x: 1}}\n") == [f"51:1: `{key}` is not built yet: remove it"]


@pytest.mark.parametrize("oddity", ODDITIES, ids=[each["says"][:50] for each in ODDITIES])
def test_what_endangers_no_lead_is_a_warning(oddity: dict[str, str]) -> None:
    loaded = parse(changed(oddity["old"], oddity["new"]), "deal.yaml")
    assert oddity["says"] in [str(warning) for warning in loaded.warnings]
    assert len(loaded.warnings) <= 2


def test_a_good_file_has_no_warnings_and_becomes_the_agreement() -> None:
    loaded = parse(GOOD, "deal.yaml")
    assert loaded.warnings == ()
    deal: Agreement = loaded.agreement
    assert (deal.name, deal.version, deal.timezone, deal.currency) == ("test-deal", 1, "Europe/Brussels", "EUR")
    assert deal.effective_from == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert deal.effective_from.tzinfo is UTC
    assert deal.text == GOOD
    assert deal.approved_by["sales"].on == date(2025, 12, 1)
    assert deal.fields["need.timeline"] == FactType("one_of", ("now", "later"))
    assert list(deal.people) == ["ann", "bob", "mia"]
    assert deal.people["ann"].calendar is deal.calendars["office"]
    assert deal.people["mia"].calendar is None
    assert dict(deal.pools["benelux"].members) == {"ann": 2, "bob": 1}
    assert deal.pools["benelux"].park_in == "triage"
    assert [(route.name, route.pool, route.when is None) for route in deal.routing] == [
        ("small", "benelux", False),
        ("everyone else", "benelux", True),
    ]
    assert deal.routing[0].when is not None
    assert deal.routing[0].when.test(DecisionFacts({"company.employees": 9}))
    assert deal.mql.minimum_data == ("contact.email",)
    assert deal.mql.exclude[0].when.test(DecisionFacts({"contact.seniority": "Student"}))
    assert [rule.add for rule in deal.scoring] == [40, 10]
    assert deal.reject_reasons["other"].needs_text
    assert not deal.reject_reasons["no_budget"].needs_text
    assert deal.objections == ("price",)


def test_a_calendar_has_its_hours_its_public_holidays_and_its_closed_days() -> None:
    office = parse(GOOD, "deal.yaml").agreement.calendars["office"]
    assert office.zone == "Europe/Brussels"
    assert office.weekly[4] == ((9 * 3600, 12 * 3600 + 1800), (13 * 3600 + 1800, 18 * 3600))
    assert office.weekly[5] == ()
    assert {date(2026, 7, 21), date(2026, 12, 24), date(2031, 7, 21)} <= office.holidays
    assert date(2026, 12, 23) not in office.holidays


def test_days_may_run_over_the_end_of_the_week_and_hours_over_midnight() -> None:
    text = changed("{mon-fri: [09:00-12:30, 13:30-18:00]}", "{fri-mon: ['22:00 - 06:00'], wed: [00:00-24:00]}")
    weekly = parse(text, "deal.yaml").agreement.calendars["office"].weekly
    assert [day for day in range(7) if weekly[day]] == [0, 2, 4, 5, 6]
    assert weekly[6] == ((22 * 3600, 6 * 3600),)
    assert weekly[2] == ((0, 86_400),)


def test_a_promise_counts_on_its_own_clock() -> None:
    rep = parse(GOOD, "deal.yaml").agreement.promises["first_response"]
    assert rep.within == Duration(900, business=True, text="15 minutes")
    wall = "      clock: wall\n      when: {score: {at_least: 20}}\n      otherwise: {within: 1 day}\n"
    promise = parse(changed("      met_by", f"{wall}      met_by"), "deal.yaml").agreement.promises["first_response"]
    first, second = promise.segments
    assert (promise.within, first.within.business, first.at_least_score) == (first.within, False, 20)
    assert second == Segment(Duration(86_400, business=False, text="1 day"))


def test_the_steps_of_a_ladder_keep_their_order_and_kind() -> None:
    text = changed("at: 15 minutes, move: {within: pool}", "at: 1 business hour, tell: [ops], if: unanswered")
    ladder = parse(text, "deal.yaml").agreement.ladders["response"]
    assert ladder.steps == (
        Step(1, -300, tell=("rep",)),
        Step(2, 0, tell=("rep", "manager"), page=True),
        Step(3, 3600, business=True, tell=("ops",), if_unanswered=True),
    )
    assert (ladder.repeats, ladder.repeat_every_s) == (2, 1800)


def test_money_numbers_and_truth_values_can_be_compared() -> None:
    budget = "{field: budget.amount, op: between, value: [5000 EUR, 9000.50 EUR]}"
    news = "{field: newsletter, op: is, value: true}"
    text = changed("    score: {at_least: 40}", f"    fit: {{all: [{budget}, {news}]}}")
    fit = parse(text, "deal.yaml").agreement.mql.fit
    assert fit is not None
    assert fit.test(DecisionFacts({"budget.amount": {"value": "9000.50", "currency": "EUR"}, "newsletter": True}))
    assert not fit.test(DecisionFacts({"budget.amount": {"value": "9000.51", "currency": "EUR"}, "newsletter": True}))


def test_countries_and_words_of_older_yaml_stay_text() -> None:
    text = changed("[price]", "[NO, on, yes, 9:00]")
    assert parse(text, "deal.yaml").agreement.objections == ("NO", "on", "yes", "9:00")


def test_the_hash_follows_the_content_and_not_the_layout() -> None:
    first = parse(GOOD, "deal.yaml").agreement
    moved = changed("version: 1\n", "").replace("sales:\n", "sales:   # owed\n")
    laid_out = f"# signed in Ghent\n{moved}version: 1\n"
    assert parse(laid_out, "other.yaml").agreement.hash == first.hash
    assert first.hash.startswith("sha256:")
    assert len(first.hash) == len("sha256:") + 64
    assert parse(changed("ann: 2", "ann: 3"), "deal.yaml").agreement.hash != first.hash
    assert first.ref.hash == first.hash


def test_a_stored_text_gives_the_same_agreement_again() -> None:
    first = parse(GOOD, "deal.yaml").agreement
    assert parse(first.text, "store").agreement == first


def test_a_file_is_read_with_or_without_a_byte_order_mark_and_with_either_line_end(tmp_path: Path) -> None:
    path = tmp_path / "deal.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    loaded = load(path)
    assert loaded.agreement.text == GOOD.replace("\n", "\r\n")
    assert loaded.agreement.hash == parse(GOOD, "deal.yaml").agreement.hash


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nowhere.yaml: there is no such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(Misconfigured, match="the file can't be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"agreement: caf\xe9")
    with pytest.raises(Misconfigured, match=r"latin.yaml: byte 14 is not UTF-8"):
        load(tmp_path / "latin.yaml")


def test_the_example_loads_without_warnings_and_fast() -> None:
    load(EXAMPLE)  # the first one also imports the holidays of every country
    start = time.process_time()
    loaded = load(EXAMPLE)
    assert time.process_time() - start < 0.3
    assert loaded.warnings == ()
    assert list(loaded.agreement.people) == ["ann", "bob", "cleo", "mia"]
    assert loaded.agreement.calendars["always"].always


def test_the_examples_of_the_guide_make_an_agreement_that_loads() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    text = "".join(block for block in blocks if not block.startswith("when:")).replace("at_least: 80}", "at_least: 30}")
    [calendar] = re.findall(r"```ics\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    warnings = parse(text, "guide", {"draft.yaml": GOOD, "rota.ics": calendar}).warnings
    assert [warning.code for warning in warnings if warning.code != "not_enforced"] == ["unused", "unused"]


def test_every_condition_of_the_guide_can_be_used() -> None:
    conditions = [
        line
        for block in re.findall(r"```yaml\n(when:.*?)```", GUIDE.read_text(), re.DOTALL)
        for line in re.split(r"^when:", block, flags=re.MULTILINE)
        if line.strip()
    ]
    assert len(conditions) == 4
    for condition in conditions:
        indented = condition.rstrip().replace("\n", "\n        ")
        text = changed("when: {field: contact.seniority, op: is, value: student}}", "when: X}").replace(
            "      - {reason: student, when: X}", f"      - reason: student\n        when:{indented}"
        )
        assert parse(text, "guide").agreement.mql.exclude


def test_the_guide_names_everything_that_is_not_built() -> None:
    listed = GUIDE.read_text().partition("## Not built yet")[2]
    assert {".".join(map(str, path)) for path in NOT_BUILT} == set(re.findall(r"^- `([\w.]+)`", listed, re.MULTILINE))


def test_the_guide_names_everything_that_has_no_effect_yet() -> None:
    listed = GUIDE.read_text().partition("## Read, but without effect yet")[2].partition("\n## ")[0]
    assert list(NOT_WATCHED) == re.findall(r"^- `([\w.]+)`", listed, re.MULTILINE)


PIECES = re.findall(r"[\w.@]+|\s+|[^\w\s]", GOOD)
ODD = [
    "",
    "null",
    "[]",
    "{}",
    "5",
    "-1",
    "1.5",
    "true",
    "x",
    "[{x: 1}]",
    "{x: 1}",
    "&a",
    "*a",
    "!t",
    "'",
    ":",
    "- ",
    "\n",
    "2026-01-01",
]


@given(st.lists(st.tuples(st.integers(0, len(PIECES) - 1), st.sampled_from(ODD)), min_size=1, max_size=4))
def test_a_damaged_file_is_refused_or_read_and_never_fails_in_another_way(damage: list[tuple[int, str]]) -> None:
    pieces = list(PIECES)
    for place, instead in damage:
        pieces[place] = instead
    with contextlib.suppress(AgreementRefused):
        parse("".join(pieces), "deal.yaml")
