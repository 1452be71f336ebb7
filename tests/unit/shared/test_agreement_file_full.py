"""The whole language of the agreement file, on one example that uses all of it."""

import contextlib
import re
import shutil
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from shared.agreement_file import AgreementRefused, load, parse
from shared.domain.agreement import (
    Agreement,
    Channel,
    Commitment,
    Duration,
    Only,
    Promise,
    Queue,
    RejectReason,
    Step,
)
from shared.domain.conditions import Condition, DecisionFacts, SignalTest
from shared.domain.content_and_goals import Content, Goal
from shared.domain.errors import Misconfigured
from shared.domain.lead import Signal

DATA = Path(__file__).parents[3] / "tests" / "data"
FULL = DATA / "agreement_full.yaml"
TEXT = FULL.read_text()
DRAFT = (DATA / "draft.yaml").read_text()
MISTAKES = YAML(typ="safe", pure=True).load(DATA / "agreement" / "full_mistakes.yaml")
AT = datetime(2026, 12, 1, 9, tzinfo=UTC)


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text
    return text.replace(old, new, 1)


def read(text: str, draft: str = DRAFT) -> Agreement:
    return parse(text, "deal.yaml", {"draft.yaml": draft}).agreement


def findings_of(text: str, draft: str = DRAFT) -> list[str]:
    with pytest.raises(AgreementRefused) as refused:
        read(text, draft)
    return [str(finding) for finding in refused.value.findings]


def warnings_of(text: str) -> list[str]:
    return [str(warning) for warning in parse(text, "deal.yaml", {"draft.yaml": DRAFT}).warnings]


@pytest.fixture(scope="module")
def deal() -> Agreement:
    return load(FULL).agreement


@pytest.mark.parametrize("mistake", MISTAKES, ids=[each["new"].strip()[:50] or "removed" for each in MISTAKES])
def test_a_mistake_is_reported_with_line_column_and_correction(mistake: dict[str, Any]) -> None:
    assert findings_of(changed(mistake["old"], mistake["new"])) == mistake["says"]


def test_the_whole_example_loads_with_warnings_that_endanger_no_lead() -> None:
    assert [f"{warning.line}: {warning.code}" for warning in load(FULL).warnings] == [
        "20: unused",
        "50: nowhere_to_move",
        "50: no_calendar",
        "75: no_manager",
        "81: no_manager",
        "82: no_channel",
        "82: no_channel",
        "98: not_enforced",
        "101: not_enforced",
    ]


def test_a_warning_says_what_is_odd_and_what_would_be_right() -> None:
    warnings = warnings_of(TEXT)
    always = "50:25: `mia` has no calendar, so their time runs day and night: give them one under `people`"
    assert always in warnings
    assert "98:1: `content` is read and checked, but has no effect yet" in warnings


def test_a_field_that_a_hand_off_does_not_carry_is_warned_of() -> None:
    text = TEXT.replace("fields: [contact.phone, company.employees]", "fields: [contact.phone, budget.amount]")
    said = "`budget.amount` is not handed over with a lead, so it does not count: name contact and company"
    assert any(warning.endswith(said) for warning in warnings_of(text))


def test_people_have_limits_and_pools_a_strategy_and_a_queue(deal: Agreement) -> None:
    ann, bob, mia = deal.people.values()
    assert (bob.max_open, bob.max_new_per_day, bob.languages) == (30, 12, ("fr", "en"))
    assert (ann.max_open, ann.max_new_per_day, ann.active) == (None, None, True)
    assert (mia.role, mia.calendar) == ("manager", None)
    assert [pool.strategy for pool in deal.pools.values()] == ["weighted_turns", "least_open"]
    assert [pool.park_in for pool in deal.pools.values()] == ["triage", "strategic"]
    assert deal.queues == {"triage": Queue("triage", "mia"), "strategic": Queue("strategic", "mia")}


