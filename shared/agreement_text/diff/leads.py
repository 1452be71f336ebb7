"""What changed in what counts as a lead, and in how it is scored."""

from collections.abc import Iterator
from typing import TypeVar

from shared.agreement_text.conditions import condition_in_words, fact_in_words
from shared.agreement_text.diff.comparison import (
    by_name,
    conditions,
    durations,
    keyed,
    membership,
    moved,
    reads,
    titled,
)
from shared.agreement_text.phrases import quoted, seconds, spaced
from shared.domain.agreement import Agreement, Exclusion, ScoreRule

Rule = TypeVar("Rule", Exclusion, ScoreRule)


def qualification(old: Agreement, new: Agreement) -> Iterator[str]:
    """Definitions of qualified leads, of marketing and of sales."""
    was, now = old.mql, new.mql
    yield from membership("what we need to know", was.minimum_data, now.minimum_data, fact_in_words)
    yield from membership("the consent that counts", was.consent_basis, now.consent_basis, spaced)
    excluded, excludes = _by_reason(was.exclude), _by_reason(now.exclude)
    yield from keyed(
        excluded,
        excludes,
        lambda reason, rule: f"now also left out, as {quoted(spaced(reason))}, when {condition_in_words(rule.when)}",
        lambda reason, _: f"nobody is left out as {quoted(spaced(reason))} any more",
        lambda reason, before, after: conditions(f"leaving out as {quoted(spaced(reason))}", before.when, after.when),
    )
    for reason, before in moved(excluded, excludes):
        yield f"the reason {quoted(spaced(reason))} is now asked {_place(before)}"
    yield from conditions("the fit", was.fit, now.fit)
    yield from reads("the score that is needed", was.score_at_least, now.score_at_least, nothing="none")
    yield from durations("the time to hand over", was.hand_off_within, now.hand_off_within, "not promised")
    yield from membership("what a rep confirms for a sales qualified lead", old.sql_needs, new.sql_needs, spaced)


def scoring(old: Agreement, new: Agreement) -> Iterator[str]:
    """Points and how they fade."""
    yield from keyed(
        _by_reason(old.scoring),
        _by_reason(new.scoring),
        lambda reason, rule: f"new: {_points(rule.add)} for {quoted(reason)}, when {condition_in_words(rule.when)}",
        lambda reason, rule: f"gone: {_points(rule.add)} for {quoted(reason)}",
        lambda reason, was, now: titled("points for", reason, _rule(was, now)),
    )
    yield from reads(
        "the time after which half of the points for what someone did are left",
        old.half_life_s,
        new.half_life_s,
        seconds,
        "without end",
    )


def _rule(was: ScoreRule, now: ScoreRule) -> Iterator[str]:
    yield from reads("the number", was.add, now.add, _points)
    yield from conditions("the rule", was.when, now.when)
    if was.intent != now.intent:
        yield "they now fade" if now.intent else "they no longer fade"


def _by_reason(rules: tuple[Rule, ...]) -> dict[str, Rule]:
    return by_name(rules, lambda rule: rule.reason)


def _points(points: int) -> str:
    return f"{points:+d}".replace("-", "−")


def _place(before: str | None) -> str:
    return f"before {quoted(spaced(before))}" if before else "last"
