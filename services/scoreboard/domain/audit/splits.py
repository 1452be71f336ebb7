"""What counted for people who were taken for one person until someone split them.

Since the split was read, nothing that was reported under one id counts for the other. What was promised since then, on
facts of its own, is a promise like any other. One that ran before may have its verdict from the time as one person, or
not: so it may have ended as the facts of both call for, and as its own do.
"""

from datetime import datetime

from services.scoreboard.domain.audit.expected import Expected
from services.scoreboard.domain.audit.notes import READ_WITHIN
from services.scoreboard.domain.audit.pauses import PAUSING
from services.scoreboard.domain.audit.persons import Persons
from shared.domain.events import LeadAssigned

SPLIT_OFTEN = "the lead was merged and split more than once"
SPLIT_UNSURE = "its score rose, or it was paused, about when the lead was split"


def views_of(lead_id: str, persons: Persons) -> list[Persons]:
    """The people as they are, and if the lead was ever split, as one person until the monitor had surely read that."""
    split_at = persons.split_at(lead_id)
    return [persons] if split_at is None else [persons, persons.as_one(lead_id, split_at + READ_WITHIN)]


def since_split(expected: Expected, split_at: datetime, persons: Persons) -> bool:
    """Whether a promise is from so long after the split that the monitor had surely read that, and all that counts for
    it is from after the split too.
    """
    first_at = persons.first_at.get(expected.lead_id)
    began = expected.opened_at > split_at + READ_WITHIN and (first_at is None or first_at > split_at)
    return began and not _rose(expected.lead_id, persons, expected.generation, split_at)


def unsure(lead_id: str, generation: int, persons: Persons) -> bool:
    """Whether a promise on a lead that was split may have come out in a way of its own: which facts counted decides
    whether one goes on when the score rises, and a pause that was reported under the other id moves deadlines until the
    next one under its own.
    """
    split_at = persons.split_at(lead_id)
    if split_at is None:
        return False
    theirs = [each for each in persons.as_one(lead_id, split_at + READ_WITHIN).about(lead_id) if each.kind in PAUSING]
    others = [each.at for each in theirs if persons.top(each.lead_id) != persons.top(lead_id)]
    paused = any(abs(at - split_at) <= READ_WITHIN for at in others)
    return paused or _rose(lead_id, persons, generation, split_at)


def _rose(lead_id: str, persons: Persons, generation: int, split_at: datetime) -> bool:
    """Whether the owner got the lead as this generation because its score rose, and the promise that may have gone on
    is from before the split was surely read.
    """
    decided = persons.decisions.get(lead_id, [])
    assigned = {each.generation: each for each in decided if isinstance(each, LeadAssigned)}
    first, owned = generation, assigned.get(generation)
    while owned is not None and owned.because == "rescored":
        first -= 1
        owned = assigned.get(first)
    return first != generation and (owned is None or owned.assigned_at <= split_at + READ_WITHIN)
