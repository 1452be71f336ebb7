"""Nothing is lost: every inquiry that ingest accepted has exactly one outcome, or is still on its way.

The sides come from independent records. Ingest counts what it accepts, in the transaction that accepts it; outcomes are
counted from verdicts, the rest from the inquiries that have none yet. So both sides can't agree by missing the same
records.
"""

from collections.abc import Mapping

import msgspec

OUTCOMES = ("assigned", "parked", "rejected", "merged", "quarantined")
IN_FLIGHT = "in_flight"
RECEIVED = "received"
EARLY = "early"
"""Inquiries whose verdict was read before themselves: the two travel on topics of their own."""
ACCEPTANCES = "acceptances"
"""Acceptances that were read. Two ingest processes may each accept the same inquiry: one inquiry, two acceptances."""
DUE = "acceptances_due"
"""Acceptances that ingest counted and put on the log before a place that has been read by now."""
WRITTEN_OFF = "acceptances_written_off"
"""Acceptances that an operator has accepted as lost."""


class Conservation(msgspec.Struct, frozen=True, kw_only=True):
    """The equation in inquiries. `missing` is how many ingest accepted that nothing else knows of; `why` says what is
    wrong, if anything is.
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

    >>> conserve({"received": 3, "acceptances": 3, "acceptances_due": 2, "assigned": 2, "in_flight": 1}).balanced
    True
    >>> conserve({"early": 1, "assigned": 1}).balanced
    True
    >>> conserve({"received": 1, "acceptances": 1, "acceptances_due": 2, "assigned": 1}).missing
    1
    """
    terms = {name: counted.get(name, 0) for name in (*OUTCOMES, IN_FLIGHT)}
    heard, early = counted.get(RECEIVED, 0), counted.get(EARLY, 0)
    due = counted.get(DUE, 0) - counted.get(WRITTEN_OFF, 0)
    missing = max(due - counted.get(ACCEPTANCES, 0) - early, 0)
    received = heard + early + missing
    why = _why({RECEIVED: heard, EARLY: early, **terms}, missing)
    return Conservation(**terms, received=received, missing=missing, why=why)


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
