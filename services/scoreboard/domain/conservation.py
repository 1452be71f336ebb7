"""Nothing is lost: every inquiry received has exactly one outcome, or is still on its way.

The three terms are counted apart (arrivals from what ingest announced, outcomes from the verdicts, the rest from the
inquiries that have none yet), so that they can disagree, and say so when they do.
"""

from collections.abc import Mapping

import msgspec

OUTCOMES = ("assigned", "parked", "rejected", "merged", "quarantined")
IN_FLIGHT = "in_flight"
RECEIVED = "received"


class Conservation(msgspec.Struct, frozen=True, kw_only=True):
    """The equation in inquiries. `missing` is how many the left side has too few (negative: too many); `why` says
    what that means.
    """

    received: int
    assigned: int
    parked: int
    rejected: int
    merged: int
    quarantined: int
    in_flight: int
    missing: int
    why: str

    @property
    def balanced(self) -> bool:
        """Whether both sides agree and no term is negative."""
        return not self.why


def conserve(counted: Mapping[str, int]) -> Conservation:
    """Set the counts against each other; a count that is absent is 0.

    >>> conserve({"received": 3, "assigned": 2, "in_flight": 1}).balanced
    True
    >>> conserve({"received": 1, "assigned": 2}).why
    '1 verdict is about an inquiry that has not been heard of yet. It settles when the inquiry arrives.'
    """
    terms = {name: counted.get(name, 0) for name in (RECEIVED, *OUTCOMES, IN_FLIGHT)}
    missing = sum(terms.values()) - 2 * terms[RECEIVED]
    return Conservation(**terms, missing=missing, why=_why(terms, missing))


def _why(terms: Mapping[str, int], missing: int) -> str:
    negative = [name for name, value in terms.items() if value < 0]
    if negative:
        return f"The count of {negative[0].replace('_', ' ')} is below zero: a counter is wrong."
    if missing == 1:
        return "1 verdict is about an inquiry that has not been heard of yet. It settles when the inquiry arrives."
    if missing > 1:
        return f"{missing} verdicts are about inquiries that have not been heard of yet. They settle when those arrive."
    if missing < 0:
        return f"{-missing} received without an outcome and not on their way either: a counter is wrong."
    return ""
