"""Where a qualified lead goes: the first routing rule that can decide, and the new owner.

Owner rules pass a lead on if there is no owner, if the owner is away for too long, or if they are on leave, others
are to get their leads and no deputy can. A pool rule always decides: a member's turn, or the pool's queue.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from services.router.domain.assignment import Turn, Turns, take_least_open, take_turn
from services.router.domain.availability import RepState, absence, away_for, full, on_leave, whole_absence
from services.router.domain.formats import LEAVE_WAITS, OLDEST_FORMAT
from services.router.domain.lead import Lead
from services.router.domain.proof import Proof, Skipped, TurnRecord, turn_record
from services.router.domain.qualification import routes
from services.router.domain.routing_state import Candidates, Owner, RoutingState
from shared.domain.agreement import Agreement, Only, Person, Pool, Route
from shared.domain.conditions import DecisionFacts


class Placement(msgspec.Struct, frozen=True):
    """What routing came to. `rep` is None when the lead has to wait in `queue`; `why` is a sentence. `away` says why an
    owner who gets it is away.
    """

    rule: str
    pool: str
    rep: str | None
    why: str
    queue: str = ""
    turn: TurnRecord | None = None
    skipped: tuple[Skipped, ...] = ()
    states: Mapping[str, RepState] = {}
    passed_over: Mapping[str, str] = {}
    away: str | None = None


class NobodyInstead(msgspec.Struct, frozen=True):
    """Why a rule with an owner gives the lead to no one, and the states of people that this hangs on."""

    why: str
    states: Mapping[str, RepState]


def place(
    routing: RoutingState,
    agreement: Agreement,
    facts: DecisionFacts,
    now: datetime,
    *,
    last: Owner | None = None,
    account: Owner | None = None,
    without: Mapping[str, str] | None = None,
) -> Placement:
    """Where a lead with these facts goes. `last` had the lead before, `account` owns its company; `without` are people
    who can't have it, with the reason. Changes `routing`: a turn is taken.
    """
    skipped: list[Skipped] = []
    states: dict[str, RepState] = {}
    for rule in routes(agreement, facts):
        if rule.owner is None:
            pool = agreement.pools[str(rule.pool)]
            wanted = wanted_of(rule.only, facts)
            placed = in_pool(routing, agreement, pool, now, wanted=wanted, rule=rule.name, without=without)
        else:
            owner = last if rule.owner == "lead" else account
            found = _with_owner(routing, agreement, rule, owner, now, without or {})
            states |= found.states
            if isinstance(found, NobodyInstead):
                skipped.append(Skipped(rule.name, found.why))
                continue
            placed = found
        if skipped or states:
            return msgspec.structs.replace(placed, skipped=tuple(skipped), states={**states, **placed.states})
        return placed
    raise AssertionError("an agreement without a last rule does not load")


def recorded(proof: Proof, placed: Placement) -> Proof:
    """The proof with where the lead goes, and why."""
    return msgspec.structs.replace(
        proof,
        rule=placed.rule,
        skipped=placed.skipped,
        turn=placed.turn,
        rep=placed.rep,
        states=placed.states,
        passed_over=placed.passed_over,
    )


def last_owner(lead: Lead, rep: str | None) -> Owner | None:
    """The rep as the one who had the lead before."""
    return Owner(rep, lead.pool or "", lead.lead_id, "had the lead before") if rep is not None else None


def pool_of(agreement: Agreement, rep: str | None, before: str | None) -> str:
    """The pool in which the rep shares turns, the one they had the lead from `before` any other; empty for none."""
    mine = [name for name, pool in agreement.pools.items() if rep in pool.members]
    return before if before in mine else next(iter(mine), "")


def in_pool(
    routing: RoutingState,
    agreement: Agreement,
    pool: Pool,
    now: datetime,
    *,
    wanted: Mapping[str, frozenset[str]],
    rule: str,
    without: Mapping[str, str] | None = None,
) -> Placement:
    """A turn among the members who can have the lead, or the pool's queue. `without` are members who can't, with the
    reason. Changes `routing`: the turn is taken.
    """
    candidates = routing.candidates(agreement, pool, wanted, now)
    if without:
        candidates = _narrowed(candidates, pool, without)
    if not candidates.available:
        why = f"nobody in {pool.name} is available; it waits in {pool.park_in or pool.name}"
        return Placement(
            rule,
            pool.name,
            None,
            why,
            queue=pool.park_in or pool.name,
            states=candidates.states,
            passed_over=candidates.passed_over,
        )
    turn, held = _turn(pool, routing, candidates)
    routing.set_turns(pool.name, turn.after)
    record = turn_record(turn, pool.name, candidates, held)
    return Placement(rule, pool.name, turn.rep, f"{turn.rep} is {turn.why}", turn=record, states=candidates.states)


def wanted_of(only: Sequence[Only], facts: DecisionFacts) -> dict[str, frozenset[str]]:
    """What a member must have one of, by attribute, in the lead's own terms; nothing when its fact is not there."""
    return {each.attribute: frozenset(value.casefold() for value in _asked_for(each, facts)) for each in only}


