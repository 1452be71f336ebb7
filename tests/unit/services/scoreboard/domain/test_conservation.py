"""The equation of all inquiries, and how facts in any order come to the same counts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoreboard.domain.conservation import conserve
from services.scoreboard.domain.counters import ALL, difference
from services.scoreboard.domain.inquiries import InquiryRow, counts_for, decide, inquiry_in, quarantine, receive
from shared.domain.events import InquiryReceived, RecordQuarantined
from tests.kit.events import (
    after,
    assigned,
    inquiry,
    merged,
    parked,
    quarantined,
    reassigned,
    rejected,
)


def apply(events: Sequence[Any]) -> tuple[dict[str, InquiryRow], Counter[tuple[str, str]]]:
    """Apply the events one by one, keeping counters by difference as the store does."""
    known: dict[str, InquiryRow] = {}
    counters: Counter[tuple[str, str]] = Counter()
    for event in events:
        found = inquiry_in(event) if isinstance(event, RecordQuarantined) else None
        if isinstance(event, RecordQuarantined) and found is None:
            continue
        key = found.inquiry_id if found else event.inquiry_id
        was = known.get(key, InquiryRow(inquiry_id=key))
        if isinstance(event, InquiryReceived):
            now = receive(was, event)
        elif found:
            now = quarantine(was, event, found)
        else:
            now = decide(was, event)
        known[key] = now
        counters.update(difference(was, now, counts_for))
    return known, counters


def equation(events: Sequence[Any]) -> Any:
    known, counters = apply(events)
    waiting = sum(1 for i in known.values() if i.outcome == "in_flight" and i.received_at is not None)
    totals = {name: value for (period, name), value in counters.items() if period == ALL}
    early = sum(1 for i in known.values() if i.outcome != "in_flight" and i.received_at is None)
    return conserve({**totals, "in_flight": waiting, "early": early})


def test_nothing_received_is_balanced() -> None:
    assert conserve({}).balanced


def test_an_inquiry_without_a_verdict_is_in_flight() -> None:
    found = equation([inquiry()])
    assert (found.received, found.in_flight, found.balanced) == (1, 1, True)


def test_a_verdict_ahead_of_its_inquiry_is_balanced_and_counts_as_received() -> None:
    for story in ([assigned()], [assigned(), inquiry()], [quarantined("router", inquiry_id="ld_1_1")]):
        found = equation(story)
        assert (found.received, found.in_flight, found.balanced) == (1, 0, True)


def test_an_inquiry_that_ingest_numbered_and_nobody_has_is_missing() -> None:
    found = conserve({"received": 2, "missing": 1, "assigned": 1, "in_flight": 1})
    assert (found.received, found.missing, found.balanced) == (3, 1, False)
    assert found.why.startswith("1 inquiry is missing")


def test_an_inquiry_that_stayed_in_the_spool_is_received_and_quarantined() -> None:
    found = equation([quarantined("ingest", "spool:in_1/7", inquiry_id="ld_1_1")])
    assert (found.received, found.quarantined, found.balanced) == (1, 1, True)


def test_a_lost_outcome_and_a_negative_count_are_unbalanced() -> None:
    assert "without an outcome" in conserve({"received": 2, "assigned": 1}).why
    assert "below zero" in conserve({"received": 0, "assigned": 1, "parked": -1}).why


def test_a_parked_inquiry_that_is_assigned_later_counts_once() -> None:
    found = equation([inquiry(), parked(), assigned(lead_version=2), reassigned(lead_version=3)])
    assert (found.received, found.assigned, found.parked) == (1, 1, 0)


def test_a_parked_inquiry_that_is_drained_counts_once_as_assigned_in_the_day_and_in_all() -> None:
    _, counters = apply([inquiry(), parked(), assigned(lead_version=2, because="drained")])
    assert {name for (_, name), value in counters.items() if value} == {"received", "assigned"}


def test_a_lead_that_goes_on_as_another_one_counts_once_as_merged() -> None:
    joined = merged("ld_2", 1, into="ld_1", lead_version=3)
    found = equation([inquiry("ld_1"), assigned("ld_1"), inquiry("ld_2"), assigned("ld_2"), joined])
    assert (found.received, found.assigned, found.merged, found.balanced) == (2, 1, 1, True)


def test_an_inquiry_that_was_judged_under_another_lead_counts_once() -> None:
    elsewhere = assigned("ld_1", lead_version=4, inquiry_id="ld_3_1")
    moved = reassigned("ld_1", lead_version=5, inquiry_id="ld_3_1")
    for story in ([inquiry("ld_3"), elsewhere, moved], [moved, inquiry("ld_3"), elsewhere]):
        known, _ = apply(story)
        assert known["ld_3_1"].lead_id == "ld_1"
        assert (equation(story).assigned, equation(story).balanced) == (1, True)


def test_an_older_verdict_that_comes_late_changes_nothing() -> None:
    found = equation([inquiry(), assigned(lead_version=2), parked(lead_version=1)])
    assert (found.assigned, found.parked) == (1, 0)


def test_a_payload_set_aside_at_the_endpoint_is_one_received_and_one_quarantined() -> None:
    found = equation([quarantined("ingest", "source:website", record_type=None)])
    assert (found.received, found.quarantined, found.balanced) == (1, 1, True)


def test_an_activity_set_aside_is_no_inquiry() -> None:
    kind = "baton.activity.recorded.v1"
    assert inquiry_in(quarantined("ingest", "source:crm", record_type=kind)) is None
    assert inquiry_in(quarantined("router", "baton.activities.v1/0/1", record_type=kind)) is None
    assert inquiry_in(quarantined("delivery", "baton.assignments.v1/0/1", record_type="baton.lead.assigned.v1")) is None


def test_an_inquiry_that_the_router_set_aside_is_quarantined() -> None:
    found = equation([inquiry(), quarantined(body=b'{"inquiry_id": "ld_1_1"}')])
    assert (found.received, found.quarantined, found.in_flight, found.balanced) == (1, 1, 0, True)


def test_an_inquiry_that_nobody_can_read_is_received_and_quarantined_once() -> None:
    found = equation([quarantined("router"), quarantined("scoreboard")])
    assert (found.received, found.quarantined, found.balanced) == (1, 1, True)


def test_a_replayed_inquiry_leaves_the_quarantine() -> None:
    found = equation([inquiry(), quarantined(inquiry_id="ld_1_1"), assigned()])
    assert (found.received, found.quarantined, found.assigned, found.balanced) == (1, 0, 1, True)


def test_a_test_lead_is_in_the_totals_and_not_in_the_day() -> None:
    _, counters = apply([inquiry(test=True), assigned()])
    assert {period for (period, _), value in counters.items() if value} == {ALL}


def test_the_day_of_an_inquiry_is_the_day_it_came_whenever_it_is_judged() -> None:
    _, counters = apply([assigned(assigned_at=after(3000)), inquiry()])
    assert counters["2026-11-23T09:00Z", "assigned"] == 1


STORY = [
    inquiry("ld_1"),
    parked("ld_1"),
    assigned("ld_1", lead_version=2),
    inquiry("ld_1", 2),
    merged("ld_1", 2, lead_version=3),
    inquiry("ld_2"),
    rejected("ld_2"),
    inquiry("ld_3"),
    quarantined(inquiry_id="ld_3_1"),
    inquiry("ld_4"),
    quarantined("ingest", "source:website", record_type=None),
    inquiry("ld_5"),
    assigned("ld_5"),
    merged("ld_5", 1, into="ld_1", lead_version=2),
    inquiry("ld_6"),
    merged("ld_6", 1, into="ld_1", lead_version=1),
]


@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=6))
def test_any_order_and_any_repetition_come_to_the_same(order: list[Any], again: list[Any]) -> None:
    known, counters = apply(order + again)
    expected, expected_counters = apply(STORY)
    assert equation(order + again) == equation(STORY)
    assert +counters == +expected_counters
    assert {k: v.outcome for k, v in known.items()} == {k: v.outcome for k, v in expected.items()}


@pytest.mark.parametrize("cut", range(len(STORY)))
def test_it_balances_at_every_moment_when_each_inquiry_comes_first(cut: int) -> None:
    assert equation(STORY[:cut]).balanced
