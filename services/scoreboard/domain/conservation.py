"""Nothing is lost: every inquiry that ingest accepted has exactly one outcome, or is still on its way.

The sides come from independent records. Ingest numbers what it accepts, in the transaction that accepts it; outcomes
are counted from verdicts, the rest from the inquiries that have none yet. So both sides can't agree by missing the same
records.
"""

from collections.abc import Mapping

import msgspec

OUTCOMES = ("assigned", "parked", "rejected", "merged", "quarantined")
IN_FLIGHT = "in_flight"
RECEIVED = "received"
EARLY = "early"
"""Inquiries whose verdict was read first: the two travel on different topics."""
MISSING = "missing"
"""Inquiry numbers that must have been read by now but were not."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of the equation, in inquiries. `missing` is how many ingest accepted without any other trace."""

    received: int
    assigned: int
    parked: int
    rejected: int
    merged: int
    quarantined: int
    in_flight: int
    missing: int


class Conservation(Terms, frozen=True, kw_only=True):
    """The equation; `why` says what is wrong, if anything."""

    why: str

    @property
    def balanced(self) -> bool:
        """Whether both sides agree and no term is negative."""
        return not self.why


def conserve(counted: Mapping[str, int]) -> Conservation:
    """Set the counts against each other; a count that is absent is 0.

    >>> conserve({"received": 3, "assigned": 2, "in_flight": 1}).balanced
    True
    >>> conserve({"early": 1, "assigned": 1}).balanced
    True
    >>> conserve({"received": 1, "missing": 1, "assigned": 1}).received
    2
    """
    terms = {name: counted.get(name, 0) for name in (*OUTCOMES, IN_FLIGHT)}
    read, early, missing = (counted.get(name, 0) for name in (RECEIVED, EARLY, MISSING))
    why = _why({RECEIVED: read, EARLY: early, **terms}, missing)
    return Conservation(**terms, received=read + early + missing, missing=missing, why=why)


def _why(terms: Mapping[str, int], missing: int) -> str:
    negative = [name for name, value in terms.items() if value < 0]
    if negative:
        return f"The count of {negative[0].replace('_', ' ')} is below zero: a counter is wrong."
    over = 2 * (terms[RECEIVED] + terms[EARLY]) - sum(terms.values())
    if over > 0:
        return f"{over} received without an outcome and not on their way either: a counter is wrong."
    if over < 0:
        return f"{-over} more outcomes than inquiries: a counter is wrong."
    if missing:
        what = "1 inquiry is" if missing == 1 else f"{missing} inquiries are"
        return f"{what} missing: ingest accepted more than the log gave the scoreboard to read."
    return ""
