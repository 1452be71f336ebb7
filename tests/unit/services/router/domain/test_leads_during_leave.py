"""Leads that a rep has when their leave begins: others get those that nobody has answered."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.router.domain import routing as rules
from services.router.domain.availability import Leave, RepState
from services.router.domain.lead import Lead
from services.router.domain.owner_leave import next_leave_at, not_relieved, on_leave_since, rescheduled
from services.router.domain.proof import ReassignReason
from services.router.domain.routing_state import RoutingState
from services.router.domain.verdict import Verdict
from services.router.simulation.lookup import ReplayLookup
from shared.domain.agreement import Agreement
from shared.domain.errors import Misconfigured
from shared.domain.events import ActivityRecorded, LeadReassigned
from shared.domain.lead import Contact
from tests.kit.events import activity, after
from tests.unit.services.router.domain.test_decision import inquiry
from tests.unit.services.router.domain.test_leave_of_owners import deal
from tests.unit.services.router.recorded_router import RecordedRouter

MOVE = deal(ann="bob")
TODAY, TOMORROW, FRIDAY = (Leave(date(2026, 11, day), date(2026, 11, day)) for day in (23, 24, 27))
NOON = 180
MIDNIGHT = 15 * 60
"""When tomorrow begins, in minutes after nine."""


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RecordedRouter]:
    with closing(RecordedRouter(tmp_path)) as router:
        router.agreed = MOVE
        yield router


def asks(router: RecordedRouter, number: int = 1, **contact: Any) -> Lead:
    """Someone asks, and ann gets the lead."""
    contact = contact or {"email": f"p{number}@example.com"}
    router.state.turns.clear()
    asked = inquiry(number, lead_id=f"ld_{number}", accepted_at=after(number), contact=Contact(**contact))
    [*_, verdict] = router.ask(asked, minutes=number)
    assert verdict.lead.rep == "ann"
    return verdict.lead


def fact(kind: str, minutes: float = 30, **changes: Any) -> ActivityRecorded:
    ordinary: dict[str, Any] = {"activity_id": f"{kind}{minutes}", "accepted_at": after(minutes), "outcome": None}
    return activity(kind=kind, **ordinary | changes)


def moved(verdicts: list[Verdict]) -> list[tuple[str, str | None, str | None]]:
    found = []
    for each in verdicts:
        assert isinstance(each.event, LeadReassigned)
        assert each.event.because == "on_leave"
        found.append((each.lead.lead_id, each.event.previous_rep, each.lead.rep))
    return found


def test_an_unanswered_lead_goes_to_the_deputy_when_the_leave_begins_and_no_earlier(router: RecordedRouter) -> None:
    asks(router)
    assert router.leave("ann", TOMORROW, minutes=10) == []
    assert next_leave_at(MOVE, router.state, after(10)) == after(MIDNIGHT)
    assert router.relieve(MIDNIGHT - 1) == []
    assert moved(router.relieve(MIDNIGHT)) == [("ld_1", "ann", "bob")]


def test_leave_that_is_entered_while_it_runs_moves_leads_at_once(router: RecordedRouter) -> None:
    asks(router)
    assert moved(router.leave("ann", TODAY, minutes=10)) == [("ld_1", "ann", "bob")]


@pytest.mark.parametrize(("minutes", "moves"), [(MIDNIGHT + 1439, True), (MIDNIGHT + 1440, False)])
def test_leave_that_began_while_no_router_ran_counts_until_it_is_over(
    router: RecordedRouter, minutes: float, *, moves: bool
) -> None:
    asks(router)
    router.leave("ann", TOMORROW, minutes=10)
    router.state = RoutingState(router.state.turns, router.state.reps)
    assert bool(router.relieve(minutes)) is moves


@pytest.mark.parametrize("minutes", [20, MIDNIGHT + 20])
def test_leave_that_is_taken_back_moves_nothing_from_then_on(router: RecordedRouter, minutes: float) -> None:
    asks(router)
    router.leave("ann", TOMORROW, minutes=10)
    assert router.leave("ann", minutes=minutes) == []
    assert next_leave_at(MOVE, router.state, after(minutes)) is None
    assert router.relieve(MIDNIGHT + 30) == []


class UnreadableAgreements(ReplayLookup):
    """Agreements of an earlier release, which this one does not read."""

    def agreement(self, digest: str) -> Agreement:
        raise Misconfigured(f"{digest} cannot be read")


def test_a_lead_of_an_agreement_that_cannot_be_read_stays_and_holds_up_no_leave(router: RecordedRouter) -> None:
    lead = asks(router)
    router.leave("ann", TOMORROW, minutes=10)
    router.lookup = UnreadableAgreements(router.live, None, router.inquiries)
    assert router.relieve(MIDNIGHT) == []
    away = RepState(leave=(TOMORROW,))
    assert list(rescheduled([lead], away, MOVE, router.lookup, after(20))) == []


def test_a_lead_that_was_moved_stays_where_it_is_when_the_leave_is_taken_back(router: RecordedRouter) -> None:
    asks(router)
    router.leave("ann", TODAY, minutes=10)
    assert router.leave("ann", minutes=20) == []
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert lead.rep == "bob"


ANSWERS = [
    fact("call", outcome="connected"),
    fact("call", outcome="no_answer"),
    fact("email"),
    fact("meeting", by="cleo"),
    fact("accepted"),
    fact("opportunity"),
    fact("stage", stage="SQL"),
    fact("call", minutes=2),
]
NO_ANSWERS = [
    fact("email", outcome="bounced"),
    fact("note"),
    fact("objection"),
    fact("stage", stage="hot"),
    fact("call", minutes=0.5),
]


@pytest.mark.parametrize(
    ("done", "stays"),
    [*((each, True) for each in ANSWERS), *((each, False) for each in NO_ANSWERS)],
    ids=lambda each: getattr(each, "kind", None),
)
def test_only_a_lead_stays_about_which_sales_did_something_since_it_came_in(
    router: RecordedRouter, done: ActivityRecorded, *, stays: bool
) -> None:
    asks(router)
    router.act(done, minutes=40)
    assert (router.leave("ann", TODAY, minutes=50) == []) is stays


def test_an_answer_to_the_owner_before_is_none_by_the_present_one(router: RecordedRouter) -> None:
    asks(router)
    router.act(fact("call"), minutes=40)
    to_cleo = ReassignReason("manual", reason="knows them", to_rep="cleo")
    router.then(lambda routing: routing.move("ld_1", to_cleo), minutes=45)
    [verdict] = router.leave("cleo", TODAY, minutes=50)
    assert (verdict.proof.ask, verdict.proof.moved_from) == (ReassignReason("on_leave"), "cleo")


def test_an_answer_from_before_the_leave_that_is_read_after_the_move_moves_nothing_back(
    router: RecordedRouter,
) -> None:
    asks(router)
    router.leave("ann", TODAY, minutes=50)
    assert router.act(fact("call", minutes=40), minutes=60) == []
    lead = router.live.lead("ld_1")
    assert lead is not None
    assert (lead.rep, lead.generation) == ("bob", 2)


def test_a_lead_that_someone_gives_to_a_rep_during_their_leave_stays_with_them(router: RecordedRouter) -> None:
    asks(router)
    router.leave("ann", TODAY, minutes=10)
    to_ann = ReassignReason("manual", reason="knows them", to_rep="ann")
    router.then(lambda routing: routing.move("ld_1", to_ann), minutes=20)
    assert router.relieve(30) == []
    assert router.leave("ann", TODAY, TOMORROW, minutes=40) == []


@pytest.mark.parametrize(
    ("assigned_under", "now", "moves"),
    [(MOVE, MOVE, True), (deal("pause"), MOVE, False), (MOVE, deal("pause"), False)],
)
def test_leads_move_only_if_that_was_agreed_when_they_were_given_and_still_is(
    router: RecordedRouter, assigned_under: Agreement, now: Agreement, *, moves: bool
) -> None:
    router.agreed = assigned_under
    asks(router)
    router.agreed = replace(now, version=2, hash="sha256:2")
    assert bool(router.leave("ann", TODAY, minutes=10)) is moves


def test_a_bounded_number_moves_at_once_and_the_rest_next(
    router: RecordedRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "PAGE", 2)
    for number in range(1, 6):
        asks(router, number)
    assert len(moved(router.leave("ann", TODAY, minutes=10))) == 2
    assert not_relieved(on_leave_since(MOVE, router.state, after(11)), router.state) == ["ann"]
    assert [len(moved(router.relieve(minutes))) for minutes in (11, 12, 13)] == [2, 1, 0]
    assert router.state.state("ann").open == 0


def test_a_rep_is_looked_at_once_in_each_leave_and_again_when_it_changes(router: RecordedRouter) -> None:
    def waiting(minutes: float) -> list[str]:
        return not_relieved(on_leave_since(MOVE, router.state, after(minutes)), router.state)

    asks(router)
    router.leave("ann", TODAY, FRIDAY, minutes=10)
    assert waiting(11) == ["ann"]
    router.relieve(11)
    assert waiting(12) == []
    assert waiting(MIDNIGHT + 3 * 1440) == ["ann"]
    router.leave("ann", TODAY, minutes=12)
    assert moved(router.relieve(13)) == []
    assert waiting(14) == []


def test_leave_that_is_entered_again_moves_the_leads_that_came_in_between(router: RecordedRouter) -> None:
    router.leave("ann", TODAY, minutes=10)
    router.relieve(11)
    router.leave("ann", minutes=12)
    asks(router, 13)
    assert moved(router.leave("ann", TODAY, minutes=14)) == [("ld_13", "ann", "bob")]


def test_the_next_leave_is_the_first_ahead_of_those_whose_leads_others_are_to_get() -> None:
    agreed = deal()
    agreed = replace(agreed, people={**agreed.people, "bob": replace(agreed.people["bob"], on_leave="pause")})
    ann, bob, cleo = RepState(leave=(TODAY, FRIDAY)), RepState(leave=(TOMORROW,)), RepState(leave=(TODAY,))
    state = RoutingState(reps={"ann": ann, "bob": bob, "cleo": cleo, "gone": ann})
    assert next_leave_at(agreed, state, after(-600)) == after(-540)
    assert next_leave_at(agreed, state, after(0)) == after(MIDNIGHT + 3 * 1440)
    assert next_leave_at(agreed, state, after(MIDNIGHT + 3 * 1440)) is None
    assert next_leave_at(deal("pause"), state, after(0)) is None


def both_ids(router: RecordedRouter) -> None:
    """One inquiry shows that two leads are of one person."""
    both = Contact(email="p1@example.com", phone="+32470123456", last_name="Peeters")
    router.lookup.candidates = ("ld_1", "ld_2")
    router.ask(inquiry(3, lead_id="ld_3", accepted_at=after(20), contact=both), minutes=20)


def by_hand(router: RecordedRouter) -> None:
    reason = ReassignReason("same_person", by="mia", reason="she said so")
    router.then(lambda routing: routing.merge("ld_2", "ld_1", reason), minutes=20)


@pytest.mark.parametrize("merge", [both_ids, by_hand])
@pytest.mark.parametrize("kind", ["call", "accepted", None])
@pytest.mark.parametrize("under", ["ld_1", "ld_2"])
@pytest.mark.parametrize("read_at", [15, 25])
def test_an_answer_under_any_id_of_the_person_counts_also_from_before_these_were_one(
    router: RecordedRouter, merge: Callable[[RecordedRouter], None], kind: str | None, under: str, read_at: float
) -> None:
    asks(router, 1)
    asks(router, 2, email="p2@example.com", phone="+32470123456", last_name="Peeters")
    answers = [fact(kind, lead_id=under, minutes=14)] if kind is not None else []
    if read_at < 20:
        router.act(*answers, minutes=read_at)
    merge(router)
    if read_at > 20:
        router.act(*answers, minutes=read_at)
    first, second = router.live.lead("ld_1"), router.live.lead("ld_2")
    assert first is not None
    assert second is not None
    assert (first.state, second.state, second.into) == ("assigned", "merged", "ld_1")
    past = router.past.lead("ld_1")
    assert past is not None
    assert past.answered_at == first.answered_at
    assert bool(router.leave("ann", TODAY, minutes=50)) is (kind is None)


def test_a_deadline_does_not_stay_when_the_lead_waits_for_someone(router: RecordedRouter) -> None:
    asks(router)
    router.leave("ann", FRIDAY, minutes=10)
    for rep in ("bob", "cleo"):
        router.leave(rep, TODAY, minutes=20)
    [verdict] = router.leave("ann", TODAY, minutes=30)
    assert verdict.lead.state == "parked"
    past = router.past.lead("ld_1")
    assert past is not None
    assert past.respond_by is None


US = timedelta(microseconds=1)


def test_leave_counts_from_its_first_instant(router: RecordedRouter) -> None:
    begins: datetime = after(MIDNIGHT)
    asks(router)
    router.leave("ann", TOMORROW, minutes=10)
    assert on_leave_since(MOVE, router.state, begins - US) == {}
    assert on_leave_since(MOVE, router.state, begins) == {"ann": begins}
