"""When an activity counts that its sender dates with `occurred_at`.

A sender is trusted with that if its key has the scope `activities:date`, and only for what has an instant of its own:
calls, e-mails and meetings. A decision (accepted, rejected, paused, ...) counts from when it is reported, because until
then everybody acts on what was decided before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.ingest.domain.facts import Activity
from shared.domain.activities import ANSWERS
from shared.domain.errors import Refused
from shared.ports import Clock

SCOPE = "activities:date"
AHEAD = timedelta(seconds=60)
"""How far a sender's clock may be ahead of ours. What it dates up to then counts from when it is accepted."""


@dataclass(frozen=True, slots=True)
class Dating:
    """How far back senders may date what they report: at most `within` before it is accepted."""

    clock: Clock
    within: timedelta

    def judged(self, activity: Activity, *, trusted: bool) -> tuple[datetime | None, Refused | None]:
        """`happened_at`, and why the instant is refused, if it is."""
        try:
            return self.happened_at(activity, trusted=trusted), None
        except Refused as against:
            return None, against

    def happened_at(self, activity: Activity, *, trusted: bool) -> datetime | None:
        """When the activity happened, if promises count it from then; None if they count it from its acceptance.

        Raises `Refused` for an instant in the future, and for one further back than the limit that would count.
        """
        occurred_at, now = activity.occurred_at, self.clock.now()
        if occurred_at is None:
            return None
        if occurred_at > now + AHEAD:
            raise Refused(
                "This instant is in the future. Set the sender's clock, or leave occurred_at out: then the activity "
                "counts from when it is accepted.",
                pointer="/occurred_at",
            )
        if not trusted or activity.kind not in ANSWERS:
            return None
        if occurred_at < now - self.within:
            raise Refused(
                f"This is longer ago than activities may be dated back here ({self.within}, set by "
                "BATON_INGEST_DATED_BACK_S). Leave occurred_at out: then the activity counts from when it is accepted.",
                pointer="/occurred_at",
            )
        return occurred_at if occurred_at < now else None
