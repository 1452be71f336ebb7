"""What counts for periods: each lead once per cycle, whatever the order of facts, merges and splits."""

from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.sla_monitor.domain.hand_offs import (
    HandOff,
    counted,
    filled_fields,
    handed_off,
    is_complete,
    seen_in,
)
from services.sla_monitor.domain.persons import Merge, Persons
from services.sla_monitor.domain.window import INQUIRY, Fact
from shared.domain.lead import Company, Contact
from tests.unit.services.sla_monitor.window_states import TOLERANCE, assigned, at, fact, window


def hand_off(lead: str = "ld_1", cycle: int = 1, seconds: float = 0, **more: Any) -> HandOff:
    ordinary = {"handed_at": at(seconds), "received_at": at(seconds - 30), "straight": True, "filled": ""}
    return HandOff(lead_id=lead, cycle=cycle, **{**ordinary, "starts_at": at(seconds - 30), **more})


def count(*hand_offs: HandOff, merges: tuple[Merge, ...] = (), **facts: list[Fact]) -> dict[tuple[str, int], HandOff]:
    persons = Persons({each.lead_id for each in hand_offs}, merges)
    return {each.key: each for each in counted(hand_offs, persons, facts, TOLERANCE)}


def test_a_lead_counts_when_it_was_handed_over_accepted_or_rejected() -> None:
    found = count(hand_off("a"), hand_off("b"), hand_off("c"), a=[fact("accepted", 60)], b=[fact("rejected", 90)])
    assert {key[0]: (one.counts_at, one.accepted_at, one.rejected_at) for key, one in found.items()} == {
        "a": (at(0), at(60), None),
        "b": (at(0), None, at(90)),
        "c": (at(0), None, None),
    }
    assert found["a", 1].hand_off_s == 30


def test_a_rejected_duplicate_was_never_delivered() -> None:
    [found] = count(hand_off(), ld_1=[fact("rejected", 60, reason="duplicate")]).values()
    assert (found.instants, found.hand_off_s) == ([], None)
    [kept] = count(hand_off(), ld_1=[fact("rejected", 60, reason="duplicate"), fact("accepted", 90)]).values()
    assert (kept.counts_at, kept.accepted_at) == (at(0), at(90))


def test_a_lead_that_comes_back_counts_again_with_its_own_decision() -> None:
    facts = [fact("rejected", 60), fact("accepted", 10_060)]
    found = count(hand_off(), hand_off(cycle=2, seconds=10_000), ld_1=facts)
    assert (found["ld_1", 1].rejected_at, found["ld_1", 1].accepted_at) == (at(60), None)
    assert (found["ld_1", 2].rejected_at, found["ld_1", 2].accepted_at) == (None, at(10_060))


def test_a_decision_from_before_the_lead_came_in_counts_for_nothing() -> None:
    [found] = count(hand_off(), ld_1=[fact("accepted", -60)]).values()
    assert found.accepted_at is None


def test_a_person_with_two_ids_counts_once_at_the_earliest_hand_off() -> None:
    merge = Merge("b", "a", at(500), was_lead=True)
    found = count(hand_off("a", seconds=100), hand_off("b"), merges=(merge,), a=[fact("accepted", 600)])
    assert (found["b", 1].counts_at, found["b", 1].accepted_at) == (at(0), at(600))
    assert found["a", 1].instants == []
    apart = count(*found.values(), a=[fact("accepted", 600)])
    assert (apart["a", 1].counts_at, apart["a", 1].accepted_at, apart["b", 1].accepted_at) == (at(100), at(600), None)


def test_an_earlier_inquiry_makes_the_hand_off_longer_and_a_queue_leaves_it_out() -> None:
    [found] = count(hand_off(), ld_1=[fact(INQUIRY, -120)]).values()
    assert found.hand_off_s == 120
    [waited] = count(hand_off(straight=False)).values()
    assert (waited.hand_off_s, waited.counts_at) == (None, at(0))


def test_a_hand_off_from_before_the_upgrade_is_known_by_its_windows() -> None:
    first, moved = window(), assigned(generation=2, assigned_at=at(900), because="missed", previous_rep="ann")
    seen = handed_off(moved, [first])
    assert seen is not None
    assert (seen.handed_at, seen.received_at, seen.straight, seen.filled) == (at(0), at(-1), True, None)
    assert handed_off(moved, []) is None
    assert seen_in("ld_1", 2, [first]) is None


def test_a_new_assignment_is_a_hand_off_with_the_fields_that_are_filled() -> None:
    event = assigned(contact=Contact(email="jo@example.com", phone=""), company=Company(name="Example", employees=50))
    found = handed_off(event, [])
    assert found is not None
    assert found.filled == "contact.email company.name company.employees"
    assert is_complete(found.filled, ["contact.email", "company.employees"])
    assert not is_complete(found.filled, ["contact.phone"])
    assert is_complete(filled_fields(Contact(phone="+32"), Company()), ["contact.phone", "budget.amount"])


KINDS = st.sampled_from(["accepted", "rejected", "call", INQUIRY])
FACTS = st.lists(st.tuples(KINDS, st.integers(-100, 20_000)), max_size=8, unique=True)


@given(FACTS, FACTS, st.booleans(), st.randoms(use_true_random=False))
def test_any_order_of_facts_and_hand_offs_gives_the_same_count(
    of_a: list[tuple[str, int]], of_b: list[tuple[str, int]], merged: bool, random: Any
) -> None:
    facts = {
        "a": [fact(kind, seconds) for kind, seconds in of_a],
        "b": [fact(kind, seconds) for kind, seconds in of_b],
    }
    hand_offs = [hand_off("a"), hand_off("a", 2, 10_000), hand_off("b", seconds=50)]
    merges = (Merge("b", "a", at(5_000), was_lead=True),) if merged else ()
    expected = count(*hand_offs, merges=merges, **facts)
    random.shuffle(hand_offs)
    for each in facts.values():
        random.shuffle(each)
    assert count(*hand_offs, merges=merges, **facts) == expected
    again = count(*expected.values(), merges=merges, **facts)
    assert again == expected
    people = 1 if merged else 2
    first = [each for each in expected.values() if each.cycle == 1 and each.counts_at is not None]
    assert len(first) == people
    instants: list[datetime] = [each.accepted_at for each in expected.values() if each.accepted_at is not None]
    assert len(instants) <= people + 1
