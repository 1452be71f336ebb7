"""Leads of reps who are on leave: they wait with their owner, or go to a deputy or the next rule."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.router.domain.availability import Hold, Leave, RepState
from services.router.domain.decision import decide
from services.router.domain.placement import Placement, place
from services.router.domain.proof import ReassignReason
from services.router.domain.reassignment import reassign
from services.router.domain.rederivation import differences
from services.router.domain.routing_state import Owner, RoutingState
from shared.domain.agreement import Agreement, Duration, OnLeave, Person, Route
from shared.domain.conditions import DecisionFacts
from shared.domain.event import LeaveInterval
from shared.domain.events import LeadAssigned
from tests.unit.services.router.domain.test_placement import FRIDAY, OFFICE, asked, changed, team

OFF = RepState(leave=(Leave(date(2026, 11, 20), date(2026, 12, 10)),))
BACK = datetime(2026, 12, 11, tzinfo=UTC)
AWAY = "on leave until 2026-12-11 00:00"
RETURNING = Route("returning", owner="lead")


def deal(on_leave: OnLeave = "move", limit: Duration | None = None, **deputies: str) -> Agreement:
    found = team(replace(RETURNING, unless_away_for=limit))
    people = {
        name: replace(person, calendar=person.calendar and OFFICE, deputy=deputies.get(name), on_leave=on_leave)
        for name, person in found.people.items()
    }
    return replace(found, people=people)


def placed(agreed: Agreement, **states: RepState) -> Placement:
    routing = RoutingState(reps={"ann": OFF} | states)
    return place(routing, agreed, DecisionFacts(), FRIDAY, last=Owner("ann", "benelux", "ld_1", "had the lead before"))


def test_an_owner_on_leave_keeps_the_lead_if_it_is_to_wait_and_the_proof_says_so() -> None:
    found = placed(deal("pause", ann="bob"))
    assert (found.rep, found.away) == ("ann", AWAY)
    assert found.why == f"ann had the lead before; they are {AWAY}, and the clock waits"


@pytest.mark.parametrize(
    ("deputies", "states", "gets_it"),
    [
        ({"ann": "bob"}, {}, "bob"),
        ({"ann": "bob", "bob": "cleo"}, {"bob": OFF}, "cleo"),
        ({"ann": "bob", "bob": "cleo"}, {"bob": RepState(hold=Hold(FRIDAY))}, "cleo"),
        ({"ann": "cleo", "cleo": "ann"}, {"cleo": OFF}, None),
        ({"ann": "cleo"}, {"cleo": OFF}, None),
        ({}, {}, None),
    ],
)
def test_a_deputy_gets_the_lead_or_the_next_rule_decides(
    deputies: dict[str, str], states: dict[str, RepState], gets_it: str | None
) -> None:
    found = placed(deal("move", None, **deputies), **states)
    if gets_it is not None:
        assert (found.rule, found.rep) == ("returning", gets_it)
        assert found.why == f"{gets_it} is the deputy of ann, who is {AWAY}"
    else:
        nobody = ", and no deputy can have it" if deputies else ""
        assert (found.rule, found.rep, found.skipped[0].why) == ("everyone", "bob", f"ann is {AWAY}{nobody}")


def test_a_deputy_at_capacity_gets_nothing() -> None:
    agreed = deal(ann="bob", bob="cleo")
    people = {**agreed.people, "bob": replace(agreed.people["bob"], max_open=1)}
    assert placed(replace(agreed, people=people), bob=RepState(open=1)).rep == "cleo"


def test_a_hold_is_not_leave() -> None:
    found = placed(deal(ann="bob"), ann=RepState(hold=Hold(FRIDAY)))
    assert (found.rep, found.why) == ("ann", "ann had the lead before")


def test_an_owner_who_is_away_for_less_than_the_rule_allows_keeps_the_lead() -> None:
    limit = Duration(0, business=True, text="2 business days", days=2)
    short = RepState(leave=(Leave(date(2026, 11, 20), date(2026, 11, 20)),))
    assert placed(deal(limit=limit, ann="bob"), ann=short).rep == "ann"
    assert placed(deal(limit=limit, ann="bob")).rep == "bob"
    assert placed(deal("pause", limit, ann="bob")).rule == "everyone"


@pytest.mark.parametrize("agreed", [deal("pause"), deal(ann="bob"), deal(ann="cleo", cleo="bob"), deal()])
def test_such_a_verdict_follows_from_its_record(agreed: Agreement) -> None:
    routing = RoutingState(reps={"ann": OFF, "cleo": OFF})
    first = decide(RoutingState(), agreed, asked("ld_1"), FRIDAY).lead
    routing.load([changed(first, state="closed", outcome="lost", rep="ann", last_rep="ann")])
    verdict = decide(routing, agreed, asked("ld_1"), FRIDAY)
    assert differences(verdict.proof, agreed) == ()
    assert isinstance(verdict.event, LeadAssigned)
    if verdict.event.rep.id == "ann":
        assert verdict.event.owner_leave == (LeaveInterval(datetime(2026, 11, 20, tzinfo=UTC), BACK),)
        assert verdict.event.respond_by == datetime(2026, 12, 11, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["on_leave", "reopened", "rescored"])
@pytest.mark.parametrize(("agreed", "gets_it"), [(deal(ann="bob"), "bob"), (deal(ann="cleo"), "cleo"), (deal(), "bob")])
def test_an_open_lead_of_someone_on_leave_goes_to_a_deputy_or_their_pool(
    kind: Any, agreed: Agreement, gets_it: str
) -> None:
    routing = RoutingState()
    lead = decide(routing, agreed, asked("ld_1"), FRIDAY).lead
    assert lead.rep == "ann"
    routing.set_state("ann", replace_leave(routing))
    verdict = reassign(routing, agreed, ReassignReason(kind), lead, asked("ld_1"), FRIDAY)
    assert verdict is not None
    assert verdict.proof.rep == gets_it
    assert differences(verdict.proof, agreed) == ()


def replace_leave(routing: RoutingState) -> RepState:
    state = routing.state("ann")
    return RepState(state.open, state.day, state.new_today, leave=OFF.leave)


def test_nobody_is_left_to_whom_an_open_lead_could_go_so_it_waits_in_the_queue() -> None:
    agreed = deal(ann="bob")
    routing = RoutingState()
    lead = decide(routing, agreed, asked("ld_1"), FRIDAY).lead
    routing.set_state("ann", replace_leave(routing))
    routing.set_state("bob", OFF)
    verdict = reassign(routing, agreed, ReassignReason("on_leave"), lead, asked("ld_1"), FRIDAY)
    assert verdict is not None
    assert (verdict.proof.verdict, verdict.lead.owner_leave) == ("parked", ())
    assert verdict.proof.passed_over["ann"] == f"ann is {AWAY}, and no deputy can have it"
    assert differences(verdict.proof, agreed) == ()


def test_people_have_no_deputy_and_wait_by_default() -> None:
    assert (Person("eve", "eve@acme.example").deputy, Person("eve", "eve@acme.example").on_leave) == (None, "pause")
