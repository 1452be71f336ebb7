"""What is recorded of a promise that a reject reason asks for, in any order of what is read."""

from hypothesis import given
from hypothesis import strategies as st

from services.sla_monitor.domain.attempts import recorded_attempts
from services.sla_monitor.domain.opening import opened
from services.sla_monitor.domain.window import Fact, Window
from shared.domain.events import AgreementRef
from tests.unit.services.sla_monitor.window_states import (
    ATTEMPTS,
    FIRST_RESPONSE,
    agreement,
    assigned,
    at,
    fact,
    waiting,
    watch,
)

DEAL = agreement(ATTEMPTS, FIRST_RESPONSE)


def windows(generation: int = 1, **changes: object) -> list[Window]:
    event = assigned(generation=generation, agreement=AgreementRef("emea", 3, "sha256:x"), **changes)
    return opened(event, DEAL, watch())


def recorded(found: list[Window], *facts: Fact, promise: str = "attempts") -> tuple[int, int] | None:
    result = recorded_attempts("ld_1", promise, found, facts)
    return (result.recorded, result.needed) if result is not None else None


def test_attempts_count_by_kind_and_outcome_whoever_made_them() -> None:
    calls = (
        fact("call", 1, by="ann"),
        fact("email", 2, by="zoe"),
        fact("meeting", 3),
        fact("call", 4, outcome="bounced"),
    )
    assert recorded(windows()) == (0, 3)
    assert recorded(windows(), *calls) == (2, 3)
    assert recorded(windows(), *calls, fact("email", 5)) == (3, 3)
    assert recorded(windows(), *calls, fact("email", 5), promise="first_response") == (1, 1)


def test_nothing_is_missing_once_the_buyer_was_reached() -> None:
    assert recorded(windows(), fact("call", 1, outcome="connected")) == (3, 3)


def test_attempts_of_an_owner_before_count_and_those_of_an_earlier_cycle_do_not() -> None:
    moved = [*windows(), *windows(2, assigned_at=at(600))]
    assert recorded(moved, fact("call", 1), fact("call", 601)) == (2, 3)
    again = windows(3, assigned_at=at(9000), received_at=at(8990), cycle=2, previous_ended_at=at(700))
    assert recorded([*moved, *again], fact("call", 1), fact("call", 601), fact("call", 9001)) == (1, 3)
    reopened = windows(3, assigned_at=at(9000), because="reopened", previous_ended_at=at(700))
    assert recorded([*moved, *reopened], fact("call", 601), fact("call", 9001)) == (1, 3)


def test_nothing_is_known_of_a_promise_that_was_not_made_on_the_lead() -> None:
    assert recorded([]) is None
    assert recorded([waiting()]) is None
    assert recorded(opened(assigned(), agreement(FIRST_RESPONSE), watch()), fact("call", 1)) is None


@given(st.permutations([fact("call", 1), fact("email", 2), fact("call", 3, outcome="bounced"), fact("note", 4)]))
def test_the_order_in_which_facts_are_read_changes_nothing(facts: list[Fact]) -> None:
    assert recorded(windows(), *facts) == (2, 3)
