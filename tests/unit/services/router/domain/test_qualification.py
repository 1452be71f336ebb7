"""The score with its decay, what is remembered of earlier inquiries, and which rules were tried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.qualification import (
    Intent,
    Judgement,
    ScorePart,
    checks,
    faded,
    judge,
    routes,
    rules_tried,
)
from shared.domain.agreement import Agreement, Exclusion, Mql, Route, ScoreRule
from shared.domain.conditions import Condition, DecisionFacts, SignalTest, facts_of
from shared.domain.events import InquiryReceived
from shared.domain.lead import Company, Consent, Contact, Signal
from tests.kit import events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HALF_LIFE_S = 14 * 86400

DEMO = ScoreRule(40, "asked for a demo", Condition("is", "inquiry.kind", "demo_request"), intent=True)
PRICING = ScoreRule(
    20, "read the prices", Condition("signal", value=SignalTest("page_view", {"path": "/pricing"})), intent=True
)
SENIOR = ScoreRule(25, "decision maker", Condition("is", "contact.seniority", "director"))
FREE = ScoreRule(-30, "free mailbox", Condition("is", "contact.email_kind", "free"))


ANY_LEAD = Mql()


def agreement(
    *scoring: ScoreRule,
    half_life_s: int | None = HALF_LIFE_S,
    mql: Mql = ANY_LEAD,
    routing: tuple[Route, ...] = (),
    sql_needs: tuple[str, ...] = (),
) -> Agreement:
    return Agreement(
        name="a",
        version=1,
        hash="sha256:0",
        text="",
        timezone="UTC",
        effective_from=NOW,
        calendars={},
        people={},
        pools={},
        promises={},
        ladders={},
        scoring=scoring or (DEMO, PRICING, SENIOR, FREE),
        half_life_s=half_life_s,
        mql=mql,
        routing=routing,
        sql_needs=sql_needs,
    )


def inquiry(kind: str = "demo_request", *, ago: timedelta = timedelta(0), **more: Any) -> InquiryReceived:
    ordinary: dict[str, Any] = {
        "contact": Contact(seniority="director"),
        "company": Company(),
        "accepted_at": NOW - ago,
    }
    return events.inquiry(kind=kind, **ordinary | more)


def judged(
    deal: Agreement, asked: InquiryReceived, remembered: tuple[Intent, ...] = (), at: datetime = NOW
) -> Judgement:
    facts = DecisionFacts(facts_of(asked), at, asked.signals)
    return judge(deal, asked, facts, remembered)


def test_without_a_half_life_nothing_fades_and_nothing_is_remembered() -> None:
    asked = inquiry(ago=100 * DAY)
    judgement = judged(agreement(half_life_s=None), asked, (Intent("read the prices", 20, NOW),))
    assert (judgement.score, judgement.intents) == (65, ())
    assert judgement.reasons == ("asked for a demo", "decision maker")
    assert judgement.parts == (
        ScorePart("asked for a demo", 40.0, 40, asked.accepted_at),
        ScorePart("decision maker", 25.0, 25, None),
    )
    assert judge(agreement(half_life_s=None), asked, DecisionFacts(facts_of(asked))).score == 65


@pytest.mark.parametrize(("days", "points", "score"), [(0, 40.0, 65), (7, 28.3, 53), (14, 20.0, 45), (28, 10.0, 35)])
def test_points_for_what_was_done_halve_with_every_half_life_and_others_stay(
    days: int, points: float, score: int
) -> None:
    asked = inquiry(ago=days * DAY)
    judgement = judged(agreement(), asked)
    assert judgement.score == score
    assert judgement.parts == (
        ScorePart("asked for a demo", points, 40, asked.accepted_at),
        ScorePart("decision maker", 25.0, 25, None),
    )


def test_a_signal_counts_from_its_own_instant_and_the_newest_of_them() -> None:
    signals = tuple(Signal(kind="page_view", at=NOW - days * DAY, path="/pricing") for days in (28, 14, 50))
    judgement = judged(agreement(PRICING), inquiry(signals=signals))
    assert judgement.parts == (ScorePart("read the prices", 10.0, 20, NOW - 14 * DAY),)
    assert judgement.intents == (Intent("read the prices", 20, NOW - 14 * DAY),)


@pytest.mark.parametrize(
    ("occurred_days_ago", "counts_from"),
    [(None, NOW - 2 * DAY), (5, NOW - 5 * DAY), (1, NOW - 2 * DAY)],
)
def test_an_inquiry_counts_from_when_it_happened_and_never_later_than_it_was_accepted(
    occurred_days_ago: int | None, counts_from: datetime
) -> None:
    occurred_at = NOW - occurred_days_ago * DAY if occurred_days_ago is not None else None
    judgement = judged(agreement(DEMO), inquiry(ago=2 * DAY, occurred_at=occurred_at))
    assert judgement.parts[0].at == counts_from


def test_half_a_point_is_rounded_up_at_the_end_of_the_sum() -> None:
    one, other = replace(DEMO, add=1, reason="one"), replace(DEMO, add=2, reason="other")
    assert judged(agreement(one), inquiry(ago=14 * DAY)).score == 1
    assert judged(agreement(one, other), inquiry(ago=14 * DAY)).score == 2
    assert judged(agreement(replace(one, add=-1)), inquiry(ago=14 * DAY)).score == 0
    assert judged(agreement(replace(one, add=-3)), inquiry(ago=14 * DAY)).score == -1


def test_what_an_earlier_inquiry_showed_counts_faded_in_the_order_of_the_rules() -> None:
    first = judged(agreement(), inquiry(ago=14 * DAY), at=NOW - 14 * DAY)
    assert first.intents == (Intent("asked for a demo", 40, NOW - 14 * DAY),)
    later = judged(agreement(), inquiry("newsletter"), first.intents)
    assert later.score == 45
    assert later.reasons == ("asked for a demo", "decision maker")
    assert later.parts[0] == ScorePart("asked for a demo", 20.0, 40, NOW - 14 * DAY, remembered=True)
    assert later.intents == first.intents


def test_a_rule_that_matches_again_counts_once_from_the_newest_instant() -> None:
    remembered = (Intent("asked for a demo", 40, NOW - 14 * DAY),)
    again = judged(agreement(DEMO), inquiry(), remembered)
    assert (again.score, again.intents) == (40, (Intent("asked for a demo", 40, NOW),))
    assert again.parts == (ScorePart("asked for a demo", 40.0, 40, NOW),)
    late = judged(agreement(DEMO), inquiry(ago=28 * DAY), remembered)
    assert late.parts == (ScorePart("asked for a demo", 20.0, 40, NOW - 14 * DAY),)


def test_the_points_are_those_of_the_rule_as_it_is_now_and_without_a_rule_there_are_none() -> None:
    remembered = (Intent("asked for a demo", 40, NOW), Intent("gone", 99, NOW), Intent("decision maker", 99, NOW))
    judgement = judged(
        agreement(replace(DEMO, add=10), SENIOR), inquiry("newsletter", contact=Contact(phone="+3225")), remembered
    )
    assert judgement.parts == (ScorePart("asked for a demo", 10.0, 10, NOW, remembered=True),)
    assert set(judgement.intents) == {Intent("asked for a demo", 10, NOW), *remembered[1:]}


def test_two_rules_with_one_reason_do_not_count_the_same_memory_twice() -> None:
    twin = replace(DEMO, when=Condition("is", "inquiry.kind", "trial"))
    remembered = (Intent("asked for a demo", 40, NOW),)
    assert judged(agreement(DEMO, twin), inquiry("newsletter"), remembered).score == 40
    assert judged(agreement(DEMO, twin), inquiry(), remembered).score == 40
    assert judged(agreement(twin, DEMO), inquiry(), remembered).score == 40


def test_what_has_faded_below_half_a_point_is_forgotten() -> None:
    half_lives = 40 / 2**6, 40 / 2**7
    assert half_lives == (0.625, 0.3125)
    recent, gone = (Intent("asked for a demo", 40, NOW - 14 * n * DAY) for n in (6, 7))
    assert judged(agreement(DEMO), inquiry("newsletter"), (recent,)).intents == (recent,)
    judgement = judged(agreement(DEMO), inquiry("newsletter"), (gone,))
    assert (judgement.intents, judgement.parts) == ((), ())
    negative = Intent("asked for a demo", -40, NOW - 14 * 7 * DAY)
    assert judged(agreement(DEMO), inquiry("newsletter"), (negative,)).intents == ()


def test_at_most_fifty_intents_are_remembered_the_newest_of_each_reason() -> None:
    many = tuple(Intent(f"r{n:02}", 1000, NOW - n * DAY) for n in range(60))
    older = tuple(Intent(f"r{n:02}", 1000, NOW - 70 * DAY) for n in range(60))
    assert judged(agreement(DEMO), inquiry("newsletter"), older + many).intents == many[:50]
    assert judged(agreement(DEMO), inquiry("newsletter"), many + older).intents == many[:50]


INTENTS = st.lists(
    st.builds(
        Intent,
        st.sampled_from(["asked for a demo", "read the prices", "decision maker", "other"]),
        st.integers(-50, 50),
        st.integers(0, 200).map(lambda days: NOW - days * DAY),
    ),
    max_size=8,
).map(tuple)


@given(INTENTS, st.booleans(), st.integers(0, 60))
def test_the_parts_say_what_the_score_is(remembered: tuple[Intent, ...], asks: bool, days: int) -> None:
    judgement = judged(agreement(), inquiry("demo_request" if asks else "newsletter", ago=days * DAY), remembered)
    assert abs(sum(part.points for part in judgement.parts) - judgement.score) <= 0.5 + 0.05 * len(judgement.parts)
    assert judgement.reasons == tuple(part.reason for part in judgement.parts)
    assert len({intent.reason for intent in judgement.intents}) == len(judgement.intents)
    assert all(abs(part.points) <= abs(part.full) for part in judgement.parts)
    again = judged(agreement(), inquiry("newsletter"), judgement.intents)
    assert set(again.intents) == set(judgement.intents)


def test_nothing_is_worth_more_than_at_first() -> None:
    assert faded(40, -5, 10) == 40
    assert faded(40, 10, 10) == 20
    assert faded(-40, 20, 10) == -10


def test_a_score_is_tried_with_what_is_remembered() -> None:
    deal = agreement(DEMO, mql=Mql(score_at_least=30))
    asked, remembered = inquiry("newsletter"), (Intent("asked for a demo", 40, NOW),)
    facts = DecisionFacts(facts_of(asked), NOW)
    assert judge(deal, asked, facts, remembered).qualified
    assert [(check.part, check.passed) for check in checks(deal, asked, facts, remembered)] == [
        ("score: 40 of 30", True)
    ]
    assert not judge(deal, asked, facts).qualified
    assert [(check.part, check.passed) for check in checks(deal, asked, facts)] == [("score: 0 of 30", False)]


DEFINITION = Mql(
    minimum_data=("contact.email",),
    consent_basis=("opt_in",),
    exclude=(Exclusion("throw-away address", Condition("is", "contact.email_kind", "disposable")),),
    fit=Condition(">=", "company.employees", 50),
    score_at_least=40,
)
GOOD: dict[str, Any] = {
    "contact": Contact(email="jo@acme.example"),
    "company": Company(employees=80),
    "consent": Consent(basis="opt_in"),
}


@pytest.mark.parametrize(
    ("changed", "reason", "tried"),
    [
        ({}, "meets the definition of an MQL with 40 points", 5),
        ({"contact": Contact(phone="+3225550100")}, "minimum data: contact.email is missing", 1),
        ({"consent": None}, "consent: none given, the agreement asks for opt_in", 2),
        ({"contact": Contact(email="jo@mailinator.com")}, "excluded: throw-away address", 3),
        ({"company": Company(employees=8)}, "fit: the agreement's conditions for a good fit are not met", 4),
        ({"kind": "newsletter"}, "score: 0 points, the agreement asks for 40", 5),
    ],
)
def test_every_refusal_says_why_and_ends_the_trial(changed: dict[str, Any], reason: str, tried: int) -> None:
    deal, asked = agreement(DEMO, mql=DEFINITION), msgspec.structs.replace(inquiry(**GOOD), **changed)
    judgement = judged(deal, asked)
    assert (judgement.reason, judgement.qualified) == (reason, not changed)
    found = checks(deal, asked, DecisionFacts(facts_of(asked), NOW))
    assert [check.passed for check in found] == [True] * (tried - bool(changed)) + [False] * bool(changed)


ROUTING = (
    Route("known account", owner="account", when=Condition("account", value="owned")),
    Route("large", "strategic", Condition(">=", "company.employees", 1000)),
    Route("returning", owner="lead", when=Condition("lead", value="owned")),
    Route("everyone else", "benelux"),
)


def test_the_routes_that_hold_come_in_order() -> None:
    deal = agreement(routing=ROUTING)
    assert [rule.name for rule in routes(deal, DecisionFacts())] == ["everyone else"]
    assert [rule.name for rule in routes(deal, DecisionFacts(account_owned=True, lead_owned=True))] == [
        "known account",
        "returning",
        "everyone else",
    ]


def test_the_rules_tried_end_with_the_chosen_one_and_show_those_passed_over() -> None:
    deal, facts = agreement(routing=ROUTING), DecisionFacts({"company.employees": 5000}, account_owned=True)
    tried = rules_tried(deal, facts, "large")
    assert [(check.part, check.passed) for check in tried] == [("known account", True), ("large", True)]
    assert [check.compared[0].seen for check in tried] == ["owned", 5000]
    assert [(check.part, check.passed) for check in rules_tried(deal, DecisionFacts(), None)] == [
        ("known account", False),
        ("large", False),
        ("returning", False),
        ("everyone else", True),
    ]


def test_what_a_rep_still_has_to_confirm_is_listed() -> None:
    deal = agreement(sql_needs=("authority", "need", "timeline"))
    assert deal.unconfirmed(["timeline", "other", "authority"]) == ("need",)
    assert deal.unconfirmed(deal.sql_needs) == ()
    assert agreement().unconfirmed([]) == ()
