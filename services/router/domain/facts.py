"""What sales did about a lead, as the log or the lead itself has it."""

from datetime import datetime

import msgspec

from shared.domain.events import ActivityRecorded


class RememberedFact(msgspec.Struct, frozen=True):
    """What sales did about a lead, as the lead remembers it: `reason` is the lead's."""

    lead_id: str
    kind: str
    accepted_at: datetime
    reason: str
    by: str | None = None
    text: str | None = None
    stage: str | None = None
    outcome: str | None = None


Fact = ActivityRecorded | RememberedFact


def happened_since(fact: Fact, at: datetime) -> bool:
    """Whether nothing says that the fact, which was accepted since then, happened before."""
    happened_at = fact.happened_at if isinstance(fact, ActivityRecorded) else None
    return happened_at is None or happened_at >= at
