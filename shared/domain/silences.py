"""When nobody is notified: silences of promises for a while, such as during maintenance, and quiet hours of people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.calendar import Span

MAX_SILENCE = timedelta(days=30)
"""How long a silence may last: one that is forgotten would hide every missed promise."""


@dataclass(frozen=True, slots=True)
class Silence:
    """From `starts_at` until before `ends_at`, the steps of the promises that match notify nobody. A promise matches
    that is like each of `promise`, `owner`, `pool` (its owner is a member) and `side` that is given; all do if none is.
    `silence_id` is None in an agreement.
    """

    starts_at: datetime
    ends_at: datetime
    reason: str
    promise: str | None = None
    owner: str | None = None
    pool: str | None = None
    side: str | None = None
    silence_id: str | None = None


def silenced_by(
    silences: Iterable[Silence],
    pools: Mapping[str, Iterable[str]],
    *,
    promise: str,
    owner: str,
    side: str,
    at: datetime,
) -> Silence | None:
    """The silence that applies at an instant, of several the one that ends last; None if none does. `pools` are the
    members of each pool.
    """
    found = [
        each
        for each in silences
        if each.starts_at <= at < each.ends_at
        and each.promise in (None, promise)
        and each.owner in (None, owner)
        and each.side in (None, side)
        and (each.pool is None or owner in pools.get(each.pool, ()))
    ]
    return max(found, key=lambda each: each.ends_at, default=None)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The times of the day at which a role or person is not notified, by its name. Pages are all the same if
    `except_page`.
    """

    hours: Mapping[str, tuple[Span, ...]]
    except_page: bool = False

    def spans_of(self, role: str, person: str | None) -> tuple[Span, ...]:
        """Those of the person, else those of the role."""
        return self.hours[person] if person is not None and person in self.hours else self.hours.get(role, ())
