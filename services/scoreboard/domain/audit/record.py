"""What the monitor stored and announced, as an audit reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from services.scoreboard.domain.audit.inquiries import Watched
from services.scoreboard.domain.audit.notes import Notes
from shared.domain.event import AgreementRef, PromisePeriod

_MOST_TOLERANCE = timedelta(seconds=60)


class FiredLevel(NamedTuple):
    """A level that the monitor recorded, and what came of it."""

    loop: int
    number: int
    fired_at: datetime
    outcome: str


class FoundWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A promise as the monitor stored it, apart from what it is based on. `stored_state` is what lists go by. One of
    marketing is about a `period`.
    """

    window_id: str
    lead_id: str
    promise: str
    owner: str = ""
    generation: int = 0
    side: str = "sales"
    opened_at: datetime
    due_at: datetime
    decide_at: datetime
    state: str = "open"
    stored_state: str = "open"
    breach_id: str | None = None
    hold: str | None = None
    again: int = 0
    period: PromisePeriod | None = None
    counts_from_at: datetime | None = None
    agreement: AgreementRef | None = None

    @property
    def tolerance(self) -> timedelta:
        """The tolerance for clocks that was set when it opened; no more than can be set."""
        return min(max(self.decide_at - self.due_at, timedelta()), _MOST_TOLERANCE)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the monitor stored and announced about some people. `announced` are the kinds of events on each window's
    end, `notes` when things were noted, `fired` its levels. All facts are there `known_upto`, None if that is not
    known; `tolerance` is that of windows that are not there. Verdicts on inquiries are `watched`.
    """

    windows: Mapping[str, FoundWindow]
    announced: Mapping[str, frozenset[str]]
    fired: Mapping[str, Sequence[FiredLevel]]
    known_upto: datetime | None
    now: datetime
    tolerance: timedelta
    watched: Watched = Watched()
    notes: Mapping[str, Notes] = {}
