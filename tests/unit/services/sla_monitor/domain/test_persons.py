"""Which ids are one person, and what counts for which of their leads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.sla_monitor.domain.persons import Merge, Persons, merges_in
from services.sla_monitor.domain.window import INQUIRY
from services.sla_monitor.store import tables
from services.sla_monitor.store.trimming import EXPIRED
from tests.kit.events import after, merged
from tests.unit.services.sla_monitor.window_states import at, fact

CHAIN = [Merge("a", "b", at(10), was_lead=True), Merge("b", "c", at(20), was_lead=True), Merge("x", "c", at(5), False)]


@given(st.permutations(CHAIN))
def test_all_ids_of_a_person_lead_to_the_lead_that_goes_on(merges: list[Merge]) -> None:
    persons = Persons(["a"], merges)
    assert {persons.lead_of(each) for each in "abcx"} == {"c"}
    assert persons.ids == ["c", "a", "b", "x"]
    assert persons.ids_of(["a", "c"]) == persons.ids_of(["x"])


def test_an_id_that_became_part_of_no_other_is_a_person_by_itself() -> None:
    assert Persons(["d"], []).ids == ["d"]


def test_merges_in_a_circle_end() -> None:
    persons = Persons(["a"], [Merge("a", "b", at(1), True), Merge("b", "a", at(2), True)])
    assert set(persons.ids) == {"a", "b"}


@pytest.mark.parametrize("kind", ["call", "meeting", "accepted", "consent_withdrawn", "disputed"])
def test_what_is_reported_under_any_id_counts_for_all_leads_of_the_person(kind: str) -> None:
    persons = Persons(["a"], CHAIN)
    assert all(persons.counts(lead, under, fact(kind, 0)) for lead in "abc" for under in "abcx")


@pytest.mark.parametrize("kind", ["rejected", "won", "lost"])
def test_how_a_lead_had_ended_before_the_merge_says_nothing_about_the_others(kind: str) -> None:
    persons = Persons(["a"], CHAIN)
    for one, other, since in (("a", "b", 10), ("b", "c", 20), ("a", "c", 20)):
        assert [persons.counts(one, other, fact(kind, second)) for second in (since - 1, since)] == [False, True]
        assert [persons.counts(other, one, fact(kind, second)) for second in (since - 1, since)] == [False, True]
    assert persons.counts("a", "a", fact(kind, 9))


@pytest.mark.parametrize("kind", ["rejected", "won", "lost"])
def test_an_end_under_an_id_that_never_was_a_lead_counts_whenever_it_was_reported(kind: str) -> None:
    assert Persons(["c"], CHAIN).counts("c", "x", fact(kind, 0))


def test_two_leads_are_one_person_since_the_inquiry_that_shows_it_however_late_that_is_read() -> None:
    event = merged("a", into="b", was="assigned", decided_at=after(30))
    linked = replace(event, one_person_since=after(10))
    assert merges_in(linked) == [Merge("a", "b", after(10), was_lead=True)]
    assert merges_in(event) == [Merge("a", "b", after(30), was_lead=True)]
    assert merges_in(merged("a")) == []


def test_where_a_lead_started_concerns_that_lead_only() -> None:
    persons = Persons(["a"], CHAIN)
    assert [persons.counts("c", under, fact(INQUIRY, 0)) for under in "abcx"] == [False, False, True, False]


def test_under_which_ids_a_person_is_known_is_stored_for_good() -> None:
    assert tables.merged not in [rule.table for rule in EXPIRED]
