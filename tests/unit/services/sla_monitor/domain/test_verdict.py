"""What ends a window, and whose fault a breach is."""

from datetime import datetime, timedelta

import msgspec
import pytest

from services.sla_monitor.domain.verdict import WindowVerdict, after, superseded, verdict_now, verdict_on_fact
from services.sla_monitor.domain.window import READING_LAG, Fact, Window, counting
from shared.domain.agreement import Duration, Promise
from tests.unit.services.sla_monitor.window_states import (
    ATTEMPTS,
    DISPOSITION,
    FIRST_RESPONSE,
    agreement,
    assigned,
    at,
    fact,
    parked,
    waiting,
    window,
)

DUE, DECIDED = 900, 902


def test_a_window_is_the_same_window_however_often_it_is_opened() -> None:
    assert window().window_id == window(known_at=at(5)).window_id
    assert window().window_id != window(assigned(generation=2)).window_id


@pytest.mark.parametrize("seconds", [-1, 0, DUE, DUE + 1, DECIDED])
def test_a_qualifying_fact_up_to_the_deadline_and_the_tolerance_meets_it(seconds: float) -> None:
    verdict = verdict_on_fact(window(), fact("call", seconds))
    assert verdict.outcome == "met"
    met = after(window(), verdict)
    assert (met.state, met.ended_at, met.met_by, met.look_at) == ("met", at(seconds), f"call@{seconds}", None)


@pytest.mark.parametrize(
    ("kind", "seconds", "why"),
    [
        ("call", DECIDED + 0.001, "after the deadline"),
        ("call", -3.001, "older than the promise"),
        ("meeting", 10, "does not count"),
    ],
)
def test_other_facts_leave_it_open_and_say_why(kind: str, seconds: float, why: str) -> None:
    verdict = verdict_on_fact(window(), fact(kind, seconds))
    assert verdict.outcome == "waits"
    assert why in verdict.why


def test_a_call_before_a_later_owner_got_the_lead_is_not_theirs() -> None:
    second = window(assigned(generation=2, received_at=at(-500)))
    assert verdict_on_fact(second, fact("call", -2.001)).outcome == "waits"
    assert verdict_on_fact(second, fact("call", 0)).outcome == "met"


@pytest.mark.parametrize(("happened", "met_at"), [(-400, 0), (5, 5), (DECIDED + 50, None), (-503, None)])
def test_a_call_that_happened_before_a_later_owner_got_the_lead_and_is_reported_after_that_counts_from_then(
    happened: float, met_at: float | None
) -> None:
    second = window(assigned(generation=2, received_at=at(-500)))
    verdict = verdict_on_fact(second, fact("call", DECIDED + 60, happened=happened))
    assert (verdict.outcome, verdict.at) == (("waits", None) if met_at is None else ("met", at(met_at)))


def test_a_call_that_happened_before_the_inquiry_is_no_answer_to_it() -> None:
    assert verdict_on_fact(window(), fact("call", 60, happened=-4)).outcome == "waits"
    again = assigned(generation=3, cycle=2, received_at=at(-60), previous_ended_at=at(-3000))
    assert verdict_on_fact(window(again), fact("call", 60, happened=-100)).outcome == "waits"


def test_no_call_counts_later_than_it_was_accepted() -> None:
    verdict = verdict_on_fact(window(), fact("call", DUE, happened=DECIDED + 500))
    assert (verdict.outcome, verdict.at) == ("met", at(DUE))


@pytest.mark.parametrize("generation", [1, 2])
def test_a_call_counts_although_a_clock_dates_it_before_the_promise_within_the_tolerance(generation: int) -> None:
    watched = window(assigned(generation=generation, received_at=at(0)))
    assert verdict_on_fact(watched, fact("call", -2)).outcome == "met"


@pytest.mark.parametrize("kind", ["rejected", "won", "lost", "consent_withdrawn"])
@pytest.mark.parametrize("promise", [FIRST_RESPONSE, DISPOSITION])
def test_a_lead_that_ended_before_it_moved_owes_its_new_owner_nothing(kind: str, promise: Promise) -> None:
    second = window(assigned(generation=2, received_at=at(-500)), agreement(promise))
    assert verdict_on_fact(second, fact(kind, -500.001)).outcome == "waits"
    verdict = verdict_on_fact(second, fact(kind, -0.1))
    assert (verdict.outcome, verdict.why, verdict.at) == ("cancelled", kind.replace("_", " "), second.opened_at)
    late = verdict_now(second, [], now=at(9000), watermark=at(9000))
    disproved = after(second, late)
    assert after(disproved, verdict_on_fact(disproved, fact(kind, -0.1))).state == "cancelled"


