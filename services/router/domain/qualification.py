"""Whether an inquiry is a marketing qualified lead by the agreement's definition, with reasons.

Parts of the definition are checked in the order of the agreement, up to the first that fails. Deciding stores only the
outcome; what was compared is re-derived by the same functions on reading.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import floor

import msgspec

from shared.domain.agreement import Agreement, Mql, Pilot, Route, ScoreRule
from shared.domain.conditions import Checked, Condition, DecisionFacts, explain, last_done_at
from shared.domain.events import InquiryReceived, PilotArm, PromiseSegment
from shared.domain.lead import LeadStage
from shared.domain.segments import chosen, tried

REMEMBERED = 50
"""The maximum number of intents remembered per lead: the newest."""
MAX_ARMS = 20
FORGOTTEN_BELOW = 0.5
"""Points: what has faded below this is worth nothing once it is rounded, and is forgotten."""


class Intent(msgspec.Struct, frozen=True):
    """What someone did that a rule with this reason gave points for, and when."""

    reason: str
    add: int
    at: datetime


class ScorePart(msgspec.Struct, frozen=True):
    """What one rule gives: `points` now, to one decimal, of `full`. `at` is when it was done, None for what someone
    is; `remembered` when an earlier inquiry showed it, and this one does not.
    """

    reason: str
    points: float
    full: int
    at: datetime | None = None
    remembered: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """The result of the definitions. `reason` says why the inquiry is rejected or qualifies; `reasons` are those of the
    rules that count for the score, `parts` their points; `intents` are to be remembered for the lead. `segments` are
    those of promises in which it is as a lead.
    """

    qualified: bool
    stage: LeadStage
    reason: str
    score: int
    reasons: tuple[str, ...]
    intents: tuple[Intent, ...] = ()
    parts: tuple[ScorePart, ...] = ()
    segments: tuple[PromiseSegment, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """One part of the agreement, tried on one inquiry, with the comparisons that it was made of."""

    part: str
    passed: bool
    compared: tuple[Checked, ...] = ()


def judge(
    agreement: Agreement, inquiry: InquiryReceived, facts: DecisionFacts, remembered: tuple[Intent, ...] = ()
) -> Judgement:
    """Judge one inquiry; `remembered` are the intents of the judgement before.

    If the agreement has a half-life, points for what was done are `add * 0.5 ** (age / half_life)`: exponential decay,
    from the newest signal that the rule asks for, or the inquiry, to when the inquiry was accepted (`at`). The sum is
    rounded half up.
    An earlier inquiry's intent counts, decayed, while the agreement has an intent rule with its reason, with that
    rule's points. Without a half-life nothing decays and nothing is remembered.
    """
    if agreement.half_life_s is None:
        score, parts, intents = _scored(agreement, inquiry, facts)
    else:
        score, parts, intents = _scored_with_memory(agreement, agreement.half_life_s, inquiry, facts, remembered)
    reasons = tuple([part.reason for part in parts])
    for _, passed, refusal, _ in _definition(agreement.mql, inquiry, facts, score):
        if not passed:
            return Judgement(False, "inquiry", refusal, score, reasons, intents, parts)
    reason, segments = f"meets the definition of an MQL with {score} points", chosen(agreement, score, facts)
    return Judgement(True, "mql", reason, score, reasons, intents, parts, segments)


def excluded(agreement: Agreement, facts: DecisionFacts) -> bool:
    """Whether the agreement excludes an inquiry with these facts."""
    return any(each.when.test(facts) for each in agreement.mql.exclude)


def routes(agreement: Agreement, facts: DecisionFacts) -> Iterator[Route]:
    """The routing rules whose condition holds, in order; the last rule of an agreement always does."""
    return (rule for rule in agreement.routing if rule.when is None or rule.when.test(facts))


def pilot_for(agreement: Agreement, facts: DecisionFacts) -> Pilot | None:
    """The pilot that decides on an inquiry with these facts, if there is one."""
    return next((each for each in agreement.pilots if each.mode == "live" and each.scope.test(facts)), None)


def arms_for(agreement: Agreement, deciding: Pilot | None, facts: DecisionFacts) -> tuple[PilotArm, ...]:
    """The arms for an inquiry with these facts: that of the draft that decides, else that of the agreement in force in
    the first `MAX_ARMS` pilots with the inquiry in their scope.
    """
    if deciding is not None:
        return (PilotArm(deciding.name, "draft"),)
    in_scope = [each.name for each in agreement.pilots if each.scope.test(facts)]
    return tuple([PilotArm(name, "in_force") for name in in_scope[:MAX_ARMS]])


def checks(
    agreement: Agreement, inquiry: InquiryReceived, facts: DecisionFacts, remembered: tuple[Intent, ...] = ()
) -> tuple[Check, ...]:
    """What `judge` tried on this inquiry, in order, up to the first part that failed."""
    score = judge(agreement, inquiry, facts, remembered).score
    checked = []
    for part, passed, _, condition in _definition(agreement.mql, inquiry, facts, score):
        checked.append(_check(part, passed, condition, facts))
        if not passed:
            break
    return tuple(checked)


def rules_tried(agreement: Agreement, facts: DecisionFacts, route: str | None) -> tuple[Check, ...]:
    """The routing rules in order, up to the one with the name `route`, or all of them when none has it.

    `passed` says whether the condition held; rules before the chosen one whose condition held were skipped for another
    reason, such as an owner who is away.
    """
    checked = []
    for rule in agreement.routing:
        checked.append(_check(rule.name, rule.when is None or rule.when.test(facts), rule.when, facts))
        if rule.name == route:
            break
    return tuple(checked)


def segments_tried(
    agreement: Agreement, score: int, facts: DecisionFacts, segments: Iterable[PromiseSegment]
) -> tuple[Check, ...]:
    """Of each promise that goes by facts of the lead, the segments in order, up to the one in which the lead is."""
    checked = []
    for each in segments:
        promise = agreement.promises[each.promise]
        for number, segment in enumerate(tried(promise, each.segment), 1):
            needs = f", from {segment.at_least_score} points" if segment.at_least_score is not None else ""
            part = f"{promise.name}: {segment.within.text}{needs}"
            enough = segment.at_least_score is None or score >= segment.at_least_score
            checked.append(_check(part, number == each.segment, segment.when if enough else None, facts))
    return tuple(checked)


def faded(points: int, age_s: float, half_life_s: int) -> float:
    """What points for something done `age_s` seconds ago are worth, by exponential decay; never more than `points`."""
    return points * float(0.5 ** (max(0.0, age_s) / half_life_s))


_Scored = tuple[int, tuple[ScorePart, ...], tuple[Intent, ...]]


def _scored(agreement: Agreement, inquiry: InquiryReceived, facts: DecisionFacts) -> _Scored:
    matched = [rule for rule in agreement.scoring if rule.when.test(facts)]
    parts = [ScorePart(rule.reason, float(rule.add), rule.add, _done_at(rule, inquiry, facts)) for rule in matched]
    return sum([rule.add for rule in matched]), tuple(parts), ()


def _scored_with_memory(
    agreement: Agreement,
    half_life_s: int,
    inquiry: InquiryReceived,
    facts: DecisionFacts,
    remembered: tuple[Intent, ...],
) -> _Scored:
    now = facts.at
    if now is None:
        raise TypeError("the facts need the instant of the decision")
    known = _remembered(remembered, now, half_life_s)
    held = [(rule, rule.when.test(facts)) for rule in agreement.scoring]
    shown = {rule.reason for rule, holds in held if holds}
    intents, parts, total = dict(known), [], 0.0
    for rule, holds in held:
        before = known.get(rule.reason) if rule.intent else None
        at = before.at if before is not None else None
        if holds:
            done_at = _done_at(rule, inquiry, facts)
            at = max(done_at, at) if done_at is not None and at is not None else done_at
        elif at is None or rule.reason in shown:
            continue
        shown.add(rule.reason)
        points = float(rule.add) if at is None else faded(rule.add, (now - at).total_seconds(), half_life_s)
        parts.append(ScorePart(rule.reason, round(points, 1), rule.add, at, not holds))
        total += points
        if at is not None:
            intents[rule.reason] = Intent(rule.reason, rule.add, at)
    newest = sorted(_remembered(intents.values(), now, half_life_s).values(), key=lambda intent: intent.reason)
    newest.sort(key=lambda intent: intent.at, reverse=True)
    # Binary fractions may be slightly below the half that they represent; half is rounded up.
    return floor(round(total, 6) + 0.5), tuple(parts), tuple(newest[:REMEMBERED])


def _remembered(intents: Iterable[Intent], now: datetime, half_life_s: int) -> dict[str, Intent]:
    """The newest intent for each reason, without those that have decayed."""
    newest: dict[str, Intent] = {}
    for intent in intents:
        known = newest.get(intent.reason)
        if abs(faded(intent.add, (now - intent.at).total_seconds(), half_life_s)) >= FORGOTTEN_BELOW and (
            known is None or intent.at > known.at
        ):
            newest[intent.reason] = intent
    return newest


def _done_at(rule: ScoreRule, inquiry: InquiryReceived, facts: DecisionFacts) -> datetime | None:
    """When what the rule asks for was done; None when it asks what someone is."""
    if not rule.intent:
        return None
    signal_at = last_done_at(rule.when, facts)
    return signal_at or min(inquiry.occurred_at or inquiry.accepted_at, inquiry.accepted_at)


def _definition(
    mql: Mql, inquiry: InquiryReceived, facts: DecisionFacts, score: int
) -> Iterator[tuple[str, bool, str, Condition | None]]:
    """Each part of the definition, evaluated lazily: name, outcome, reason if it fails, condition."""
    for name in mql.minimum_data:
        yield f"minimum data: {name}", name in facts.values, f"minimum data: {name} is missing", None
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


def _check(part: str, passed: bool, condition: Condition | None, facts: DecisionFacts) -> Check:
    return Check(part, passed, explain(condition, facts) if condition is not None else ())
