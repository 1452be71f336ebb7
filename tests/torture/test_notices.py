"""Each promise about notices broken once, by hand: the checker finds it, and calls it by its name. Without any
service."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.torture.ledger import Evidence, Ledger, NoticeRow, Receipt
from tests.torture.notices import RECORDED_WITHIN, notice_findings
from tests.torture.receiver import SECRET, People, receipt
from tests.torture.world import ESCALATIONS, RULES, World, at, end, inquire

_RULES = replace(RULES, steps={2: ("manager",), 4: ("ops",)})
_PEOPLE = {"rep": "ann", "manager": "mia", "ops": None}


def fire(world: World, lead_id: str, level: int, role: str) -> None:
    to = [{"role": role, "person": _PEOPLE[role]}]
    escalation_id, window_id = f"e-{lead_id}", f"w-{lead_id}"
    kind = "window.warned" if level == 1 else "escalation.raised"
    data = {"window_id": window_id, "escalation_id": escalation_id, "level": level, "to": to}
    world.add(ESCALATIONS, f"{lead_id}-{level}", kind, lead_id, **data)


def tell(world: World, lead_id: str, event: str, role: str, kind: str, seconds: float) -> None:
    """A notice that was sent alone, and taken."""
    name, escalation_id = f"nt-{event}-{role}", None if kind == "warning" else f"e-{lead_id}"
    row = NoticeRow(name, f"ms-{name}", event, f"w-{lead_id}", escalation_id, kind, role, _PEOPLE[role], "told")
    world.evidence.notices = [*world.evidence.notices, row]
    world.ledger.receipts.append(Receipt(at(seconds), name, kind, role, 1, verified=True, answered=True))
    world.add(ESCALATIONS, f"told-{name}", "notice.delivered", lead_id, notice_id=name)


@pytest.fixture
def world() -> World:
    """Ann was warned of `ignored`, then it was missed, and its ladder climbed. `answered` was missed, then answered."""
    made = World(Ledger(), Evidence())
    for lead_id in ("ignored", "answered"):
        inquire(made, lead_id)
        fire(made, lead_id, 1, "rep")
        tell(made, lead_id, f"{lead_id}-1", "rep", "warning", 4)
        end(made, lead_id, 1, "breached", window_id=f"w-{lead_id}")
        fire(made, lead_id, 2, "manager")
        tell(made, lead_id, f"{lead_id}-2", "manager", "breach", 9)
    fire(made, "ignored", 4, "ops")
    tell(made, "ignored", "ignored-4", "ops", "breach", 13)
    ids = {"window_id": "w-answered", "escalation_id": "e-answered"}
    made.add(ESCALATIONS, "closed", "escalation.closed", "answered", **ids)
    tell(made, "answered", "closed", "manager", "closed", 12)
    return made


def found(world: World) -> set[str]:
    findings = notice_findings(world.ledger, world.evidence, world.evidence.records, _RULES)
    return {finding.kind for finding in findings}


def change_row(world: World, name: str, **changes: str) -> None:
    rows = world.evidence.notices
    world.evidence.notices = [replace(row, **changes) if row.notice_id == name else row for row in rows]


def drop_row(world: World, name: str) -> None:
    world.evidence.notices = [row for row in world.evidence.notices if row.notice_id != name]


def change_receipt(world: World, name: str, **changes: object) -> None:
    made = [replace(each, **changes) if each.message_id == name else each for each in world.ledger.receipts]  # type: ignore[arg-type]
    world.ledger.receipts = made


def again(world: World, name: str, seconds: float, **changes: object) -> None:
    """The message arrives once more, so many seconds later."""
    first = next(each for each in world.ledger.receipts if each.message_id == name)
    at_ = first.at + (at(seconds) - at(0))
    world.ledger.receipts.append(replace(first, at=at_, **changes))  # type: ignore[arg-type]


def test_a_world_in_which_everyone_was_told_once_gives_no_findings(world: World) -> None:
    assert found(world) == set()


def fire_it_twice(world: World) -> None:
    data = world.record("ignored-2").data
    world.add(ESCALATIONS, "other", "escalation.raised", "ignored", **{**data, "to": []})


def skip_the_last_step(world: World) -> None:
    world.drop("ignored-4")


def fire_it_for_the_rep(world: World) -> None:
    world.change("ignored-4", to=[{"role": "rep", "person": "ann"}])


def forget_the_notice(world: World) -> None:
    drop_row(world, "nt-ignored-2-manager")


def forget_the_warning(world: World) -> None:
    drop_row(world, "nt-ignored-1-rep")


def say_nothing_of_the_end(world: World) -> None:
    drop_row(world, "nt-closed-manager")


def make_it_twice(world: World) -> None:
    row = next(row for row in world.evidence.notices if row.notice_id == "nt-ignored-4-ops")
    world.evidence.notices = [*world.evidence.notices, replace(row, notice_id="other")]


def make_one_of_nothing(world: World) -> None:
    world.drop("ignored-1")


def end_what_goes_on(world: World) -> None:
    world.drop("closed")


def fail_to_send(world: World) -> None:
    change_row(world, "nt-ignored-4-ops", state="failed")


def drop_what_goes_on(world: World) -> None:
    change_row(world, "nt-ignored-4-ops", state="dropped")


def announce_nothing(world: World) -> None:
    world.drop("told-nt-ignored-4-ops")


def send_nothing(world: World) -> None:
    world.ledger.receipts = [each for each in world.ledger.receipts if each.message_id != "nt-ignored-4-ops"]


def answer_nothing(world: World) -> None:
    change_receipt(world, "nt-ignored-4-ops", answered=False)


def send_to_somebody_else(world: World) -> None:
    change_receipt(world, "nt-ignored-4-ops", role="manager")


def send_it_unsigned(world: World) -> None:
    change_receipt(world, "nt-ignored-4-ops", verified=False)


def send_what_nobody_said(world: World) -> None:
    world.ledger.receipts.append(Receipt(at(9), "other", "breach", "ops", 1, verified=True, answered=True))


def send_it_twice(world: World) -> None:
    again(world, "nt-ignored-4-ops", 2)


def send_it_under_another_id(world: World) -> None:
    again(world, "nt-ignored-4-ops", 2, message_id="ms-nt-ignored-4-ops")


def tell_of_two_and_send_one(world: World) -> None:
    change_row(world, "nt-ignored-2-manager", message_id="ms-nt-answered-2-manager")
    world.ledger.receipts = [each for each in world.ledger.receipts if each.message_id != "nt-ignored-2-manager"]


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (fire_it_twice, "two firings"),
        (skip_the_last_step, "missed step"),
        (fire_it_for_the_rep, "wrong recipients"),
        (forget_the_notice, "no notice"),
        (forget_the_warning, "no notice"),
        (say_nothing_of_the_end, "no notice"),
        (make_it_twice, "two notices"),
        (make_one_of_nothing, "made up"),
        (end_what_goes_on, "made up"),
        (fail_to_send, "untold"),
        (drop_what_goes_on, "untold"),
        (announce_nothing, "notice differs"),
        (send_nothing, "never received"),
        (answer_nothing, "never received"),
        (send_to_somebody_else, "changed notice"),
        (send_it_unsigned, "bad signature"),
        (send_what_nobody_said, "made up"),
        (send_it_twice, "told twice"),
        (send_it_under_another_id, "changed id"),
        (tell_of_two_and_send_one, "never received"),
    ],
)
def test_a_broken_promise_about_notices_is_found_by_its_name(
    world: World, harm: Callable[[World], None], kind: str
) -> None:
    harm(world)
    assert kind in found(world)


def test_one_message_may_tell_of_several_promises(world: World) -> None:
    tell_of_two_and_send_one(world)
    change_receipt(world, "nt-answered-2-manager", message_id="ms-nt-answered-2-manager", count=2)
    assert found(world) == set()


def test_a_warning_may_be_dropped_once_the_promise_has_ended(world: World) -> None:
    change_row(world, "nt-ignored-1-rep", state="dropped")
    world.drop("told-nt-ignored-1-rep")
    world.ledger.receipts = [each for each in world.ledger.receipts if each.message_id != "nt-ignored-1-rep"]
    assert found(world) == set()


def test_a_message_may_come_again_after_its_answer_was_lost(world: World) -> None:
    again(world, "nt-ignored-4-ops", 2)
    world.ledger.receipts[-1], first = replace(world.ledger.receipts[-1], answered=True), "nt-ignored-4-ops"
    receipts = [each for each in world.ledger.receipts if each.message_id == first]
    world.ledger.receipts = [each for each in world.ledger.receipts if each.message_id != first]
    world.ledger.receipts += [replace(receipts[0], answered=False), receipts[1]]
    assert found(world) == set()


@pytest.mark.parametrize(
    ("killed_s", "findings"),
    [(-1, {"told twice"}), (1, set()), (RECORDED_WITHIN.total_seconds() + 1, {"told twice"})],
)
def test_a_message_may_come_again_after_a_kill_before_it_was_recorded(
    world: World, killed_s: float, findings: set[str]
) -> None:
    again(world, "nt-ignored-4-ops", 60)
    world.evidence.interrupted = [(at(13 + killed_s), at(13 + killed_s))]
    assert found(world) == findings


def test_people_hang_up_at_some_messages_once_and_note_each_that_arrives() -> None:
    ledger = Ledger()
    people = People(ledger)
    answers = {
        f"nt-{number}": [people.take({"webhook-id": f"nt-{number}"}, b"") for _ in range(2)] for number in range(60)
    }
    hung_up = [name for name, (first, _) in answers.items() if first is None]
    assert 0 < len(hung_up) < 20
    assert all(second == b"400 Bad Request" for _, second in answers.values())
    assert [each.message_id for each in ledger.receipts if not each.answered] == hung_up
    assert people.secret == SECRET


def test_a_receipt_says_about_how_many_promises_the_message_is() -> None:
    said = {"id": "ms", "kind": "breach", "role": "ops", "headline": "Overdue: first response, 37 leads, first was due"}
    assert receipt("ms", said, at(0), answered=True).count == 37
    assert receipt("ms", {**said, "headline": "Overdue: first response, was due"}, at(0), answered=True).count == 1
    assert not receipt("other", said, at(0), answered=True).verified
