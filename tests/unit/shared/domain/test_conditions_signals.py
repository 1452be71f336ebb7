"""Signals: which of them a condition counts, and when the newest was sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.conditions import Checked, Condition, DecisionFacts, SignalTest, explain, last_done_at
from shared.domain.lead import Signal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY_S = 86400


def ago(kind: str = "page_view", *, days: float = 0, **more: str) -> Signal:
    return Signal(kind=kind, at=NOW - timedelta(days=days), **more)


def facts(*signals: Signal) -> DecisionFacts:
    return DecisionFacts(at=NOW, signals=signals)


def asks(*args: Any, **more: Any) -> Condition:
    return Condition("signal", value=SignalTest(*args, **more))


@pytest.mark.parametrize(
    ("condition", "signals", "counted", "holds"),
    [
        (asks("page_view"), [ago()], 1, True),
        (asks("Page_View"), [ago("PAGE_VIEW")], 1, True),
        (asks("page_view"), [ago("webinar")], 0, False),
        (asks("page_view", at_least=2), [ago()], 1, False),
        (asks("page_view", at_least=2), [ago(), ago(days=400)], 2, True),
        (asks("page_view", within_s=30 * DAY_S), [ago(days=30)], 1, True),
        (asks("page_view", within_s=30 * DAY_S), [ago(days=30.001)], 0, False),
        (asks("page_view"), [ago(days=-0.001)], 0, False),
        (asks("page_view", {"path": "/pricing"}), [ago(path="/pricing")], 1, True),
        (asks("page_view", {"path": "/pricing"}), [ago(path="/Pricing/?utm=x#top")], 1, True),
        (asks("page_view", {"path": "/pricing/"}), [ago(path="/pricing")], 1, True),
        (asks("page_view", {"path": "/pricing"}), [ago(path="/pricing/enterprise")], 0, False),
        (asks("page_view", {"path": "/pricing"}), [ago()], 0, False),
        (asks("download", {"content_id": "ROI-sheet"}), [ago("download", content_id="roi-sheet")], 1, True),
        (asks("download", {"content_id": "roi"}), [ago("download", content_id="roi-sheet")], 0, False),
        (asks("download", {"content_id": "a"}), [ago("download", content_id="a/?b")], 0, False),
        (
            asks("download", {"content_id": "roi", "path": "/x"}),
            [ago("download", content_id="roi", path="/y")],
            0,
            False,
        ),
    ],
)
def test_signals_are_counted(condition: Condition, signals: list[Signal], counted: int, holds: bool) -> None:
    assert condition.test(facts(*signals)) is holds
    [checked] = explain(condition, facts(*signals))
    assert (checked.field, checked.op) == (f"signal {condition.value.kind}", "signal")
    assert (checked.seen, checked.outcome) == (counted, "matched" if holds else "not_matched")


def test_without_signals_or_the_instant_the_condition_does_not_hold() -> None:
    condition = asks("page_view")
    assert not condition.test(DecisionFacts())
    assert not condition.test(DecisionFacts(signals=(ago(),)))
    assert explain(condition, facts()) == (Checked("signal page_view", "signal", "once", "absent", 0),)


def test_the_explanation_says_what_was_expected() -> None:
    condition = asks("page_view", {"path": "/pricing"}, 30 * DAY_S, 2)
    [checked] = explain(condition, facts(ago(path="/pricing")))
    assert checked.expected == "2 times, path /pricing, within 30 days"
    assert [SignalTest("x", {}, s).in_words() for s in (DAY_S, 7200, 90, 0)] == [
        "once, within 1 day",
        "once, within 2 hours",
        "once, within 90 seconds",
        "once, within 0 seconds",
    ]


def test_equal_tests_are_equal_conditions_and_what_differs_is_not() -> None:
    assert asks("a", {"path": "/x"}, 5, 2) == asks("a", {"path": "/x"}, 5, 2)
    assert len({asks("a", {"path": "/x"}), asks("a", {"path": "/x"}), asks("a", {"path": "/y"})}) == 2


@pytest.mark.parametrize("wrong", [{"matches": {"url": "/x"}}, {"at_least": 0}])
def test_a_test_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="can't be asked for"):
        SignalTest("page_view", **wrong)


def test_the_newest_signal_that_counts_says_when_it_was_done() -> None:
    seen = facts(ago(days=3, path="/x"), ago(days=1, path="/x"), ago(days=0), ago("webinar", days=2))
    views, webinar = asks("page_view", {"path": "/x"}), asks("webinar")
    assert last_done_at(views, seen) == NOW - timedelta(days=1)
    assert last_done_at(Condition("any", parts=(webinar, Condition("exists", "seats"))), seen) == NOW - timedelta(
        days=2
    )
    for parts in ((webinar, views), (views, webinar)):
        assert last_done_at(Condition("all", parts=parts), seen) == NOW - timedelta(days=1)


def test_the_inquiry_itself_says_when_if_it_is_asked_for_or_no_signal_counts() -> None:
    asked = Condition("is", "inquiry.kind", "demo")
    assert last_done_at(Condition("all", parts=(asks("page_view"), asked)), facts(ago(days=3))) is None
    assert last_done_at(asks("webinar"), facts(ago(days=3))) is None
    assert last_done_at(Condition("exists", "company.name"), facts(ago(days=3))) is None