def test_skills_and_availability_of_people_are_read() -> None:
    text = changed("languages: [nl, en]", "skills: [enterprise], territories: [BE, LU], active: false")
    text = changed("strategy: weighted_turns", "only_in_hours: true", text)
    found = read(text)
    assert (found.people["ann"].skills, found.people["ann"].territories) == (("enterprise",), ("BE", "LU"))
    assert not found.people["ann"].active
    assert found.pools["benelux"].only_in_hours
    assert not found.pools["strategic"].only_in_hours


def test_people_may_have_a_deputy_and_their_own_word_on_leave() -> None:
    ann = "languages: [nl, en], reports_to: mia"
    text = changed(ann, f"{ann}, deputy: bob, on_leave: move")
    found = [(person.deputy, person.on_leave) for person in read(text).people.values()]
    assert found == [("bob", "move"), (None, "pause"), (None, "pause")]
    every = read(changed("currency: EUR", "currency: EUR\non_leave: move", changed(ann, f"{ann}, on_leave: pause")))
    assert [person.on_leave for person in every.people.values()] == ["pause", "move", "move"]
    unused = "44:98: a deputy gets leads only with `on_leave: move`; with `pause` they wait for their owner"
    assert unused in warnings_of(changed(ann, f"{ann}, deputy: bob"))


@pytest.mark.parametrize(
    ("deputy", "why"),
    [
        ("bbo", "unknown person `bbo`; did you mean `bob`?"),
        ("ann", "`ann` can't be their own deputy"),
        ("mia", "`mia` has no calendar and can't get leads: give them one"),
    ],
)
def test_a_deputy_is_someone_else_who_can_get_leads(deputy: str, why: str) -> None:
    [found] = findings_of(changed("languages: [nl, en]", f"languages: [nl, en], deputy: {deputy}, on_leave: move"))
    assert found.endswith(why)


def test_deputies_may_stand_in_for_each_other() -> None:
    text = changed("languages: [nl, en]", "languages: [nl, en], deputy: bob")
    assert read(changed("languages: [fr, en]", "languages: [fr, en], deputy: ann", text)).people["bob"].deputy == "ann"


def test_a_queue_may_name_its_owner_and_else_belongs_to_a_manager_or_the_first_member() -> None:
    assert read(changed("routing:", "queues: {triage: {owner: bob}}\nrouting:")).queues["triage"].owner == "bob"
    assert read(changed("routing:", "queues: {triage: {}}\nrouting:")).queues["triage"].owner == "mia"
    alone = TEXT.replace(", reports_to: mia", "")
    assert read(alone).queues["triage"].owner == "ann"
    spare = warnings_of(changed("routing:", "queues: {triage: {}, spare: {owner: mia}}\nrouting:"))
    assert "52:22: nothing uses `spare`" in spare


def test_rules_send_to_owners_and_to_members_who_fit(deal: Agreement) -> None:
    known, returning, large, french, everyone = deal.routing
    assert (known.pool, known.owner, known.when) == (None, "account", Condition("account", value="owned"))
    assert returning.owner == "lead"
    assert returning.when is not None
    assert returning.when.test(DecisionFacts(lead_owned=True))
    assert returning.unless_away_for == Duration(0, business=True, text="2 business days", days=2)
    assert (large.pool, large.owner, large.unless_away_for) == ("strategic", None, None)
    assert french.only == (Only("languages", ("fr",)),)
    assert (everyone.when, everyone.only) == (None, ())


def test_members_can_be_asked_for_what_the_lead_says() -> None:
    text = changed("only: {languages: fr}", "only: {territories: {field: contact.country}, languages: [fr, NL]}")
    assert read(text).routing[3].only == (
        Only("languages", ("fr", "NL")),
        Only("territories", (), "contact.country"),
    )


def test_members_who_each_meet_a_part_of_what_is_asked_are_not_enough() -> None:
    text = changed("languages: [nl, en]", "languages: [nl, en], skills: [Enterprise]")
    assert read(changed("only: {languages: fr}", "only: {languages: nl, skills: enterprise}", text)).routing[3].only
    assert findings_of(changed("only: {languages: fr}", "only: {languages: fr, skills: enterprise}", text)) == [
        "56:107: no active member of pool `benelux` meets all of this: widen it, or add someone"
    ]


