"""When the monitor noted what became of promises, by the events about them. What counts is the instant of a fact; what
the monitor could do follows from when it had read it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.events import (
    BreachRetracted,
    EscalationClosed,
    WindowBreached,
    WindowCancelled,
    WindowMet,
    WindowOpened,
    WindowPaused,
    WindowRescheduled,
    WindowResumed,
)

_End = WindowMet | WindowCancelled | BreachRetracted | EscalationClosed
_Move = WindowRescheduled | WindowPaused | WindowResumed
News = WindowOpened | WindowBreached | _Move | _End
"""What the monitor announces about promises, as far as an audit reads it."""

AT_ONCE = timedelta(minutes=1)
"""How far apart two instants of the database's clock may be noted although they are of one moment: transactions wait
for each other.
"""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted about one promise, by the database's clock. `breached_at` is when its breach was, `over_at` when
    it was first noted that nothing is owed any more. `ended`: that was announced, by an earlier release without saying
    when. `dues` are its deadlines, each behind the instant since which it applied, first noted first; None if an
    earlier release moved one, because it did not say when.
    """

    breached_at: datetime | None = None
    over_at: datetime | None = None
    ended: bool = False
    dues: tuple[tuple[datetime, datetime], ...] | None = ()

    def dues_at(self, at: datetime) -> set[datetime]:
        """The deadlines by which a level may have fired at an instant: the one that applied, and those that were noted
        within a minute of it. Empty if that is not known.
        """
        dues = self.dues or ()
        applied = [due for since_at, due in dues if since_at <= at][-1:]
        return {*applied, *(due for since_at, due in dues if abs(since_at - at) <= AT_ONCE)}


def notes_of(news: Iterable[News]) -> Mapping[str, Notes]:
    """What was noted, by window."""
    found: defaultdict[str, list[News]] = defaultdict(list)
    for event in news:
        found[event.window_id].append(event)
    return {window_id: _notes(events) for window_id, events in found.items()}


def _notes(events: Iterable[News]) -> Notes:
    ends = [each for each in events if isinstance(each, _End)]
    breaches = [each.detected_at for each in events if isinstance(each, WindowBreached)]
    over = [each.noted_at for each in ends if each.noted_at is not None]
    return Notes(min(breaches, default=None), min(over, default=None), bool(ends), _dues(events))


def _dues(events: Iterable[News]) -> tuple[tuple[datetime, datetime], ...] | None:
    found = [(_LONG_AGO, each.due_at) for each in events if isinstance(each, WindowOpened) and not each.again]
    for event in events:
        if not isinstance(event, _Move):
            continue
        if event.noted_at is None:
            return None
        found.append((event.noted_at, event.due_at))
    return tuple(sorted(found))
