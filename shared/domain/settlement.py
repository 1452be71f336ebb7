"""What keeps a promise on a lead and what ends it. Used by the monitor and by simulations.

Nothing here depends on the order in which facts arrive: a fact counts by the instant at which it was accepted, or by
the earlier one at which it happened, if its sender is trusted with that (`counts_at`).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from shared.domain.activities import CLOSING, DECISIVE, ENDING, FAILED, LETTING_GO, REACHED


class PromiseFact(Protocol):
    """An activity, as promises see it."""

    @property
    def kind(self) -> str:
        """The kind of activity."""

    @property
    def accepted_at(self) -> datetime:
        """When ingest accepted it."""

    @property
    def happened_at(self) -> datetime | None:
        """When it happened, by a sender that is trusted with it; None for others."""

    @property
    def outcome(self) -> str | None:
        """How it went, if that was reported."""

    @property
    def by(self) -> str | None:
        """Who did it, if that was reported."""


FactT = TypeVar("FactT", bound=PromiseFact)


class Terms(msgspec.Struct, frozen=True):
    """What keeps one promise: `needed` facts of `kinds`, accepted from `starts_at` on. `generation` counts the lead's
    owners and is 0 for operations. `tolerance` is how far the clocks that date facts may differ. Facts that end the
    lead count from `ends_from_at` on, the start of its cycle, which may be before the promise; None: as other facts.

    `outcomes` lists for some kinds which outcomes count. If only the owner's facts count, `by` is the owner, and
    `by_until_at` the last instant at which that matters: a later answer keeps nothing, but whoever gives it, the buyer
    no longer waits.
    """

    kinds: Collection[str]
    needed: int
    starts_at: datetime
    generation: int
    tolerance: timedelta
    ends_from_at: datetime | None = None
    outcomes: Mapping[str, tuple[str, ...]] = {}
    by: str | None = None
    by_until_at: datetime | None = None


def starts_at(*, received_at: datetime, assigned_at: datetime, generation: int) -> datetime:
    """From when facts count for an owner: for the first since the lead came in, for later ones since they got it."""
    return min(received_at, assigned_at) if generation == 1 else assigned_at


def counts_at(fact: PromiseFact) -> datetime:
    """The instant at which a fact counts: when it happened, if that is known from a trusted sender, never later than
    it was accepted.
    """
    return fact.accepted_at if fact.happened_at is None else min(fact.happened_at, fact.accepted_at)


def counts(terms: Terms, fact: PromiseFact) -> bool:
    """Whether the fact is not from before the promise: it may be up to `tolerance` older than its start.

    Nothing earlier counts for operations, and nothing by which the owner before may have let go of the lead counts for
    a later owner. What happened earlier, but in the same cycle, and was reported only after a later owner got the lead
    counts for them too: the buyer has been answered.
    """
    strict = terms.generation == 0 or (terms.generation > 1 and fact.kind in LETTING_GO)
    earliest_at = terms.starts_at if strict else terms.starts_at - terms.tolerance
    at = counts_at(fact)
    if at >= earliest_at or terms.generation <= 1 or fact.accepted_at < earliest_at:
        return at >= earliest_at
    return terms.ends_from_at is not None and at >= terms.ends_from_at - terms.tolerance


def settles_at(terms: Terms, fact: PromiseFact) -> datetime:
    """The instant at which a fact that counts does so for this promise: not before it, if it happened earlier."""
    return fact.accepted_at if fact.happened_at is None else max(counts_at(fact), terms.starts_at)


def keeps(terms: Terms, fact: PromiseFact) -> bool:
    """Whether the fact is one of those that the promise asks for: its kind, outcome and person, and not from before.

    A fact without an outcome counts, because nobody reported that it failed, and so does one of an unknown person.
    """
    return (
        fact.kind in terms.kinds and counts(terms, fact) and _succeeded(terms, fact) and _by_the_right_one(terms, fact)
    )


def cycle_starts_at(received_at: datetime, previous_ended_at: datetime | None) -> datetime:
    """From when facts that end a lead are about its present cycle: since the inquiry that began it, and after the fact
    that ended the cycle before.
    """
    if previous_ended_at is None:
        return received_at
    return max(received_at, previous_ended_at + timedelta(microseconds=1))


def ends(terms: Terms, fact: PromiseFact) -> bool:
    """Whether the fact ends the lead, and so what is owed on it: no matter who reported it or had the lead then."""
    if fact.kind not in ENDING:
        return False
    return counts(terms, fact) or (terms.ends_from_at is not None and fact.accepted_at >= terms.ends_from_at)


def passes_on(kind: str, accepted_at: datetime, merged_at: datetime | None) -> bool:
    """Whether what was reported under one id of a person counts for another lead of theirs. `merged_at` is when both
    turned out to be one person: when the inquiry that showed it was accepted, however late it is read. None if one id
    had never been a lead.

    Everything does, except for how sales had ended one lead before: that is not about the other.
    """
    return kind not in CLOSING or since_merge(accepted_at, merged_at)


def since_merge(at: datetime, merged_at: datetime | None) -> bool:
    """Whether something happened when two ids were known as one person, or one of them had never been a lead."""
    return merged_at is None or at >= merged_at


def worth(terms: Terms, fact: PromiseFact) -> int:
    """For how many of the needed facts this one stands: for all if it decides the lead, or if the buyer was reached."""
    return terms.needed if fact.kind in DECISIVE or fact.outcome == REACHED else 1


def counted(terms: Terms, in_order: Iterable[FactT]) -> list[FactT]:
    """The facts that count towards the promise, up to the one that keeps it. `in_order` are facts by `counts_at`."""
    found: list[FactT] = []
    done = 0
    for fact in in_order:
        if done >= terms.needed:
            break
        if keeps(terms, fact):
            found.append(fact)
            done += worth(terms, fact)
    return found


def done(terms: Terms, facts: Iterable[PromiseFact]) -> int:
    """How many of the needed facts these counted ones make up."""
    return min(terms.needed, sum(worth(terms, fact) for fact in facts))


def settled_at(terms: Terms, facts: Iterable[PromiseFact]) -> datetime | None:
    """The first instant at which the promise was kept or ended; None while neither has happened."""
    counted = 0
    for fact in sorted(facts, key=counts_at):
        if keeps(terms, fact):
            counted += worth(terms, fact)
            if counted >= terms.needed:
                return settles_at(terms, fact)
        elif ends(terms, fact):
            return fact.accepted_at
    return None


def _succeeded(terms: Terms, fact: PromiseFact) -> bool:
    wanted = terms.outcomes.get(fact.kind)
    return fact.outcome != FAILED if wanted is None else fact.outcome is None or fact.outcome in wanted


def _by_the_right_one(terms: Terms, fact: PromiseFact) -> bool:
    if terms.by is None or fact.by is None or fact.by == terms.by:
        return True
    return terms.by_until_at is not None and counts_at(fact) > terms.by_until_at
