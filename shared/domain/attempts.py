"""What is recorded of a promise that a reject reason asks for first (`only_after`).

The monitor counts it, because it has all facts and knows how far they are complete; ingest asks before it takes a
rejection.
"""

from datetime import datetime

import msgspec


class RecordedAttempts(msgspec.Struct, frozen=True):
    """How many of the `needed` facts of a promise are recorded on a lead since its present cycle began, or since it was
    reopened, and which kinds and outcomes count (`met_by`, `outcomes`). All facts that ingest accepted before
    `complete_until` are counted; None while that is not known.
    """

    lead_id: str
    promise: str
    recorded: int
    needed: int
    met_by: tuple[str, ...]
    outcomes: dict[str, tuple[str, ...]] = {}
    complete_until: datetime | None = None