def test_a_rule_with_an_owner_needs_no_condition_and_takes_no_lead_from_those_behind_it() -> None:
    text = changed("when: {lead: owned}, ", "")
    returning = read(text).routing[1]
    assert (returning.when, returning.owner) == (None, "lead")
    again = changed("when: {lead: owned}, to: {owner: lead}", "when: {account: owned}, to: {owner: lead}")
    assert read(again).routing[1].when == Condition("account", value="owned")


def test_points_for_behaviour_are_distinguished_from_points_for_profile(deal: Agreement) -> None:
    assert [(rule.add, rule.intent) for rule in deal.scoring] == [
        (40, True),
        (25, False),
        (10, True),
        (-30, False),
        (5, True),
    ]
    assert deal.half_life_s == 14 * 86_400
    pricing, webinar = deal.scoring[2].when, deal.scoring[4].when
    assert pricing.value == SignalTest("page_view", {"path": "/pricing"}, 30 * 86_400, 2)
    seen = (Signal(kind="page_view", at=AT, path="/pricing"), Signal(kind="webinar", at=AT))
    assert not pricing.test(DecisionFacts(signals=seen, at=AT))
    assert webinar.test(DecisionFacts({"company.employees": 201}, AT, seen))
    assert not webinar.test(DecisionFacts({"company.employees": 200}, AT, seen))


def test_a_mailbox_is_judged_by_its_kind(deal: Agreement) -> None:
    assert deal.mql.exclude[2].when.test(DecisionFacts({"contact.email_kind": "disposable"}))


def test_cel_may_stand_wherever_a_condition_may() -> None:
    cel = "{any: [{cel: lead.company.employees > 5}, {field: contact.email, op: matches, value: '@acme[.]example$'}]}"
    text = changed("when: {field: contact.seniority, op: is, value: student}", f"when: {cel}")
    when = read(text).mql.exclude[1].when
    assert when.test(DecisionFacts({"company.employees": 6}))
    assert when.test(DecisionFacts({"contact.email": "Ann@ACME.example"}))
    assert not when.test(DecisionFacts({"company.employees": 5, "contact.email": "ann@other.example"}))


def test_cel_without_its_package_is_refused_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    # A fact of its own, so that nothing made before for the same facts can be used.
    [finding] = findings_of(changed("company.industry: text", "only.here: text"))
    assert finding == (
        "40:47: `cel` needs the package cel-expr-python, which is not installed here (not every platform has it): "
        "install it, or write the condition with field, op and value"
    )


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("'lead.company.name == ''x'' || lead.nope'", "40:82"),
        ("lead.nope == 1", "40:51"),
        ('"lead.company.name == \\"x\\" || lead.nope"', "40:47"),
        ("|\n      lead.nope == 1", "42:10"),
    ],
    ids=["single quotes", "no quotes", "escapes", "a block"],
)
def test_a_mistake_in_cel_is_located_inside_the_expression_where_possible(written: str, place: str) -> None:
    line = next(line for line in TEXT.splitlines() if "cel:" in line)
    made = f"  - {{add: 5, reason: long-form interest, cel: {written}}}"
    if written.startswith("|"):
        made = f"  - add: 5\n    reason: long-form interest\n    cel: {written}"
    assert findings_of(changed(line, made)) == [f"{place}: there is no `nope` in lead"]


def test_sales_promises_attempts_and_a_disposition(deal: Agreement) -> None:
    first, attempts, disposition = deal.promises.values()
    assert (first.name, first.at_least, first.side) == ("first_response", 1, "sales")
    assert [each.within.text for each in first.segments] == ["15 minutes", "30 minutes", "1 hour"]
    assert attempts == Promise(
        "attempts",
        Duration(0, True, "5 business days", 5),
        ("call", "email"),
        "gentle",
        at_least=6,
        outcomes={"call": ("connected", "voicemail")},
    )
    assert first.by == "anyone"
    assert disposition.met_by == ("accepted", "rejected")
    assert disposition.within.days == 3
    assert deal.sql_needs == ("authority", "need", "timeline")


