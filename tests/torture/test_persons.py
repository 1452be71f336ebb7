"""As in `test_checker`, for people with two ids and for leads that are moved by hand, reopened or scored again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.torture.checker import check
from tests.torture.ledger import Holding, Move, Rotation, Standing, Verdict
from tests.torture.world import ASSIGNMENTS, ESCALATIONS, RULES, World, all_well, assign, at, end, merge, report


@pytest.fixture
def world() -> World:
    return all_well()


def found(world: World) -> set[str]:
    return {finding.kind for finding in check(world.ledger, world.evidence, RULES)}


def breach_what_was_answered_under_the_other_id(world: World) -> None:
    world.drop("met-phone-1")
    end(world, "phone", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8.5).isoformat())
    world.evidence.windows = {**world.evidence.windows, ("phone", 1): "breached"}


def give_the_other_id_an_owner_as_well(world: World) -> None:
    assign(world, "mail", "bob", generation=1, seconds=1)
    row = Holding("mail-1", "mail", 1, "bob", "benelux", active=True)
    world.evidence.holdings = [*world.evidence.holdings, row]


def count_the_customer_twice(world: World) -> None:
    won = world.evidence.shown["phone"]
    world.evidence.shown = {**world.evidence.shown, "mail": won}


def lose_the_customer(world: World) -> None:
    shown = Standing("assigned", "ann")
    world.evidence.decided = {**world.evidence.decided, "phone": shown}
    world.evidence.shown = world.evidence.decided


def show_another_owner(world: World) -> None:
    world.evidence.shown = {**world.evidence.shown, "called": Standing("assigned", "bob")}


def let_the_other_id_go_on(world: World) -> None:
    world.evidence.decided = {**world.evidence.decided, "mail": Standing("assigned", "ann")}


def join_two_strangers(world: World) -> None:
    merge(world, "missed", "called", seconds=15)


def end_the_other_id_twice(world: World) -> None:
    for number in (1, 2):
        name, version = f"bare-{number}", number + 1
        data = {**world.record("merged-mail").data, "lead_version": version, "contact": None, "was": "assigned"}
        world.add(ASSIGNMENTS, name, "lead.merged", "mail", **data)


def report_it_on_somebody_else(world: World) -> None:
    world.ledger.activities["call-mail"].person = "missed"


def lose_a_move(world: World) -> None:
    world.ledger.moves = [Move("called", 2)]


def stay_rejected(world: World) -> None:
    report(world, "rejected", "called", 10)
    report(world, "accepted", "called", 12)
    rejected = Standing("closed", "ann", "rejected")
    world.evidence.decided = {**world.evidence.decided, "called": rejected}
    world.evidence.shown = world.evidence.decided


def reopen_for_nothing(world: World) -> None:
    assign(world, "called", "ann", generation=2, seconds=10, because="reopened")


def watch_the_same_promise_twice(world: World) -> None:
    rescore(world, seconds=2)


def stop_watching_when_the_score_rises(world: World) -> None:
    rescore(world, seconds=9)
    world.drop("op-called-2")


def rescore(world: World, *, seconds: float) -> None:
    assign(world, "called", "ann", generation=2, seconds=seconds, because="rescored", previous_rep="ann")


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (breach_what_was_answered_under_the_other_id, "overlooked id"),
        (give_the_other_id_an_owner_as_well, "two owners"),
        (count_the_customer_twice, "two customers"),
        (lose_the_customer, "lost customer"),
        (show_another_owner, "shown otherwise"),
        (let_the_other_id_go_on, "split person"),
        (join_two_strangers, "wrong merge"),
        (join_two_strangers, "merge differs"),
        (end_the_other_id_twice, "merged twice"),
        (report_it_on_somebody_else, "wrong person"),
        (lose_a_move, "loss"),
        (stay_rejected, "not reopened"),
        (reopen_for_nothing, "made up"),
        (watch_the_same_promise_twice, "second window"),
        (stop_watching_when_the_score_rises, "missed window"),
    ],
)
def test_what_is_wrong_with_a_person_is_found_by_its_name(
    world: World, harm: Callable[[World], None], kind: str
) -> None:
    harm(world)
    assert kind in found(world)


def test_a_person_who_had_two_leads_is_judged_as_everyone_else(world: World) -> None:
    world.change("merged-mail", was="assigned", one_person_since=at(0).isoformat())
    assert found(world) == set()
    lose_the_customer(world)
    assert found(world) == {"lost customer"}
    world.evidence.shown = {**world.evidence.shown, "phone": Standing("assigned", "bob")}
    assert found(world) == {"lost customer", "shown otherwise"}


def test_a_breach_that_the_merge_of_two_ids_disproves_may_be_taken_back_and_no_other(world: World) -> None:
    breach_what_was_answered_under_the_other_id(world)
    world.add(ESCALATIONS, "back", "breach.retracted", "phone", generation=1)
    world.evidence.windows = {**world.evidence.windows, ("phone", 1): "met"}
    assert found(world) == set()
    report(world, "email", "phone", 5, "pat")
    assert found(world) == {"false breach", "retraction"}


@pytest.mark.parametrize(("ended_s", "findings"), [(-1, set()), (1, {"two verdicts"})])
def test_an_inquiry_is_judged_again_only_if_it_joined_a_lead_that_had_ended(
    world: World, ended_s: float, findings: set[str]
) -> None:
    report(world, "lost", "called", ended_s)
    world.add(ASSIGNMENTS, "joined", "lead.merged", "called", lead_version=2, inquiry_id="inq-called")
    world.evidence.verdicts = [*world.evidence.verdicts, Verdict("called", 2, "merged", "inq-called")]
    assert "two verdicts" in found(world) or not findings
    assert found(world) <= findings


def test_how_sales_ended_one_lead_of_a_person_before_they_were_known_as_one_does_not_excuse_the_other(
    world: World,
) -> None:
    for event_id in ("call-mail", "met-phone-1", "won-mail"):
        world.drop(event_id)
        world.ledger.activities.pop(event_id, None)
    world.change("merged-mail", was="assigned", decided_at=at(30).isoformat())
    report(world, "lost", "mail", 5, "pat")
    end(world, "phone", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8.5).isoformat())
    world.evidence.windows = {**world.evidence.windows, ("phone", 1): "breached"}
    lost = {**world.evidence.decided, "phone": Standing("assigned", "ann")}
    world.evidence = replace(world.evidence, decided=lost, shown=lost)
    assert found(world) == set()


@pytest.mark.parametrize(("decided_s", "findings"), [(8, {"false breach"}), (9, set())])
def test_a_lead_is_its_owners_until_it_is_decided_that_it_ends_since_whenever_both_are_one_person(
    world: World, decided_s: float, findings: set[str]
) -> None:
    for event_id in ("call-mail", "met-phone-1"):
        world.drop(event_id)
    del world.ledger.activities["call-mail"]
    assign(world, "mail", "bob", generation=1, seconds=1)
    linked = {"lead_version": 2, "contact": None, "was": "assigned", "one_person_since": at(3).isoformat()}
    world.change("merged-mail", decided_at=at(decided_s).isoformat(), **linked)
    for lead_id in ("phone", "mail"):
        end(world, lead_id, 1, "breached", due_at=at(7).isoformat(), detected_at=at(8.5).isoformat())
        world.evidence.windows = {**world.evidence.windows, (lead_id, 1): "breached"}
    world.evidence.verdicts = [*world.evidence.verdicts[:-1], Verdict("mail", 1, "assigned", "inq-mail")]
    held = Holding("mail-1", "mail", 1, "bob", "benelux", active=False)
    world.evidence.holdings = [*world.evidence.holdings, held]
    world.evidence.rotations = {"benelux": Rotation(5, {"ann": 3, "bob": 2})}
    assert found(world) == findings


def test_a_promise_that_runs_when_the_score_rises_goes_on(world: World) -> None:
    rescore(world, seconds=2)
    world.drop("op-called-2")
    world.evidence.holdings = [
        replace(world.evidence.holdings[0], active=False),
        Holding("called-2", "called", 2, "ann", "benelux", active=True),
        *world.evidence.holdings[1:],
    ]
    world.evidence.verdicts = [*world.evidence.verdicts, Verdict("called", 2, "reassigned", "inq-called")]
    assert found(world) == set()
