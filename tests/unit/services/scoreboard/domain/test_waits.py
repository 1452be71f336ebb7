"""How long buyers wait and how long their reps took: values, and the same in any order of what is read."""

import dataclasses
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from services.scoreboard.domain.waits import Wait, measured, waits
from shared.domain.events import Event, LeaveInterval, RepRef
from tests.kit.events import NINE, activity, after, assigned, inquiry, merged, parked, reassigned
from tests.unit.services.sla_monitor.window_states import OFFICE, agreement

DEAL = dataclasses.replace(agreement(), calendars={"office": OFFICE})
FRIDAY = NINE - timedelta(days=3) + timedelta(hours=7, minutes=50)
"""16:50, ten minutes before the office closes for the weekend."""
BOB = RepRef("bob", "bob@acme.example")


def only(*events: Event) -> Wait:
    [found] = waits("ld_1", events)
    return measured(found, DEAL)


def seconds(wait: Wait) -> tuple[float | None, ...]:
    return wait.buyer_s, wait.buyer_work_s, wait.rep_s, wait.rep_work_s


def call(at: datetime, **changes: Any) -> Event:
    return activity(accepted_at=at, activity_id=f"call-{at}", **changes)


def test_the_buyer_waits_from_the_inquiry_and_the_rep_from_the_hand_off() -> None:
    events = (
        inquiry(accepted_at=FRIDAY),
        assigned(received_at=FRIDAY, assigned_at=FRIDAY + timedelta(minutes=5)),
        reassigned(received_at=FRIDAY, assigned_at=after(10), rep=BOB, generation=2),
        call(after(30)),
        call(after(40)),
    )
    weekend_s = timedelta(days=2, hours=16, minutes=40).total_seconds()
    for order in permutations(events):
        found = only(*order)
        assert seconds(found) == (weekend_s, 40 * 60, 20 * 60, 20 * 60)
        assert (found.asked_at, found.answered_at, found.rep) == (FRIDAY, after(30), "bob")


def test_leave_of_the_rep_is_no_working_time_of_theirs_and_the_buyer_waits_on() -> None:
    leave = (LeaveInterval(after(5), after(25)),)
    found = only(assigned(assigned_at=after(0), owner_leave=leave), call(after(30)))
    assert seconds(found) == (1800, 1800, 1800, 600)


def test_what_never_reached_the_buyer_is_no_answer() -> None:
    assert only(assigned(), call(after(5), outcome="bounced"), activity(kind="note")).answered_at is None
    assert only(assigned(), call(after(5), outcome="no_answer")).answered_at == after(5)
    assert seconds(only(assigned())) == (None, None, None, None)


def test_an_answer_counts_from_when_a_trusted_sender_says_that_it_happened() -> None:
    found = only(assigned(assigned_at=after(1)), call(after(60), happened_at=after(5)), call(after(20)))
    assert seconds(found) == (300, 300, 240, 240)


def test_a_call_right_after_the_inquiry_answers_before_anyone_has_the_lead() -> None:
    found = only(assigned(assigned_at=after(10)), call(after(5)))
    assert seconds(found) == (300, 300, 0, 0)


def test_a_wait_in_a_queue_is_the_buyers_and_not_the_reps() -> None:
    waiting = parked(received_at=NINE, decided_at=after(1))
    found = only(waiting, assigned(assigned_at=after(60), because="drained"), call(after(65)))
    assert seconds(found) == (65 * 60, 65 * 60, 5 * 60, 5 * 60)
    unowned = only(waiting, call(after(65)))
    assert (unowned.rep, seconds(unowned)) == (None, (65 * 60, 65 * 60, None, None))


def test_an_inquiry_that_turns_out_to_be_the_first_begins_the_wait() -> None:
    assert only(assigned(), merged(received_at=after(-5)), call(after(5))).buyer_s == 600


def test_each_cycle_has_its_own_wait() -> None:
    again = assigned(received_at=after(600), assigned_at=after(601), cycle=2, generation=2)
    first, second = waits("ld_1", (again, assigned(), call(after(5)), call(after(605))))
    assert (first.answered_at, second.answered_at) == (after(5), after(605))
    first, second = waits("ld_1", (again, assigned(), call(after(605))))
    assert (first.answered_at, second.answered_at) == (None, after(605))


def test_without_the_agreement_only_the_clock_is_known() -> None:
    [found] = waits("ld_1", (assigned(), call(after(5))))
    assert seconds(measured(found, None)) == (300, None, 294, None)