def test_the_end_of_one_cycle_does_not_end_the_next() -> None:
    came_back = assigned(generation=2, cycle=2, received_at=at(-500), previous_ended_at=at(-400))
    assert verdict_on_fact(window(came_back), fact("rejected", -400)).outcome == "waits"
    assert verdict_on_fact(window(came_back), fact("rejected", -399)).outcome == "cancelled"


def test_a_lead_that_ended_before_it_was_parked_waits_in_no_queue() -> None:
    waits = waiting(parked(received_at=at(-500)))
    assert verdict_on_fact(waits, fact("rejected", -499)).outcome == "cancelled"
    assert verdict_on_fact(waits, fact("rejected", -501)).outcome == "waits"
    assert verdict_on_fact(waiting(), fact("rejected", -499)).outcome == "waits"


@pytest.mark.parametrize("kind", ["rejected", "won", "lost", "consent_withdrawn"])
def test_a_lead_that_ended_before_the_deadline_owes_nothing(kind: str) -> None:
    verdict = verdict_on_fact(window(), fact(kind, 10))
    assert (verdict.outcome, verdict.why) == ("cancelled", kind.replace("_", " "))
    assert verdict_on_fact(window(), fact(kind, DECIDED + 1)).outcome == "waits"


def test_a_rejection_meets_a_promise_that_asks_for_it() -> None:
    asked = msgspec.structs.replace(window(), kinds=("accepted", "rejected"))
    assert verdict_on_fact(asked, fact("rejected", 10)).outcome == "met"


@pytest.mark.parametrize(
    ("now", "watermark", "outcome"),
    [
        (at(DECIDED + 0.001), at(DECIDED + 0.001), "breached"),
        (at(DECIDED), at(DECIDED + 0.001), "waits"),
        (at(DECIDED + 0.001), at(DECIDED), "waits"),
        (at(999_999), None, "waits"),
    ],
)
def test_a_breach_needs_both_clocks_past_the_deadline(now: datetime, watermark: datetime | None, outcome: str) -> None:
    assert verdict_now(window(), [], now=now, watermark=watermark).outcome == outcome


def test_a_late_fact_does_not_save_it_and_a_timely_one_does() -> None:
    late, timely = fact("call", DECIDED + 1), fact("email", 100)
    assert verdict_now(window(), [late], now=at(2000), watermark=at(2000)).outcome == "breached"
    verdict = verdict_now(window(), [late, timely], now=at(2000), watermark=at(2000))
    assert (verdict.outcome, verdict.fact) == ("met", timely)


def test_nothing_is_breached_while_on_hold() -> None:
    held = msgspec.structs.replace(window(), hold="a record could not be read")
    assert verdict_now(held, [], now=at(2000), watermark=at(2000)).outcome == "waits"
    assert verdict_now(held, [fact("call", 1)], now=at(2000), watermark=None).outcome == "met"


def breached() -> Window:
    return after(window(), verdict_now(window(), [], now=at(1000), watermark=at(1000)))


def test_a_breach_is_stamped_with_the_deadline_and_keeps_one_id() -> None:
    assert (breached().state, breached().ended_at) == ("breached", at(DUE))
    assert breached().breach_id == breached().breach_id


@pytest.mark.parametrize(
    ("kind", "seconds", "outcome", "why"),
    [
        ("call", 2000, "closed", "answered late"),
        ("rejected", 2000, "closed", "rejected"),
        ("call", DECIDED, "retracted", "in time after all"),
        ("call", -4, "waits", "older"),
    ],
)
def test_what_a_fact_does_after_the_breach(kind: str, seconds: float, outcome: str, why: str) -> None:
    verdict = verdict_on_fact(breached(), fact(kind, seconds))
    assert verdict.outcome == outcome
    assert why in verdict.why


def test_what_has_ended_stays_ended() -> None:
    met = after(window(), verdict_on_fact(window(), fact("call", 1)))
    assert verdict_on_fact(met, fact("rejected", 2)).outcome == "waits"
    assert verdict_now(met, [], now=at(9999), watermark=at(9999)).outcome == "waits"
    assert superseded(met, at(3)).outcome == "waits"


def test_a_new_owner_before_the_deadline_cancels_and_later_only_closes() -> None:
    assert superseded(window(), at(DECIDED)) == WindowVerdict("cancelled", "reassigned", at(DECIDED))
    assert superseded(window(), at(DECIDED + 1)).outcome == "waits"
    assert superseded(breached(), at(2000)) == WindowVerdict("closed", "reassigned", at(2000))
    assert superseded(breached(), at(DECIDED)) == WindowVerdict("retracted", "reassigned", at(DECIDED))
    assert superseded(window(), at(5), "it is lead ld_2 now").why == "it is lead ld_2 now"