def _asked_for(only: Only, facts: DecisionFacts) -> Sequence[str]:
    """The values that the rule names, or the one that the lead says itself."""
    if only.field is None:
        return only.values
    seen = facts.values.get(only.field)
    return (seen,) if isinstance(seen, str) else ()


def _turn(pool: Pool, routing: RoutingState, candidates: Candidates) -> tuple[Turn, dict[str, int] | None]:
    turns = routing.turns.get(pool.name) or Turns()
    if pool.strategy == "least_open":
        held = {rep: routing.state(rep).open for rep in candidates.available}
        return take_least_open(turns, candidates.available, held), held
    return take_turn(turns, candidates.available, bounded=routing.proof_format > OLDEST_FORMAT), None


def _narrowed(candidates: Candidates, pool: Pool, without: Mapping[str, str]) -> Candidates:
    left = {rep: weight for rep, weight in candidates.available.items() if rep not in without}
    out = {rep: why for rep, why in without.items() if rep in pool.members}
    return Candidates(left, {**candidates.passed_over, **out}, candidates.states)


def instead_of(
    routing: RoutingState,
    agreement: Agreement,
    person: Person,
    rule: str,
    pool: str,
    now: datetime,
    without: Mapping[str, str],
) -> Placement | NobodyInstead:
    """Who gets a lead instead of its owner, who is on leave: their deputy, or the deputy's deputy, the first who is
    there and not at capacity. `without` are people who can't have it, with the reason.
    """
    why = _why_away(person, routing.state(person.id), now)
    states, asked, deputy = {person.id: routing.state(person.id)}, {person.id}, person.deputy
    while deputy is not None and deputy not in asked:
        asked.add(deputy)
        stand_in, state = agreement.people[deputy], routing.state(deputy)
        states[deputy] = state
        if deputy not in without and _is_there(stand_in, state, now):
            whose = f"{deputy} is the deputy of {person.id}, who is {why}"
            return Placement(rule, pool_of(agreement, deputy, pool), deputy, whose, states=states)
        deputy = stand_in.deputy
    nobody = f"{person.id} is {why}" + (", and no deputy can have it" if person.deputy is not None else "")
    return NobodyInstead(nobody, states)


def moves(person: Person, state: RepState, now: datetime) -> bool:
    """Whether others get the person's leads now, because they are on leave."""
    return person.on_leave == "move" and on_leave(person, state, now)


def _with_owner(
    routing: RoutingState,
    agreement: Agreement,
    rule: Route,
    owner: Owner | None,
    now: datetime,
    without: Mapping[str, str],
) -> Placement | NobodyInstead:
    """Who gets the lead by a rule with an owner, or why the rule does not decide."""
    if owner is None:
        return NobodyInstead("nobody owns the company" if rule.owner == "account" else "nobody had the lead before", {})
    state, person = routing.state(owner.rep), agreement.people.get(owner.rep)
    states = {owner.rep: state}
    if person is None or not person.active:
        return NobodyInstead(f"{owner.rep} is no longer in the team", states)
    too_long = _too_long_away(routing, rule, person, now)
    if (too_long is not None or rule.unless_away_for is None) and moves(person, state, now):
        return instead_of(routing, agreement, person, rule.name, owner.pool, now, without)
    if too_long is not None:
        return NobodyInstead(too_long, states)
    away = absence(person, state, now)
    why = f"{owner.rep} {owner.how}"
    if away is not None and routing.proof_format >= LEAVE_WAITS and on_leave(person, state, now):
        why = f"{why}; they are {_why_away(person, state, now)}, and the clock waits"
    shared = pool_of(agreement, owner.rep, owner.pool)
    return Placement(rule.name, shared, owner.rep, why, states=states, away=away.why if away is not None else None)


def _too_long_away(routing: RoutingState, rule: Route, person: Person, now: datetime) -> str | None:
    """Why the owner is away for too long to get the lead by this rule; None when they are not."""
    limit = rule.unless_away_for
    if limit is None:
        return None
    state, old_rules = routing.state(person.id), routing.proof_format == OLDEST_FORMAT
    away = absence(person, state, now) if old_rules else whole_absence(person, state, now)
    if away is not None and away_for(person, away, limit, now, old_rules=old_rules):
        return f"{person.id} is away for {limit.text} or longer ({away.why})"
    return None


def _is_there(person: Person, state: RepState, now: datetime) -> bool:
    return person.active and absence(person, state, now) is None and full(person, state, now) is None


def _why_away(person: Person, state: RepState, now: datetime) -> str:
    away = absence(person, msgspec.structs.replace(state, hold=None), now)
    return away.why if away is not None else "not on leave"
