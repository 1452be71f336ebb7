"""How the first responses that were promised to the leads in one arm of a pilot turned out."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec


class ArmFigures(msgspec.Struct, frozen=True):
    """First responses promised with the first assignments of leads in one arm. `cancelled` are those of leads that
    moved or ended before they were due. `attainment` is the share met of those met or breached.
    `median_first_response_s` is the time, in seconds on the clock, within which half of these were given; a breached
    one counts as longer than all that were met. Both are null without data, the median also if it was breached.
    """

    met: int = 0
    breached: int = 0
    running: int = 0
    cancelled: int = 0
    attainment: Decimal | None = None
    median_first_response_s: float | None = None


def attainment(met: int, breached: int) -> Decimal | None:
    """The share met of what was met or breached; None if there was neither.

    >>> attainment(2, 1), attainment(0, 0)
    (Decimal('0.6667'), None)
    """
    judged = met + breached
    return (Decimal(met) / judged).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if judged else None


def median_places(met: int, breached: int) -> tuple[int, ...]:
    """The places, from 0, of the response times that the median is the mean of, in order of time; empty if there is no
    median, or it was breached.

    >>> median_places(3, 0), median_places(2, 2), median_places(3, 1), median_places(0, 0)
    ((1,), (), (1, 2), ())
    """
    judged = met + breached
    places = tuple(sorted({(judged - 1) // 2, judged // 2}))
    return places if judged and places[-1] < met else ()
