"""How a lead's stage, consent and place in the queue change."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.router.domain.availability import Hold
from services.router.domain.decision import decide
from services.router.domain.formats import OLDEST_FORMAT
from services.router.domain.lead import Lead, followed_by
from services.router.domain.proof import ReassignReason, explained
from services.router.domain.reassignment import reassign
from services.router.domain.rederivation import differences
from services.router.domain.routing_state import RoutingState
from shared.domain.lead import Company, Consent, Contact
from tests.kit import events
from tests.kit.agreements import agreement
from tests.unit.services.router.domain.test_decision import AGREED, NOW, decided, inquiry


def followed(routing: RoutingState, kind: str, minutes: float = 5, **changes: Any) -> Lead | None:
    """The lead after a fact, saved."""
    after = followed_by(
        routing.leads["ld_1"], events.activity(kind=kind, accepted_at=events.after(minutes), **changes), NOW
    )
    if after is not None:
        routing.save(after)
    return after


def test_the_highest_stage_of_a_cycle_stays() -> None:
    routing = RoutingState()
    decided(AGREED, inquiry(1), routing)
    reached = []
    for kind, stage in (
        ("stage", "SQL"),
        ("accepted", None),
        ("opportunity", None),
        ("stage", "sql"),
        ("stage", "foo"),
    ):
        followed(routing, kind, stage=stage)
        reached.append(routing.leads["ld_1"].stage)
    assert reached == ["sql", "sql", "opportunity", "opportunity", "opportunity"]
    followed(routing, "won")
    assert (routing.leads["ld_1"].stage, routing.leads["ld_1"].state) == ("customer", "closed")
    assert decided(AGREED, inquiry(2, accepted_at=events.after(9)), routing).lead.stage == "mql"


@pytest.mark.parametrize("state", ["assigned", "parked"])
def test_a_lead_whose_consent_was_withdrawn_is_closed_and_counts_for_nobody(state: Any) -> None:
    routing = RoutingState()
    first = decided(AGREED, inquiry(1), routing).lead
    if state == "parked":
        routing.save(replace(first, version=2, state="parked", rep=None, parked_at=NOW))
    closed = followed(routing, "consent_withdrawn", by=None)
    assert closed is not None
    assert (closed.state, closed.outcome, closed.reason) == (
        "closed",
        "consent_withdrawn",
        "consent withdrawn by sales",
    )
    assert routing.reps["ann"].open == 0
    assert not routing.waiting.get("benelux")


def test_without_a_new_consent_a_person_is_never_routed_again() -> None:
    agreed, routing = AGREED, RoutingState()
    agreed = dataclasses.replace(agreed, mql=dataclasses.replace(agreed.mql, consent_basis=()))
    decided(agreed, inquiry(1), routing)
    followed(routing, "consent_withdrawn")
    old = Consent(basis="opt_in", given_at=NOW - timedelta(days=30))
    for number, consent in ((2, None), (3, old), (6, Consent(basis="legitimate_interest")), (7, Consent(basis="None"))):
        verdict = decided(agreed, inquiry(number, accepted_at=events.after(9), consent=consent), routing)
        assert verdict.proof.reason == "consent: withdrawn, and none has been given since"
        assert explained(verdict.proof, agreed)["qualification"][-1]["part"] == "consent: withdrawn"
        assert routing.leads["ld_1"].outcome == "consent_withdrawn"
    back = decided(agreed, inquiry(4, accepted_at=events.after(10)), routing)
    assert (back.lead.state, back.lead.cycle) == ("assigned", 2)
    assert followed(routing, "consent_withdrawn", minutes=9.5) is None
    assert decided(agreed, inquiry(5, accepted_at=events.after(11), consent=None), routing).proof.verdict == "merged"


def test_a_consent_withdrawn_under_one_id_of_a_person_counts_for_all() -> None:
    routing = RoutingState()
    number = Contact(phone="+32470")
    agreed = dataclasses.replace(AGREED, mql=dataclasses.replace(AGREED.mql, minimum_data=(), consent_basis=()))
    decided(agreed, inquiry(1), routing)
    decided(agreed, inquiry(2, lead_id="ld_2", contact=number), routing)
    followed(routing, "consent_withdrawn")
    both = Contact(email="jo@example.com", phone="+32470")
    verdict = decided(agreed, inquiry(3, accepted_at=events.after(9), contact=both, consent=None), routing)
    assert verdict.proof.verdict == "rejected"
    assert {lead.state for lead in routing.leads.values()} == {"rejected", "merged"}
    assert routing.reps["ann"].open == routing.reps["bob"].open == 0


def test_a_lead_that_is_routed_to_a_full_pool_while_it_waits_waits_there_and_keeps_its_place() -> None:
    routing = RoutingState()
    lead = replace(decided(AGREED, inquiry(company=Company(name="Big", employees=5000)), routing).lead, version=2)
    lead = replace(lead, state="parked", pool="benelux", rule="everyone else", rep=None, parked_at=NOW)
    routing.save(lead)
    for rep in AGREED.pools["alone"].members:
        routing.set_state(rep, replace(routing.state(rep), hold=Hold(NOW)))
    big = inquiry(company=Company(name="Big", employees=5000))
    verdict = reassign(routing, AGREED, ReassignReason("drained"), lead, big, events.after(9))
    assert verdict is not None
    assert differences(verdict.proof, AGREED) == ()
    assert (verdict.lead.pool, verdict.lead.rule, verdict.lead.parked_at) == ("alone", "large", NOW)
    assert reassign(routing, AGREED, ReassignReason("drained"), verdict.lead, big, events.after(10)) is None


def test_points_fade_to_when_the_inquiry_was_accepted_however_late_it_is_read() -> None:
    agreed = dataclasses.replace(agreement(score=60), half_life_s=24 * 3600)
    agreed = dataclasses.replace(
        agreed, scoring=tuple([dataclasses.replace(rule, intent=True) for rule in agreed.scoring])
    )
    on_time, late = decided(agreed, inquiry()), decided(agreed, inquiry(), now=NOW + timedelta(hours=6))
    assert (on_time.lead.score, on_time.lead.state) == (late.lead.score, late.lead.state) == (65, "assigned")
    before = decide(RoutingState(proof_format=OLDEST_FORMAT), agreed, inquiry(), NOW + timedelta(hours=6))
    assert before.lead.state == "rejected"
    assert differences(before.proof, agreed) == ()
