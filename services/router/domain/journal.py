"""What the router received besides inquiries, as its record has it: with the verdicts, it is what a replay needs."""

from datetime import datetime
from typing import Literal

import msgspec

from services.router.domain.availability import AvailabilityChange
from services.router.domain.lead import InquiryCopy, LeadsRejudged
from shared.domain.events import ActivityRecorded

JournalKind = Literal["activity", "availability", "copy", "tick", "rejudged"]


class JournalEntry(msgspec.Struct, frozen=True):
    """An entry of the router's record that is no verdict: an `activity`, an `availability`, a `copy` of an inquiry that
    backdated leads, leads that were `rejudged` (also those for which nothing changed), or a `tick` (parked leads were
    tried because time has passed). `seq` is its place between the verdicts.
    """

    seq: int
    at: datetime
    kind: JournalKind
    body: ActivityRecorded | AvailabilityChange | InquiryCopy | LeadsRejudged | None
