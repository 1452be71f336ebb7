"""Events about which ids are one person, apart from verdicts on inquiries."""

from datetime import datetime

from shared.domain.event import ASSIGNMENTS, Event
from shared.domain.lead import Company, Contact


class LeadSplit(Event, frozen=True, kw_only=True):
    """Someone said that two ids are not of one person. It is announced for both: `was_part_of` names the lead that this
    id had become part of, `split_off` the id that is no longer part of this lead.

    `contact` and `company` are what is known of each since; what only the other one gave is gone. `state` is `received`
    for a split-off lead on which another verdict follows, and `closed` for one that has ended. Nothing that is reported
    under one of the ids counts for the other any more, whenever it was.
    """

    TYPE = "baton.lead.split.v1"
    TOPIC = ASSIGNMENTS

    lead_version: int
    inquiry_id: str
    decided_at: datetime
    reason: str
    state: str
    stage: str
    score: int
    rep: str | None
    contact: Contact
    company: Company
    was_part_of: str | None = None
    split_off: str | None = None
