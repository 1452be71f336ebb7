"""In which segment of a promise a lead is, and how soon the promise is to be kept for it.

The router knows the facts of a lead, chooses, and publishes the choice with the assignment. All others go by that, and
by the score alone where a promise asks for nothing else.
"""

from collections.abc import Iterable

from shared.domain.agreement import Agreement, Duration, Promise, Segment
from shared.domain.conditions import DecisionFacts
from shared.domain.event import PromiseSegment

NONE = 0
"""The number of no segment."""


def chosen(agreement: Agreement, score: int, facts: DecisionFacts) -> tuple[PromiseSegment, ...]:
    """The segments in which a lead is, of each promise of sales that asks for its facts, in the agreement's order."""
    return tuple(
        [
            PromiseSegment(promise.name, _first(promise, score, facts))
            for promise in agreement.promises.values()
            if promise.asks_facts
        ]
    )


def tried(promise: Promise, number: int) -> tuple[Segment, ...]:
    """The segments that were tried until the one with this number was found: all of them if a lead is in none."""
    return promise.segments[: number or None]


def within(promise: Promise, score: int, segments: Iterable[PromiseSegment] = ()) -> Duration | None:
    """How soon the promise is to be kept for a lead with `score` that is in these `segments`; None if it is not
    promised. If none of its own are among them, segments that ask for facts do not apply.
    """
    if not promise.segments:
        return promise.within
    number = next((each.segment for each in segments if each.promise == promise.name), None)
    if number is None or not promise.asks_facts:
        number = _first(promise, score, None)
    return promise.segments[number - 1].within if NONE < number <= len(promise.segments) else None


def _first(promise: Promise, score: int, facts: DecisionFacts | None) -> int:
    numbered = enumerate(promise.segments, 1)
    return next((number for number, segment in numbered if _holds(segment, score, facts)), NONE)


def _holds(segment: Segment, score: int, facts: DecisionFacts | None) -> bool:
    if segment.at_least_score is not None and score < segment.at_least_score:
        return False
    return segment.when is None or (facts is not None and segment.when.test(facts))
