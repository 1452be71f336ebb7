"""What news about a lead does to all its windows together."""

from services.sla_monitor.domain.lead_context import LeadContext
from services.sla_monitor.domain.persons import Persons
from services.sla_monitor.domain.window import Fact
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
