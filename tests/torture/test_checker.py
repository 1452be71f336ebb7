"""Each promise broken once, by hand, in a small world in which all was well: the checker finds it, and calls it by its
name. Without any service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.torture.checker import check
from tests.torture.ledger import (
    Activity,
    Holding,
    Rotation,
    Verdict,
    Webhook,
)
from tests.torture.world import (
    ACTIVITIES,
    ASSIGNMENTS,
    ESCALATIONS,
    INQUIRIES,
    RULES,
    World,
    all_well,
    assign,
    at,
    end,
    inquire,
)


@pytest.fixture
def world() -> World:
    return all_well()


def found(world: World) -> set[str]:
    return {finding.kind for finding in check(world.ledger, world.evidence, RULES)}


def test_a_world_in_which_all_was_well_gives_no_findings(world: World) -> None:
    assert check(world.ledger, world.evidence, RULES) == []


def test_a_record_that_is_written_twice_is_no_finding(world: World) -> None:
    world.evidence.records = [*world.evidence.records, *world.evidence.records]
    world.ledger.webhooks *= 2
    assert check(world.ledger, world.evidence, RULES) == []


def lose_the_inquiry(world: World) -> None:
    world.drop("in-called")


def lose_the_announcement(world: World) -> None:
    world.drop("as-called-1")


def lose_the_row(world: World) -> None:
    world.evidence.verdicts = world.evidence.verdicts[1:]


def lose_the_activity(world: World) -> None:
    world.drop("call-called")


def join_it_as_well(world: World) -> None:
    world.add(ASSIGNMENTS, "again", "lead.merged", "called", lead_version=2, inquiry_id="inq-called")


def store_another_verdict(world: World) -> None:
    world.evidence.verdicts = [*world.evidence.verdicts, Verdict("called", 2, "rejected", "inq-called")]


def announce_another_verdict_than_is_stored(world: World) -> None:
    world.evidence.verdicts = [Verdict("called", 1, "rejected", "inq-called"), *world.evidence.verdicts[1:]]


def give_it_to_bob_as_well(world: World) -> None:
    data = {**world.record("as-called-1").data, "rep": {"id": "bob"}, "assignment_id": "other", "lead_version": 2}
    world.add(ASSIGNMENTS, "other", "lead.reassigned", "called", **data)


def leave_the_first_owner_active(world: World) -> None:
    rows = world.evidence.holdings
    world.evidence.holdings = [rows[0], replace(rows[1], active=True), *rows[2:]]


def store_the_generation_twice(world: World) -> None:
    row = Holding("other", "called", 1, "bob", "benelux", active=False)
    world.evidence.holdings = [*world.evidence.holdings, row]


def store_another_owner(world: World) -> None:
    rows = world.evidence.holdings
    world.evidence.holdings = [replace(rows[0], rep="bob"), *rows[1:]]


def let_bob_wait(world: World) -> None:
    for number in range(6):
        lead_id = f"more-{number}"
        inquire(world, lead_id)
        assign(world, lead_id, "ann", generation=1, seconds=1)


def count_a_turn_too_many(world: World) -> None:
    world.evidence.rotations = {"benelux": Rotation(5, {"ann": 4, "bob": 1})}


def go_back_a_version(world: World) -> None:
    world.change("as-missed-2", lead_version=1)


def count_an_inquiry_too_few(world: World) -> None:
    world.evidence.conservation = {"balanced": True, "in_flight": 0, "received": 3}


def leave_one_on_its_way(world: World) -> None:
    world.evidence.conservation = {"balanced": True, "in_flight": 1, "received": 4}


def leave_an_outbox_full(world: World) -> None:
    world.evidence.unfinished = {"events in an outbox": 3}


def set_one_aside(world: World) -> None:
    world.add(
        "baton.quarantine.v1", "q", "record.quarantined", "called", origin="here", code="Refused", service="router"
    )


def ignore_an_unreadable_record(world: World) -> None:
    world.ledger.bad_records = {(INQUIRIES, f"{INQUIRIES}/0/7")}


def lose_what_ingest_could_not_read(world: World) -> None:
    world.ledger.set_aside = {"inq-unreadable"}


def forget_the_breach(world: World) -> None:
    world.drop("breached-missed-1")
    world.evidence.windows = {**world.evidence.windows, ("missed", 1): "open"}


def breach_what_was_kept(world: World) -> None:
    end(world, "called", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8).isoformat())


def breach_what_was_answered_in_time_by_our_clock(world: World) -> None:
    # Ingest would have dated the call late, though its sender had the answer before the deadline.
    world.change("call-called", accepted_at=at(9).isoformat())
    world.drop("met-called-1")
    breach_what_was_kept(world)
    world.evidence.windows = {**world.evidence.windows, ("called", 1): "breached"}


def meet_it_with_nothing(world: World) -> None:
    world.drop("call-missed")
    del world.ledger.activities["call-missed"]


def breach_it_twice(world: World) -> None:
    data = world.record("breached-missed-1").data
    world.add(ESCALATIONS, "another", "window.breached", "missed", **data)


def take_the_breach_back(world: World) -> None:
    world.add(ESCALATIONS, "back", "breach.retracted", "missed", generation=1)


def watch_nothing(world: World) -> None:
    world.drop("op-called-1")


def store_the_window_otherwise(world: World) -> None:
    world.evidence.windows = {**world.evidence.windows, ("called", 1): "cancelled"}


def deliver_nothing(world: World) -> None:
    world.ledger.webhooks = world.ledger.webhooks[1:]


def deliver_it_unsigned(world: World) -> None:
    world.ledger.webhooks[0] = replace(world.ledger.webhooks[0], verified=False)


def deliver_it_under_another_id(world: World) -> None:
    world.ledger.webhooks.append(replace(world.ledger.webhooks[0], webhook_id="new"))


def deliver_it_otherwise(world: World) -> None:
    event = {**world.ledger.webhooks[0].event, "data": {}}
    world.ledger.webhooks.append(replace(world.ledger.webhooks[0], event=event))


def deliver_what_nobody_said(world: World) -> None:
    world.ledger.webhooks.append(Webhook("x", {"id": "x"}, verified=True))


def say_two_things_under_one_id(world: World) -> None:
    record = world.record("as-called-1")
    world.evidence.records = [*world.evidence.records, replace(record, data={**record.data, "pool": "other"})]


def set_it_aside_twice(world: World) -> None:
    set_one_aside(world)
    record = world.record("q")
    world.evidence.records = [*world.evidence.records, replace(record, data={**record.data, "at": at(3).isoformat()})]


def answer_with_two_ids(world: World) -> None:
    world.ledger.inquiries["called"].answers.add(("inq-other", "called"))


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lose_the_inquiry, "loss"),
        (lose_the_announcement, "loss"),
        (lose_the_row, "loss"),
        (lose_the_activity, "loss"),
        (join_it_as_well, "two verdicts"),
        (store_another_verdict, "two verdicts"),
        (announce_another_verdict_than_is_stored, "two verdicts"),
        (give_it_to_bob_as_well, "double assignment"),
        (leave_the_first_owner_active, "double assignment"),
        (store_the_generation_twice, "double assignment"),
        (store_another_owner, "assignment differs"),
        (let_bob_wait, "unfair turns"),
        (count_a_turn_too_many, "turns differ"),
        (go_back_a_version, "order"),
        (count_an_inquiry_too_few, "conservation"),
        (leave_one_on_its_way, "conservation"),
        (leave_an_outbox_full, "unfinished"),
        (set_one_aside, "quarantine"),
        (ignore_an_unreadable_record, "not quarantined"),
        (lose_what_ingest_could_not_read, "loss"),
        (forget_the_breach, "missed breach"),
        (breach_what_was_kept, "false breach"),
        (breach_what_was_kept, "two endings"),
        (breach_what_was_answered_in_time_by_our_clock, "false breach"),
        (meet_it_with_nothing, "false meeting"),
        (meet_it_with_nothing, "missed breach"),
        (breach_it_twice, "two breaches"),
        (take_the_breach_back, "retraction"),
        (watch_nothing, "missed window"),
        (store_the_window_otherwise, "window differs"),
        (deliver_nothing, "undelivered"),
        (deliver_it_unsigned, "bad signature"),
        (deliver_it_under_another_id, "changed id"),
        (deliver_it_otherwise, "changed event"),
        (deliver_what_nobody_said, "made up"),
        (say_two_things_under_one_id, "changed event"),
        (set_it_aside_twice, "changed event"),
        (answer_with_two_ids, "changed answer"),
    ],
)
def test_a_broken_promise_is_found_by_its_name(world: World, harm: Callable[[World], None], kind: str) -> None:
    harm(world)
    assert kind in found(world)


def test_a_follow_up_within_the_tolerance_counts_and_one_behind_it_does_not(world: World) -> None:
    world.change("call-called", accepted_at=at(8).isoformat())
    assert check(world.ledger, world.evidence, RULES) == []
    world.change("call-called", accepted_at=(at(8) + timedelta(microseconds=1)).isoformat())
    world.ledger.activities["call-called"].accepted_at = at(8.1)
    assert found(world) == {"false meeting", "missed breach"}


def test_a_follow_up_that_a_clock_ahead_dated_late_counts_or_not_unless_it_was_answered_in_time(world: World) -> None:
    world.change("call-called", accepted_at=at(9).isoformat())
    world.ledger.activities["call-called"].accepted_at = at(7.5)
    assert check(world.ledger, world.evidence, RULES) == []
    world.drop("met-called-1")
    end(world, "called", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8).isoformat())
    world.evidence.windows = {**world.evidence.windows, ("called", 1): "breached"}
    assert not found(world) & {"false breach", "missed breach"}


def test_a_follow_up_that_its_sender_dated_takes_a_breach_back_however_late_it_is_reported(world: World) -> None:
    world.change("call-called", accepted_at=at(60).isoformat(), happened_at=at(4).isoformat())
    world.ledger.activities["call-called"].accepted_at = at(60.1)
    assert check(world.ledger, world.evidence, RULES) == []
    world.drop("met-called-1")
    end(world, "called", 1, "breached", due_at=at(7).isoformat(), detected_at=at(8.5).isoformat())
    world.evidence.windows = {**world.evidence.windows, ("called", 1): "breached"}
    assert "false breach" in found(world)
    world.add(ESCALATIONS, "retracted-called", "breach.retracted", "called", generation=1)
    assert not found(world) & {"false breach", "retraction"}


@pytest.mark.parametrize(("first_s", "excused"), [(None, True), (-60, False)])
def test_an_end_that_was_accepted_before_the_promise_excuses_nobody_though_it_is_accepted_again(
    world: World, first_s: float | None, excused: bool
) -> None:
    for name, second in (("first", first_s), ("again", 3)):
        if second is not None:
            data = {"activity_id": "lost", "kind": "lost", "accepted_at": at(second).isoformat()}
            world.add(ACTIVITIES, f"lost-{name}", "activity.recorded", "missed", **data)
    world.ledger.activities["lost"] = Activity("lost", "missed", "lost", at(3), at(3.1))
    assert ("false breach" in found(world)) is excused


@pytest.mark.parametrize(("previous_ended_s", "findings"), [(None, set()), (9, {"missed breach"})])
def test_an_end_from_before_the_move_excuses_the_next_owner_unless_it_ended_the_cycle_before(
    world: World, previous_ended_s: float | None, findings: set[str]
) -> None:
    for event_id in ("call-missed", "met-missed-2"):
        world.drop(event_id)
    del world.ledger.activities["call-missed"]
    world.ledger.activities["lost"] = Activity("lost", "missed", "lost", at(9), at(9.1))
    data = {"activity_id": "lost", "kind": "lost", "accepted_at": at(9).isoformat()}
    world.add(ACTIVITIES, "lost", "activity.recorded", "missed", **data)
    ended_at = at(previous_ended_s).isoformat() if previous_ended_s is not None else None
    world.change("as-missed-2", previous_ended_at=ended_at)
    end(world, "missed", 2, "cancelled")
    world.evidence.windows = {**world.evidence.windows, ("missed", 2): "cancelled"}
    assert found(world) == findings


def test_a_move_or_an_end_before_the_deadline_excuses_the_owner(world: World) -> None:
    for event_id in ("breached-missed-1", "call-missed", "met-missed-2"):
        world.drop(event_id)
    del world.ledger.activities["call-missed"]
    end(world, "missed", 1, "cancelled")
    world.change("as-missed-2", assigned_at=at(5).isoformat(), respond_by=at(11).isoformat())
    world.ledger.activities["lost"] = Activity("lost", "missed", "lost", at(9), at(9.1))
    data = {"activity_id": "lost", "kind": "lost", "accepted_at": at(9).isoformat()}
    world.add(ACTIVITIES, "lost", "activity.recorded", "missed", **data)
    end(world, "missed", 2, "cancelled")
    world.evidence.windows = {**world.evidence.windows, ("missed", 1): "cancelled", ("missed", 2): "cancelled"}
    assert check(world.ledger, world.evidence, RULES) == []