def attempts(*facts: Fact, kinds: tuple[str, ...] = ATTEMPTS.met_by) -> Window:
    asked = msgspec.structs.replace(window(deal=agreement(ATTEMPTS)), kinds=kinds)
    return counting(asked, facts)


def test_a_promise_of_several_facts_is_met_by_the_last_of_them_in_time() -> None:
    two = attempts(fact("call", 10), fact("email", 20))
    assert (two.done, two.needed, two.state) == (2, 3, "open")
    assert "2 of 3" in verdict_on_fact(attempts(fact("call", 10)), fact("email", 20)).why
    verdict = verdict_on_fact(two, fact("call", DECIDED))
    assert (verdict.outcome, verdict.at) == ("met", at(DECIDED))
    assert verdict_on_fact(two, fact("call", DECIDED + 1)).outcome == "waits"


def test_a_fact_that_arrives_twice_counts_once() -> None:
    call = fact("call", 10)
    two = attempts(call, call, fact("call", 11))
    assert two.done == 2
    assert counting(two, [call]) is two
    assert verdict_on_fact(two, call).outcome == "waits"


def test_the_earliest_facts_count_in_whatever_order_they_come() -> None:
    facts = [fact("call", seconds) for seconds in (40, 10, 30, 20, DECIDED + 1)]
    there, back = attempts(), attempts()
    for each in facts:
        there = counting(there, [each])
    for each in reversed(facts):
        back = counting(back, [each])
    assert there == back
    assert [each.accepted_at for each in there.counted] == [at(10), at(20), at(30)]
    assert counting(there, [fact("call", 50)]) is there


@pytest.mark.parametrize("kind", ["meeting", "accepted", "rejected"])
def test_a_decisive_fact_keeps_a_promise_of_several_at_once_if_it_is_listed(kind: str) -> None:
    listed = attempts(fact("call", 1), kinds=("call", kind))
    assert verdict_on_fact(listed, fact(kind, 10)).outcome == "met"
    assert verdict_on_fact(attempts(fact("call", 1)), fact(kind, 10)).outcome != "met"


def test_the_fact_that_completes_a_breached_count_retracts_it_in_time_and_closes_it_late() -> None:
    two = attempts(fact("call", 10), fact("email", 20))
    missed = after(two, verdict_now(two, [], now=at(1000), watermark=at(1000)))
    assert missed.state == "breached"
    assert verdict_on_fact(missed, fact("call", 800)).outcome == "retracted"
    late = verdict_on_fact(missed, fact("call", 2000))
    assert (late.outcome, late.why, late.at) == ("closed", "answered late", at(2000))
    one = attempts(fact("call", 10))
    assert (
        verdict_on_fact(after(one, verdict_now(one, [], now=at(1000), watermark=at(1000))), fact("call", 2000)).outcome
        == "waits"
    )


def test_a_promise_that_an_assignment_keeps_waits_longer_for_its_verdict() -> None:
    triage = waiting()
    late = at(DECIDED) + READING_LAG
    assert verdict_now(triage, [], now=late, watermark=late).outcome == "waits"
    later = late + timedelta(seconds=1)
    assert verdict_now(triage, [], now=later, watermark=later).outcome == "breached"
    assert verdict_on_fact(triage, fact("assigned", DECIDED)).outcome == "met"
    assert verdict_on_fact(triage, fact("assigned", DECIDED + 1)).outcome == "waits"


@pytest.mark.parametrize(
    ("received", "generation", "known", "fault"),
    [(-120, 1, 0, "rep"), (-121, 1, 0, "pipeline"), (-121, 2, 0, "rep"), (-1, 1, 900, "pipeline"), (-1, 2, 899, "rep")],
)
def test_a_breach_is_the_pipelines_fault_when_the_lead_came_too_late(
    received: float, generation: int, known: float, fault: str
) -> None:
    event = assigned(received_at=at(received), generation=generation)
    assert window(event, known_at=at(known)).fault == fault


def test_a_wait_in_a_queue_excuses_no_rep() -> None:
    overnight = assigned(received_at=at(-50_000), because="drained")
    assert window(overnight).fault == "rep"


def test_without_a_promised_hand_off_only_late_knowledge_is_the_pipelines_fault() -> None:
    deal = agreement(hand_off_within=None)
    assert window(assigned(received_at=at(-9999)), deal).fault == "rep"
    assert window(assigned(), agreement(hand_off_within=Duration(1)), known_at=at(0)).fault == "rep"
