"""How much of a promise is recorded on a lead, for reject reasons that may be used only after it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.sla_monitor.domain.window import Fact, Window, in_time_order
from shared.domain import settlement
from shared.domain.attempts import RecordedAttempts
from shared.domain.settlement import Terms


def recorded_attempts(
    lead_id: str,
    promise: str,
    windows: Sequence[Window],
    facts: Iterable[Fact],
    complete_until: datetime | None = None,
) -> RecordedAttempts | None:
    """What the `facts` come to, under the agreement version of the lead's latest window of the promise. None if the
    promise was not made on the lead in its present cycle.

    Whoever did them counts, also for an owner before: the buyer was tried as often. One that reached the buyer
    counts for all, as it does for the promise.
    """
    of_sales = [window for window in windows if window.side == "sales"]
    latest = max(of_sales, key=_place, default=None)
    if latest is None:
        return None
    theirs = [each for each in of_sales if each.promise == promise and each.cycle == latest.cycle]
    window = max(theirs, key=_place, default=None)
    if window is None:
        return None
    terms = Terms(
        kinds=window.kinds,
        needed=window.needed,
        starts_at=latest.ends_from_at or latest.counts_from_at,
        generation=1,
        tolerance=window.tolerance,
        outcomes=window.outcomes,
    )
    counted = settlement.counted(terms, sorted(facts, key=in_time_order))
    return RecordedAttempts(
        lead_id=lead_id,
        promise=promise,
        recorded=settlement.done(terms, counted),
        needed=window.needed,
        met_by=tuple(window.kinds),
        outcomes=dict(window.outcomes),
        complete_until=complete_until,
    )


def _place(window: Window) -> tuple[int, int]:
    return window.cycle, window.owner_number
