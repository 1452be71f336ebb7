"""Whether an inquiry is a lead that marketing may hand over, by the agreement's definition of an MQL, with reasons for
everything.

Parts of the definition are tried in the order in which the agreement lists them, up to the first that fails.
Deciding keeps only the outcome; what was compared is worked out again, by the same functions, when somebody asks.
"""

from collections.abc import Iterator, Mapping

import msgspec

from shared.domain.agreement import Agreement, Mql, Route
from shared.domain.conditions import Checked, Condition, explain
from shared.domain.events import InquiryReceived

Facts = Mapping[str, object]


class Judgement(msgspec.Struct, frozen=True):
    """What the definitions say of an inquiry. `reason` says why it is refused, or why it is good."""

    qualified: bool
    stage: str
    reason: str
    score: int
    reasons: tuple[str, ...]


class Check(msgspec.Struct, frozen=True):
    """One part of the agreement, tried on one inquiry, with the comparisons that it was made of."""

    part: str
    passed: bool
    compared: tuple[Checked, ...] = ()


def judge(agreement: Agreement, inquiry: InquiryReceived, facts: Facts) -> Judgement:
    """Judge one inquiry; `facts` are its fields by dotted name (`shared.domain.conditions.facts_of`)."""
    matched = [rule for rule in agreement.scoring if rule.when.test(facts)]
    score, reasons = sum(rule.add for rule in matched), tuple(rule.reason for rule in matched)
    for _, passed, refusal, _ in _definition(agreement.mql, inquiry, facts, score):
        if not passed:
            return Judgement(False, "inquiry", refusal, score, reasons)
    return Judgement(True, "mql", f"meets the definition of an MQL with {score} points", score, reasons)


def route(agreement: Agreement, facts: Facts) -> Route:
    """The first routing rule that matches; the last one always does."""
    for rule in agreement.routing:
        if rule.when is None or rule.when.test(facts):
            return rule
    raise AssertionError("an agreement without a last rule does not load")


def checks(agreement: Agreement, inquiry: InquiryReceived, facts: Facts) -> tuple[Check, ...]:
    """What `judge` tried on this inquiry, in order, up to the first part that failed."""
    score = judge(agreement, inquiry, facts).score
    tried = []
    for part, passed, _, condition in _definition(agreement.mql, inquiry, facts, score):
        tried.append(_check(part, passed, condition, facts))
        if not passed:
            break
    return tuple(tried)


def rules_tried(agreement: Agreement, facts: Facts) -> tuple[Check, ...]:
    """The routing rules that `route` tried, in order; the last one matched."""
    chosen = route(agreement, facts)
    before = agreement.routing[: agreement.routing.index(chosen)]
    return (*(_check(r.name, False, r.when, facts) for r in before), _check(chosen.name, True, chosen.when, facts))


def _definition(
    mql: Mql, inquiry: InquiryReceived, facts: Facts, score: int
) -> Iterator[tuple[str, bool, str, Condition | None]]:
    """Each part of the definition, tried when it is asked for: name, outcome, what to say if it fails, condition."""
    for name in mql.minimum_data:
        yield f"minimum data: {name}", name in facts, f"minimum data: {name} is missing", None
    if mql.consent_basis:
        basis = inquiry.consent.basis if inquiry.consent else None
        wanted = " or ".join(mql.consent_basis)
        refusal = f"consent: {basis or 'none given'}, the agreement asks for {wanted}"
        yield f"consent: {basis or 'none'}", basis in mql.consent_basis, refusal, None
    for exclusion in mql.exclude:
        fine = not exclusion.when.test(facts)
        yield f"not excluded: {exclusion.reason}", fine, f"excluded: {exclusion.reason}", exclusion.when
    if mql.fit is not None:
        yield "fit", mql.fit.test(facts), "fit: the agreement's conditions for a good fit are not met", mql.fit
    if mql.score_at_least is not None:
        refusal = f"score: {score} points, the agreement asks for {mql.score_at_least}"
        yield f"score: {score} of {mql.score_at_least}", score >= mql.score_at_least, refusal, None


def _check(part: str, passed: bool, condition: Condition | None, facts: Facts) -> Check:
    return Check(part, passed, explain(condition, facts) if condition is not None else ())