def test_an_offer_runs_out_and_its_ladder_should_move_the_lead() -> None:
    offer = "acceptance: {within: 2 hours, met_by: [accepted, rejected], ladder: response}\n    disposition: {"
    acceptance = read(changed("disposition: {", offer)).promises["acceptance"]
    assert acceptance.within == Duration(7200, business=True, text="2 hours")
    stays = changed("disposition: {", offer.replace("ladder: response", "ladder: gentle"))
    warning = "82:3: `acceptance` runs out without the lead moving on: add a step with `move` to ladder `gentle`"
    assert warning in warnings_of(stays)


def test_operations_owe_each_other_answers(deal: Agreement) -> None:
    assert deal.operations == {
        "triage": Promise("triage", Duration(0, True, "1 business day", 1), (), "gentle", side="operations"),
        "disputes": Promise("disputes", Duration(0, True, "2 business days", 2), (), "gentle", side="operations"),
    }
    assert deal.dispute_within == Duration(0, True, "2 business days", 2)
    wall = read(changed("parked_within: 1 business day", "parked_within: 4 hours")).operations["triage"]
    assert (wall.clock, wall.within.business, wall.within.seconds) == ("wall", False, 14_400)


def test_a_queue_whose_owner_has_no_manager_needs_a_ladder_that_notifies_someone_else() -> None:
    boss = "  boss: [{at: 0 minutes, tell: [manager]}]\n  gentle: ["
    text = changed("parked_within: 1 business day, ladder: gentle", "parked_within: 1 business day, ladder: boss")
    assert findings_of(changed("  gentle: [", boss, text)) == [
        "81:3: the manager is told, but mia can own leads without a `reports_to`: add it"
    ]


def test_marketing_commits_itself(deal: Agreement) -> None:
    assert list(deal.commitments.values()) == [
        Commitment("volume", Decimal(400), "month", "commitments"),
        Commitment("accepted_share", Decimal("0.6"), "month", "commitments"),
        Commitment("completeness", Decimal("0.8"), "week", "commitments", ("contact.phone", "company.employees")),
        Commitment("hand_off_latency", Decimal(120), "day", "commitments"),
    ]


def test_ladders_count_business_days_and_notify_both_sides(deal: Agreement) -> None:
    assert deal.ladders["gentle"].steps == (
        Step(1, 0, tell=("rep",)),
        Step(2, 0, business=True, after_days=1, tell=("manager",)),
    )
    assert deal.ladders["commitments"].steps[0].tell == ("marketing_lead", "sales_lead")


def test_feedback_channels_content_and_goals_are_read(deal: Agreement) -> None:
    assert deal.reject_reasons["unreachable"] == RejectReason("unreachable", only_after="attempts")
    assert deal.channels == (
        Channel("ops", "pagerduty", {"routing_key_from": "env:PAGERDUTY_KEY"}),
        Channel("manager", "slack", {"url_from": "file:/run/secrets/slack"}),
        Channel("rep", "email", {}),
    )
    assert deal.content == (Content("roi-sheet", "ROI sheet", "https://acme.example/roi", ("price",)),)
    assert deal.goals == (Goal("Q4 new revenue", "won_revenue", Decimal(500_000), date(2026, 12, 31), "team_chat"),)


def test_a_secret_in_the_file_is_not_repeated_by_the_refusal() -> None:
    for written in (
        "{slack: {url: https://hooks.example/secret}}",
        "{slack: {url_from: https://hooks.example/secret}}",
    ):
        [finding] = findings_of(changed("{slack: {url_from: file:/run/secrets/slack}}", written))
        assert "hooks.example" not in finding


def test_a_pilot_has_the_agreement_of_its_draft(deal: Agreement) -> None:
    [pilot] = deal.pilots
    assert (pilot.name, pilot.mode, pilot.agreement.name) == ("faster-benelux", "live", "emea-inbound-faster")
    assert pilot.scope.test(DecisionFacts({"inquiry.campaign": "q4-demo"}))
    assert pilot.agreement.promises["first_response"].within.seconds == 300
    assert deal.files == {"draft.yaml": DRAFT}
    assert parse(deal.text, "store", deal.files).agreement == deal


