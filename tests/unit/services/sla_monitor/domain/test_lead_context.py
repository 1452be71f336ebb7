"""What news about a lead does to all its windows together."""

from datetime import timedelta
from itertools import permutations

from services.sla_monitor.domain.ladder import levels
from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.transitions import settle
from services.sla_monitor.domain.window import INQUIRY, Fact, starting
from shared.domain.events import LeadClosed
from tests.unit.services.sla_monitor.window_states import T0, agreement, assigned, at, fact, parked, waiting, window


def known(*facts: Fact) -> LeadContext:
    return LeadContext({}, Persons([], []), {"ld_1": facts} if facts else {}, {}, at(10))


def states(found: LeadContext) -> list[tuple[str, str, str | None]]:
    return [(each.promise, each.state, each.reason) for each in found.windows("ld_1")]


def test_facts_that_came_before_a_window_count_when_it_opens() -> None:
    found = known(fact("call", 0))
    found.open(window(), agreement())
    assert states(found) == [("first_response", "met", None)]


def test_a_move_spares_the_promises_that_it_is_not_about_and_an_end_none() -> None:
    found = known()
    found.open(window(), agreement())
    found.open(waiting(), agreement())
    found.move_on("ld_1", at(5), "reassigned", cycle=1, spared=("triage",))
    assert states(found) == [("first_response", "cancelled", "reassigned"), ("triage", "open", None)]
    found.end("ld_1", at(6), "it is lead ld_2 now")
    assert states(found)[1] == ("triage", "cancelled", "it is lead ld_2 now")


def test_the_breach_for_which_a_lead_moves_stays_however_far_the_routers_clock_is_behind() -> None:
    found = known()
    found.open(window(), agreement())
    [(window_id, opened)] = found.states.items()
    found.states[window_id] = settle(
        opened, (), levels(agreement(), window()), agreement(), now=at(1803), watermark=at(1803)
    )
    found.move_on("ld_1", at(899), "reassigned", cycle=1, spared=(), missed=True)
    assert states(found) == [("first_response", "breached", None)]
    [moved] = found.windows("ld_1")
    assert moved.moved
    assert moved.look_at is not None


def test_a_withdrawal_from_before_the_lead_ends_what_is_owed_when_the_router_says_so() -> None:
    withdrawn = LeadClosed(
        lead_id="ld_1",
        lead_version=2,
        inquiry_id="inq_1",
        rep="ann",
        outcome="consent_withdrawn",
        reason="consent withdrawn by ann",
        closed_at=at(-60),
    )
    found = known(fact("consent_withdrawn", -60))
    found.open(window(), agreement())
    found.open(waiting(), agreement())
    [(window_id, opened), _] = found.states.items()
    found.states[window_id] = settle(
        opened, (), levels(agreement(), window()), agreement(), now=at(1803), watermark=at(1803)
    )
    assert [state for _, state, _ in states(found)] == ["breached", "open"]
    found.withdraw(withdrawn)
    assert [(state, why) for _, state, why in states(found)] == [("cancelled", "consent withdrawn")] * 2


def test_an_assignment_keeps_the_promise_of_triage_and_no_other() -> None:
    found = known()
    found.open(window(), agreement())
    found.open(waiting(), agreement())
    found.apply_assignment(assigned(assigned_at=at(20)))
    assert [state for _, state, _ in states(found)] == ["open", "met"]
    assert found.windows("ld_1")[1].met_by == "as_ld_1"


def test_an_assignment_behind_the_wait_in_the_log_is_no_older_than_it() -> None:
    found = known()
    found.open(waiting(parked(decided_at=at(1))), agreement())
    found.apply_assignment(assigned(assigned_at=T0))
    [triage] = found.windows("ld_1")
    assert (triage.state, triage.ended_at) == ("met", at(1))


def test_nothing_from_before_a_lead_was_reopened_concerns_its_windows() -> None:
    reopened = assigned(
        generation=2,
        lead_version=3,
        because="reopened",
        assigned_at=at(600),
        previous_ended_at=at(600) - timedelta(microseconds=1),
    )
    before = [fact("call", 60), fact("rejected", 100), fact("lost", 300), fact(INQUIRY, -900)]
    for facts in permutations(before):
        found = known(*facts)
        found.open(starting(window(reopened), facts), agreement())
        assert states(found) == [("first_response", "open", None)]
        found.move_start("ld_1")
        assert states(found) == [("first_response", "open", None)]
        assert found.windows("ld_1")[0].due_at == at(1500)
    found = known(*before, fact("rejected", 700))
    found.open(window(reopened), agreement())
    assert states(found) == [("first_response", "cancelled", "rejected")]


def test_a_reopened_lead_that_waits_waits_until_it_is_assigned() -> None:
    event = parked(lead_version=3, received_at=at(-1), previous_ended_at=at(600), decided_at=at(601))
    found = known(fact("rejected", 100), fact(INQUIRY, -900))
    found.open(waiting(event), agreement())
    found.move_start("ld_1")
    assert states(found) == [("triage", "open", None)]
