"""Whose turn it is: weighted turns by Tijdeman's rule for the chairman assignment problem, in exact arithmetic, or
the member with the fewest open leads for their weight.

R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980): after each turn, every member
of an unchanged pool is less than one lead off their weighted share. A member who is away earns no turns and so is not
flooded on return; a new member starts even.

Shares are exact fractions. When another combination of members makes the common denominator longer than
`MAX_DENOMINATOR`, balances are rounded once to a shorter one, by less than a billionth of a lead and in sum by nothing.
"""

from collections.abc import Mapping
from math import lcm

import msgspec

MAX_DENOMINATOR = 10**12
"""Bounds the digits of balances. Without members that come and go it is reached by no pool of ordinary weights."""


class Turns(msgspec.Struct, frozen=True):
    """The state of a pool's rotation.

    `balances` are how far each member is ahead of (negative) or behind (positive) their share, in leads times
    `denominator`; `taken` counts each member's leads; `number` counts all turns.
    """

    number: int = 0
    denominator: int = 1
    balances: Mapping[str, int] = {}
    taken: Mapping[str, int] = {}


class Turn(msgspec.Struct, frozen=True):
    """One turn taken: who gets the lead, why, and the rotation before and after."""

    rep: str
    why: str
    before: Turns
    after: Turns


def take_turn(turns: Turns, available: Mapping[str, int], *, bounded: bool = True) -> Turn:
    """The next turn among `available` members (id to weight of at least 1; not empty). Verdicts from before balances
    were rounded are derived again with `bounded=False`.

    >>> state, order = Turns(), []
    >>> for _ in range(6):
    ...     turn = take_turn(state, {"ann": 2, "bob": 1})
    ...     state, order = turn.after, [*order, turn.rep]
    >>> order
    ['ann', 'bob', 'ann', 'ann', 'bob', 'ann']
    """
    total = sum(available.values())
    denominator = lcm(turns.denominator, total)
    if bounded and denominator > MAX_DENOMINATOR:
        denominator = max(1, MAX_DENOMINATOR // total) * total
    balances, unit = _rescaled(turns, denominator), denominator // total
    for rep, weight in available.items():
        balances[rep] = balances.get(rep, 0) + weight * unit
    rep, why = _due_first(balances, available, denominator)
    balances[rep] -= denominator
    taken = {**turns.taken, rep: turns.taken.get(rep, 0) + 1}
    return Turn(rep, why, turns, Turns(turns.number + 1, denominator, balances, taken))


def take_least_open(turns: Turns, available: Mapping[str, int], held: Mapping[str, int]) -> Turn:
    """The member with the fewest open leads for their weight; on a tie the one who got the fewest, then by id.

    `held` counts the open leads of each of `available` (0 if absent). Balances of weighted turns do not change, so that
    a pool can change its strategy and back.

    >>> take_least_open(Turns(), {"ann": 2, "bob": 1}, {"ann": 3, "bob": 2}).rep
    'ann'
    """
    best, best_held, best_weight, best_taken = "", 0, 1, 0
    for rep in sorted(available):
        has, weight, got = held.get(rep, 0), available[rep], turns.taken.get(rep, 0)
        less = has * best_weight - best_held * weight
        if not best or less < 0 or (less == 0 and got * best_weight < best_taken * weight):
            best, best_held, best_weight, best_taken = rep, has, weight, got
    why = "the only one available" if len(available) == 1 else f"least loaded, with {best_held} open"
    taken = {**turns.taken, best: turns.taken.get(best, 0) + 1}
    return Turn(best, why, turns, Turns(turns.number + 1, turns.denominator, turns.balances, taken))


def _rescaled(turns: Turns, denominator: int) -> dict[str, int]:
    """The balances in another denominator, each rounded down or up: as many up as make the sum nothing again, those
    with the largest remainders first, then by id.
    """
    if denominator == turns.denominator:
        return dict(turns.balances)
    parts = {rep: divmod(balance * denominator, turns.denominator) for rep, balance in turns.balances.items()}
    ups = -sum(down for down, _ in parts.values())
    by_remainder = sorted(parts, key=lambda rep: (-parts[rep][1], rep))
    return {rep: parts[rep][0] for rep in parts} | {rep: parts[rep][0] + 1 for rep in by_remainder[:ups]}


def _due_first(balances: Mapping[str, int], available: Mapping[str, int], denominator: int) -> tuple[str, str]:
    """Among members owed enough, the one whose next unit falls due first; ties by id.

    With n members a member is owed enough from 1/(2n-2) of a lead on, and the next unit falls due when the balance
    would reach 1 - 1/(2n-2).
    """
    if len(available) == 1:
        return next(iter(available)), "the only one available"
    slices = 2 * len(available) - 2
    eligible = [rep for rep in available if balances[rep] * slices >= denominator]
    best, best_wait, best_weight = "", 0, 0
    for rep in sorted(eligible or available):
        wait, weight = denominator * (slices - 1) - balances[rep] * slices, available[rep]
        if (
            not best or wait * best_weight < best_wait * weight
        ):  # wait/weight < best_wait/best_weight, without fractions
            best, best_wait, best_weight = rep, wait, weight
    return best, "next by weighted turns" if eligible else "nearest to their share; nobody was owed a turn yet"
