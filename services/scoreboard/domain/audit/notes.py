"""When the monitor noted what became of promises, by the events about them. What counts is the instant of a fact; what
the monitor could do follows from when it had read it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
READ_WITHIN = timedelta(minutes=15)
"""How late the monitor may read something, where it does not announce when it did."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
NOT_SAID = "when its breach was taken back is not known"


@dataclass(frozen=True, slots=True)
class Run:
    """A promise until its breach was taken back and it ran again, or since then. `breached_at` is when its breach was
    noted, `over_at` when it was first noted that nothing is owed any more. `ended`: that was announced, by an earlier
    release without saying when.
    """

    began_at: datetime = LONG_AGO
    breached_at: datetime | None = None
    over_at: datetime | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted about one promise, by the database's clock, in its `runs`: one, and another each time that its
    breach was taken back and it ran again. None if an earlier release did not say when that was, or the announcement is
    not there. `dues` are its deadlines, each behind the instant since which it applied, first noted first; None if an
    earlier release moved one, because it did not say when.
    """

    runs: tuple[Run, ...] | None = (Run(),)
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
    return {window_id: Notes(_runs(events), _dues(events)) for window_id, events in _by_window(news).items()}


def announced_in(news: Iterable[News]) -> Mapping[str, frozenset[str]]:
    """What was announced about each window: `opened`, `met`, `breached`, `cancelled`, `retracted` or `retracted as
    cancelled`. Of one that ran again, only what was announced since.
    """
    return {window_id: frozenset(_announced(events)) for window_id, events in _by_window(news).items()}


def _by_window(news: Iterable[News]) -> Mapping[str, Sequence[News]]:
    found: defaultdict[str, list[News]] = defaultdict(list)
    for event in news:
        found[event.window_id].append(event)
    return found


def _again(events: Iterable[News]) -> int:
    """How often the promise ran again."""
    return max((each.again for each in events if isinstance(each, WindowOpened)), default=0)


def _retractions(events: Iterable[News]) -> list[BreachRetracted]:
    return sorted((e for e in events if isinstance(e, BreachRetracted)), key=lambda each: each.noted_at or LONG_AGO)


def _announced(events: Sequence[News]) -> Iterable[str]:
    again = _again(events)
    if any(isinstance(each, WindowOpened) for each in events):
        yield "opened"
    if any(isinstance(each, WindowMet) for each in events):
        yield "met"
    if any(isinstance(each, WindowCancelled) for each in events):
        yield "cancelled"
    if sum(isinstance(each, WindowBreached) for each in events) > again:
        yield "breached"
    for each in _retractions(events)[again:]:
        yield "retracted" if each.reason is None else "retracted as cancelled"


def _runs(events: Sequence[News]) -> tuple[Run, ...] | None:
    """Each breach that was taken back ends a run, and the next one begins at that moment."""
    again = _again(events)
    breaches = sorted(each.detected_at for each in events if isinstance(each, WindowBreached))
    taken_back = [each.noted_at for each in _retractions(events)]
    began = [at for at in taken_back[:again] if at is not None]
    known = len(began) == again <= len(breaches)
    if not known or any(at > end + AT_ONCE for at, end in zip(breaches, began, strict=False)):
        return None
    over: list[list[datetime]] = [[at] for at in began] + [[]]
    for each in events:
        if isinstance(each, EscalationClosed) and each.noted_at is not None:
            over[sum(at < each.noted_at for at in began)].append(each.noted_at)
        elif isinstance(each, WindowMet | WindowCancelled) and each.noted_at is not None:
            over[-1].append(max([each.noted_at, *began]))
    over[-1] += [at for at in taken_back[again:] if at is not None]
    ended = any(isinstance(each, _End) and each.noted_at is None for each in events)
    found = []
    for number, (since_at, ends) in enumerate(zip([LONG_AGO, *began], over, strict=True)):
        breached_at = breaches[number] if number < len(breaches) else None
        found.append(Run(since_at, breached_at, min(ends, default=None), ended))
    return tuple(found)


def _dues(events: Iterable[News]) -> tuple[tuple[datetime, datetime], ...] | None:
    found = [(LONG_AGO, each.due_at) for each in events if isinstance(each, WindowOpened) and not each.again]
    for event in events:
        if not isinstance(event, _Move):
            continue
        if event.noted_at is None:
            return None
        found.append((event.noted_at, event.due_at))
    return tuple(sorted(found))
