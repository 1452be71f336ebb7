"""Lead ids that activities name and no inquiry has: they wait, up to a bound, and count whenever the inquiry comes."""

from datetime import datetime, timedelta

import msgspec

from services.scoreboard.domain.leads import LeadRow
from shared.domain.events import ActivityRecorded


class OrphanBounds(msgspec.Struct, frozen=True):
    """At most `count` lead ids wait for an inquiry at a time, each for at most `age`; those beyond expire, the ones
    that have waited longest first.
    """

    count: int
    age: timedelta

    def expired(self, since: datetime, *, place: int, waiting: int, now: datetime) -> bool:
        """Whether an orphan expires that `waiting` orphans include, `place` of which have waited longer."""
        return since < now - self.age or place < waiting - self.count


def await_inquiry(lead: LeadRow, event: ActivityRecorded) -> LeadRow:
    """The lead with one more activity that waits for it, if nothing else is known of it."""
    if _known(lead):
        return lead
    since = min(lead.orphan_since or event.accepted_at, event.accepted_at)
    return msgspec.structs.replace(lead, orphan_activities=lead.orphan_activities + 1, orphan_since=since)


def found(lead: LeadRow) -> LeadRow:
    """The lead as no orphan any more, if its inquiry or a verdict has come."""
    if lead.orphan_since is None or not _known(lead):
        return lead
    return msgspec.structs.replace(lead, orphan_activities=0, orphan_since=None, orphan_expired_at=None)


def expire(lead: LeadRow, at: datetime) -> LeadRow:
    """The orphan as no longer expected to become a lead; any other lead as it is."""
    if lead.orphan_since is None or lead.orphan_expired_at is not None:
        return lead
    return msgspec.structs.replace(lead, orphan_expired_at=at)


def _known(lead: LeadRow) -> bool:
    return lead.received_at is not None or lead.version >= 0
