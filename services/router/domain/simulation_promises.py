"""Promises on a lead in a replay: which of them its owner missed, and when a ladder asks for another owner.

What the monitor does step by step, as facts come in, is worked out here at once from the recorded facts: a promise is
missed when neither what keeps it nor what ends it was accepted by its deadline and the tolerance.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from services.router.domain.lead import Lead
from shared.domain.agreement import Agreement, Promise, Step
from shared.domain.follow_up import DECISIVE, ENDING, counts_from, is_warning, step_at
from shared.domain.promises import Owed, owed


class PromiseFact(msgspec.Struct, frozen=True):
    """What sales did about a lead, as far as promises go: the kind of activity, and when ingest accepted it."""

    kind: str
    accepted_at: datetime


class LadderMove(msgspec.Struct, frozen=True):
    """The instant at which a ladder asks for another owner, unless `promise` is kept, however late, by then."""

    at: datetime
    promise: str


def missed_promises(
    agreement: Agreement,
    lead: Lead,
    facts: Sequence[PromiseFact],
    *,
    tolerance: timedelta,
    ended_at: datetime | None,
    now: datetime,
) -> tuple[str, ...]:
    """The promises that the lead's owner missed, in the agreement's order, as far as that is known at `now`.

    `agreement` is the one that the lead was assigned under; `ended_at` is when it went to someone else. A lead
    without an owner has none.
    """
    found = []
    for one in _owed(agreement, lead):
        decide_at = one.due_at + tolerance
        if decide_at >= now or (ended_at is not None and ended_at <= decide_at):
            continue
        answered_at = _answered_at(one.promise, facts, lead, tolerance)
        if answered_at is None or answered_at > decide_at:
            found.append(one.promise.name)
    return tuple(found)


def ladder_moves(agreement: Agreement, lead: Lead, tolerance: timedelta) -> list[LadderMove]:
    """When the ladders of the lead's promises ask for another owner, in order of time."""
    if not any(_moving(agreement, promise) for promise in agreement.promises.values()):
        return []
    found = [
        LadderMove(step_at(step, one.due_at, one.calendar) + tolerance, one.promise.name)
        for one in _owed(agreement, lead)
        for step in _moving(agreement, one.promise)
    ]
    return sorted(found, key=lambda move: move.at)


def still_due(
    agreement: Agreement, lead: Lead, facts: Sequence[PromiseFact], move: LadderMove, tolerance: timedelta
) -> bool:
    """Whether nothing had ended the move's promise by then: an answer ends it too, however late."""
    answered_at = _answered_at(agreement.promises[move.promise], facts, lead, tolerance)
    return answered_at is None or answered_at > move.at


def _owed(agreement: Agreement, lead: Lead) -> Sequence[Owed]:
    if lead.rep is None or lead.assigned_at is None or lead.rep not in agreement.people:
        return ()
    return owed(agreement, rep=lead.rep, score=lead.score, assigned_at=lead.assigned_at)


def _moving(agreement: Agreement, promise: Promise) -> list[Step]:
    ladder = agreement.ladders.get(promise.ladder)
    steps = ladder.steps if ladder is not None else ()
    return [step for step in steps if step.move_within is not None and not is_warning(step)]


def _since(lead: Lead) -> datetime:
    """From when facts count: for the first owner since the lead came in, for later ones since they got it."""
    assert lead.assigned_at is not None, "only an owner owes"  # noqa: S101
    return min(lead.received_at, lead.assigned_at) if lead.generation == 1 else lead.assigned_at


def _answered_at(promise: Promise, facts: Iterable[PromiseFact], lead: Lead, tolerance: timedelta) -> datetime | None:
    done, since_at = 0, _since(lead)
    for fact in sorted(facts, key=lambda fact: fact.accepted_at):
        if fact.accepted_at < counts_from(fact.kind, since_at, generation=lead.generation, tolerance=tolerance):
            continue
        if fact.kind in promise.met_by:
            done += promise.at_least if fact.kind in DECISIVE else 1
            if done >= promise.at_least:
                return fact.accepted_at
        elif fact.kind in ENDING:
            return fact.accepted_at
    return None
