"""What the leave of those who have leads changes about these leads."""

from datetime import datetime

from shared.domain.event import ASSIGNMENTS, Event, LeaveInterval, RepRef


class LeadRescheduled(Event, frozen=True, kw_only=True):
    """The leave of a lead's owner changed, and with it the deadlines of their promises. `owner_leave` is their leave
    since they got the lead, as far as it was known by then, and what is ahead. `respond_by` is as in `LeadAssigned`.
    """

    TYPE = "baton.lead.rescheduled.v1"
    TOPIC = ASSIGNMENTS

    lead_version: int
    generation: int
    rep: RepRef
    score: int
    owner_leave: tuple[LeaveInterval, ...]
    respond_by: datetime | None
    changed_at: datetime