def test_the_hash_follows_the_content_of_the_drafts(deal: Agreement) -> None:
    assert read(TEXT, f"# another comment\n{DRAFT}").hash == deal.hash
    assert read(TEXT, changed("within: 5 minutes", "within: 6 minutes", DRAFT)).hash != deal.hash
    assert deal.pilots[0].agreement.hash == parse(DRAFT, "draft.yaml").agreement.hash


def test_a_mistake_in_a_draft_is_reported_with_its_file(tmp_path: Path) -> None:
    both = changed("version: 3", "version: 0")
    wrong = changed("  sales: {name: Head of Sales, on: 2026-11-20}\n", "", DRAFT) + "pilots: []\n"
    assert findings_of(both, wrong) == [
        "2:10: `version` should be 1 or more, not `0`",
        "draft.yaml:6:3: sales has not approved: both sides have to, or it does not take effect",
        "draft.yaml:36:1: a draft has no pilots of its own: remove the block",
    ]
    (tmp_path / "deal.yaml").write_text(both)
    (tmp_path / "draft.yaml").write_text("- a\n")
    with pytest.raises(AgreementRefused) as refused:
        load(tmp_path / "deal.yaml")
    assert refused.value.detail.startswith(f"{tmp_path}/deal.yaml:2:10: ")
    assert f"\n{tmp_path}/draft.yaml:1:1: this is no mapping" in refused.value.detail


def test_a_ladder_of_operations_that_would_move_a_lead_is_a_warning() -> None:
    moving = changed("ladders:", "ladders:\n  pass: [{at: 0 minutes, tell: [rep], move: {within: pool}}]")
    warnings = warnings_of(moving.replace("1 business day, ladder: gentle}", "1 business day, ladder: pass}"))
    line = moving.splitlines().index("  pass: [{at: 0 minutes, tell: [rep], move: {within: pool}}]") + 1
    assert f"{line}:3: `triage` climbs ladder `pass`, but no lead moves for a promise of operations" in warnings


def test_a_warning_in_a_draft_is_reported_with_its_file() -> None:
    odd = changed("ladders:", "ladders:\n  spare: [{at: 0 minutes, tell: [rep]}]", DRAFT)
    warnings = parse(TEXT, "deals/deal.yaml", {"draft.yaml": odd}).warnings
    assert str(warnings[-1]) == "deals/draft.yaml:36:3: nothing uses `spare`"
    assert {warning.file for warning in warnings[:-1]} == {""}


def test_a_draft_is_read_from_the_folder_of_the_agreement(tmp_path: Path) -> None:
    shutil.copy(FULL, tmp_path / "deal.yaml")
    with pytest.raises(AgreementRefused, match=r"deal.yaml:105:97: there is no file `draft.yaml`"):
        load(tmp_path / "deal.yaml")
    shutil.copy(DATA / "draft.yaml", tmp_path)
    assert load(tmp_path / "deal.yaml").agreement.files == {"draft.yaml": DRAFT}
    (tmp_path / "draft.yaml").write_bytes(b"\xe9")
    with pytest.raises(Misconfigured, match=r"draft.yaml: byte 0 is not UTF-8"):
        load(tmp_path / "deal.yaml")


PIECES = re.findall(r"[\w.@]+|\s+|[^\w\s]", TEXT)
ODD = ["", "null", "[]", "{}", "5", "-1", "true", "x", "[{x: 1}]", "{x: 1}", "mia", "gentle", "60%", "1 business day"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, len(PIECES) - 1), st.sampled_from(ODD)), min_size=1, max_size=3))
def test_a_damaged_file_is_refused_or_read_and_never_fails_in_another_way(damage: list[tuple[int, str]]) -> None:
    pieces = list(PIECES)
    for place, instead in damage:
        pieces[place] = instead
    with contextlib.suppress(AgreementRefused):
        read("".join(pieces))
