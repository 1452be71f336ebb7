"""Promises on a lead in a replay: which ones its owner missed, and when a ladder requests another owner.

The monitor does this incrementally as facts arrive; here it is computed from all recorded facts: a promise is missed if
no fact that keeps or ends it was accepted by its deadline plus the tolerance.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.router.domain.lead import Lead
from shared.domain.agreement import Agreement, Promise, Step
from shared.domain.events import ActivityRecorded
from shared.domain.follow_up import is_warning, step_at
from shared.domain.pauses import PAUSING
from shared.domain.promises import Owed, owed
from shared.domain.settlement import Terms, counted, counts, counts_at, cycle_starts_at, done, settled_at, starts_at


class SalesFact(msgspec.Struct, frozen=True):
    """What sales did about a lead, as far as promises go. At `gone_at` it turned out to be about another person."""

    kind: str
    accepted_at: datetime
    outcome: str | None = None
    by: str | None = None
    gone_at: datetime | None = None
    happened_at: datetime | None = None


def sales_fact(fact: ActivityRecorded) -> SalesFact:
    """The activity as promises see it."""
    return SalesFact(fact.kind, fact.accepted_at, fact.outcome, fact.by, happened_at=fact.happened_at)


class LadderMove(msgspec.Struct, frozen=True):
    """The instant at which a ladder requests another owner, unless `promise` is kept by then, even if late."""

    at: datetime
    promise: str


class OwedPromise(msgspec.Struct, frozen=True):
    """A promise of one owner, from when it is owed."""

    promise: str
    since_at: datetime
    due_at: datetime
    decide_at: datetime
    terms: Terms


def missed_of(due: Sequence[OwedPromise], facts: Sequence[SalesFact]) -> tuple[str, ...]:
    """Those of these promises that none of the facts kept or ended in time."""
    found = []
    for each in due:
        answered_at = settled_at(each.terms, _known(facts, each.since_at))
        if answered_at is None or answered_at > each.decide_at:
            found.append(each.promise)
    return tuple(found)


def _known(facts: Sequence[SalesFact], since_at: datetime) -> Sequence[SalesFact]:
    """The facts that count for a promise that is owed since then."""
    return [fact for fact in facts if fact.gone_at is None or since_at < fact.gone_at]


def due_promises(
    held: Sequence[tuple[Agreement, Lead]],
    facts: Sequence[SalesFact],
    *,
    tolerance: timedelta,
    ended_at: datetime | None,
    now: datetime,
) -> tuple[OwedPromise, ...]:
    """The promises of the lead's owner, in the agreement's order, that had to be kept by `now`.

    `held` is the lead as the owner got it, and as it was each time when its score rose, with the agreement of that
    time; `ended_at` is when it went to someone else. A lead without an owner has none.
    """
    until = now if ended_at is None else min(now, ended_at)
    return tuple([each for each in _owed_by_owner(held, facts, tolerance) if each.decide_at < until])


def _owed_by_owner(
    held: Sequence[tuple[Agreement, Lead]], facts: Sequence[SalesFact], tolerance: timedelta
) -> list[OwedPromise]:
    """What the owner owes. A promise that runs with an earlier deadline does not start again when the score rises."""
    found: list[OwedPromise] = []
    for agreement, lead in held:
        for one in _owed(agreement, lead, facts):
            assert lead.assigned_at is not None, "only an owner owes"  # noqa: S101
            decide_at = one.due_at + tolerance
            terms = _terms(one.promise, lead, tolerance, decide_at)
            new = OwedPromise(one.promise.name, lead.assigned_at, one.due_at, decide_at, terms)
            if not any(_covers(each, new, facts) for each in found):
                found.append(new)
    return found


def _covers(running: OwedPromise, new: OwedPromise, facts: Sequence[SalesFact]) -> bool:
    """As the monitor's `covers`."""
    if running.promise != new.promise or new.since_at >= running.decide_at or running.due_at > new.due_at:
        return False
    known = _known(facts, new.since_at)
    those = counted(running.terms, sorted(known, key=counts_at))
    return done(running.terms, those) < running.terms.needed or counts(new.terms, those[-1])


def ladder_moves(
    agreement: Agreement, lead: Lead, tolerance: timedelta, facts: Sequence[SalesFact] = ()
) -> list[LadderMove]:
    """When the ladders of the lead's promises ask for another owner, in order of time. What pauses them is among the
    `facts`.
    """
    if not any(_moving(agreement, promise) for promise in agreement.promises.values()):
        return []
    found = [
        LadderMove(step_at(step, one.due_at, one.calendar) + tolerance, one.promise.name)
        for one in _owed(agreement, lead, facts)
        for step in _moving(agreement, one.promise)
    ]
    return sorted(found, key=lambda move: move.at)


def still_due(
    agreement: Agreement, lead: Lead, facts: Sequence[SalesFact], move: LadderMove, tolerance: timedelta
) -> bool:
    """Whether nothing had ended the move's promise by then: an answer ends it too, however late."""
    promise = agreement.promises[move.promise]
    decide_at = None
    if promise.by == "owner":
        decide_at = next(one.due_at for one in _owed(agreement, lead, facts) if one.promise is promise) + tolerance
    known = facts if lead.assigned_at is None else _known(facts, lead.assigned_at)
    answered_at = settled_at(_terms(promise, lead, tolerance, decide_at), known)
    return answered_at is None or answered_at > move.at


def _owed(agreement: Agreement, lead: Lead, facts: Sequence[SalesFact]) -> Sequence[Owed]:
    if lead.rep is None or lead.assigned_at is None or lead.rep not in agreement.people:
        return ()
    known, since_at = _known(facts, lead.assigned_at), cycle_starts_at(lead.received_at, lead.previous_ended_at)
    return owed(
        agreement,
        rep=lead.rep,
        score=lead.score,
        assigned_at=lead.assigned_at,
        leave=lead.owner_leave,
        facts=[fact for fact in known if fact.kind in PAUSING and fact.accepted_at >= since_at],
        segments=lead.segments,
    )


def _moving(agreement: Agreement, promise: Promise) -> list[Step]:
    ladder = agreement.ladders.get(promise.ladder)
    steps = ladder.steps if ladder is not None else ()
    return [step for step in steps if step.move_within is not None and not is_warning(step)]


def _terms(promise: Promise, lead: Lead, tolerance: timedelta, decide_at: datetime | None) -> Terms:
    assert lead.assigned_at is not None, "only an owner owes"  # noqa: S101
    start = starts_at(received_at=lead.received_at, assigned_at=lead.assigned_at, generation=lead.generation)
    ends_from_at = cycle_starts_at(lead.received_at, lead.previous_ended_at)
    return Terms(
        promise.met_by,
        promise.at_least,
        start,
        lead.generation,
        tolerance,
        ends_from_at,
        promise.outcomes,
        lead.rep if promise.by == "owner" else None,
        decide_at,
    )
