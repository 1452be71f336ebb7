"""Turns: nobody is ever a whole lead off their weighted share."""

import doctest
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import assignment
from services.router.domain.assignment import MAX_DENOMINATOR, Turns, take_turn

weights = st.dictionaries(st.sampled_from([f"rep{n:02}" for n in range(12)]), st.integers(1, 20), min_size=1)


@given(weights, st.integers(1, 150))
def test_after_every_turn_each_member_is_less_than_one_lead_off_their_share(pool: dict[str, int], turns: int) -> None:
    state, total = Turns(), sum(pool.values())
    for number in range(1, turns + 1):
        state = take_turn(state, pool).after
        for rep, weight in pool.items():
            assert abs(state.taken.get(rep, 0) - Fraction(number * weight, total)) < 1
    assert state.number == sum(state.taken.values()) == turns


@given(weights, st.integers(1, 100))
def test_the_same_rotation_always_takes_the_same_turns(pool: dict[str, int], turns: int) -> None:
    shuffled = dict(reversed(pool.items()))
    one, other = Turns(), Turns()
    for _ in range(turns):
        one, other = take_turn(one, pool).after, take_turn(other, shuffled).after
    assert one.taken == other.taken


def test_a_returning_member_is_not_flooded() -> None:
    pool = {"ann": 1, "bob": 1, "cleo": 1}
    state = Turns()
    for _ in range(300):
        state = take_turn(state, {"ann": 1, "bob": 1}).after
    got: list[str] = []
    for _ in range(9):
        turn = take_turn(state, pool)
        state, got = turn.after, [*got, turn.rep]
    assert got.count("cleo") == 3
    assert got[:2] != ["cleo", "cleo"]


def test_a_pool_of_one_always_takes_the_turn() -> None:
    turn = take_turn(Turns(), {"mia": 5})
    assert (turn.rep, turn.why) == ("mia", "the only one available")


@given(weights, st.lists(st.integers(0, 11), max_size=60))
def test_balances_add_up_to_nothing_however_members_come_and_go(pool: dict[str, int], away: list[int]) -> None:
    state = Turns()
    for gone in away:
        available = {rep: weight for rep, weight in pool.items() if rep != f"rep{gone:02}"} or pool
        state = take_turn(state, available).after
        assert sum(state.balances.values()) == 0


def test_numbers_stay_short_and_shares_fair_for_200_reps_who_come_and_go() -> None:
    rng = Random(9)
    pool = {f"rep{n:03}": rng.randint(1, 9) for n in range(200)}
    state, owed = Turns(), dict.fromkeys(pool, Fraction())
    for _ in range(400):
        available = {rep: weight for rep, weight in pool.items() if rng.random() < 0.8}
        state, total = take_turn(state, available).after, sum(available.values())
        for rep, weight in available.items():
            owed[rep] += Fraction(weight, total)
        assert state.denominator <= MAX_DENOMINATOR
        assert sum(state.balances.values()) == 0
        assert all(abs(balance) < 2 * state.denominator for balance in state.balances.values())
    for rep in pool:
        exact = owed[rep] - state.taken.get(rep, 0)
        assert abs(exact - Fraction(state.balances.get(rep, 0), state.denominator)) < Fraction(1, 10**8)


@given(weights, st.integers(1, 10**40), st.integers(1, 100))
def test_a_balance_of_any_length_is_rounded_once_and_turns_are_exact_from_then_on(
    pool: dict[str, int], denominator: int, turns: int
) -> None:
    third = denominator // 3
    behind = Turns(0, denominator, {"away": third, "left": -third})
    first = take_turn(behind, pool).after
    state, total = first, sum(pool.values())
    for number in range(1, turns + 1):
        state = take_turn(state, pool).after
        assert state.denominator == first.denominator <= max(MAX_DENOMINATOR, total)
        for rep, weight in pool.items():
            got = state.taken.get(rep, 0) - first.taken.get(rep, 0)
            moved = Fraction(state.balances[rep] - first.balances[rep], first.denominator)
            assert moved == Fraction(number * weight, total) - got


def test_the_example_in_the_documentation_holds() -> None:
    assert doctest.testmod(assignment).failed == 0
