"""What the auditor says about answers to disputes: who owes one, however many ids and leads the person has."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.scoreboard.domain.audit.record import FoundWindow
from shared.domain.agreement import Duration, Promise
from shared.domain.events import Event, LeaveInterval
from shared.domain.ids import event_id
from tests.kit.audits import DEAL, HAND_OFF, audited, window
from tests.kit.events import activity, after, assigned, lead_rescheduled, merged, reassigned

ANSWER = Promise("disputes", Duration(3600), (), "", "wall", side="operations")
ASKED = replace(DEAL, ladders={}, operations={"disputes": ANSWER})
BOB = reassigned().rep
OF_ANN, OF_BOB = assigned(**HAND_OFF), reassigned("ld_2", **HAND_OFF | {"assigned_at": after(5)}, generation=3)
"""Two leads of one person. Bob is the third who has the second one, so the answer is his if both are known."""


def disputed(lead: str = "ld_1", minute: float = 60) -> Event:
    return activity(lead, kind="disputed", activity_id="why", accepted_at=after(minute))


def answer(lead: str = "ld_1", owner: str = "ann", minute: float = 60, **changes: Any) -> FoundWindow:
    due_at: datetime = changes.pop("due_at", after(minute + 60))
    return window(
        lead,
        window_id=event_id("window", lead, "disputes", "activity", "why"),
        promise="disputes",
        side="operations",
        generation=0,
        owner=owner,
        opened_at=after(minute),
        due_at=due_at,
        decide_at=due_at + timedelta(seconds=2),
        **changes,
    )


def on_answers(events: Sequence[Event], *windows: FoundWindow, lead: str = "ld_1") -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = audited(events, *windows, lead=lead, deal=ASKED, promise="disputes")
    return found


def joined(minute: float) -> Event:
    """It turns out that the second lead is the same person's."""
    return merged(
        "ld_2", into="ld_1", was="assigned", decided_at=after(minute), agreement=DEAL.ref, lead_version=4
    )  # fmt: skip


def test_a_dispute_is_owed_an_answer_by_who_had_the_lead_last_whoever_else_is_audited() -> None:
    others = [assigned("ld_9", **HAND_OFF), activity("ld_9", kind="disputed", activity_id="too", accepted_at=after(9))]
    kept = activity(kind="accepted", activity_id="yes", accepted_at=after(90))
    for events in ([OF_ANN, disputed()], [OF_ANN, disputed(), *others]):
        assert on_answers(events, answer(state="breached")) == [("right", "breached", "breached")]
        assert on_answers([*events, kept], answer()) == [("right", "met", "met")]
        assert on_answers(events, answer())[0][0] == "different"
        assert on_answers(events) == [("different", "a window", "never opened")]
        assert on_answers(events, answer(owner="bob", state="breached"))[0][2] == "breached; owed by bob instead of ann"
    assert on_answers([OF_ANN], answer())[0][:2] == ("different", "no window")


def test_of_two_leads_of_one_person_the_last_owner_owes_the_answer_if_both_were_known() -> None:
    first, second = answer(state="cancelled"), answer("ld_2", owner="bob", state="breached")
    known = [OF_ANN, OF_BOB, joined(20), disputed()]
    assert on_answers(known, second, lead="ld_2") == [("right", "breached", "breached")]
    assert on_answers(known) == []
    assert on_answers(known, answer(state="breached"))[0][:2] == ("different", "no window")
    assert on_answers(known, lead="ld_2") == [("different", "a window", "never opened")]
    # It was read about when both turned out to be one person, so either may owe the answer, and one of them has to.
    near = [OF_ANN, OF_BOB, joined(59), disputed()]
    for mine, theirs in ((answer(state="breached"), None), (None, second)):
        windows = [each for each in (mine, theirs) if each is not None]
        statuses = [each[0] for lead in ("ld_1", "ld_2") for each in on_answers(near, *windows, lead=lead)]
        assert statuses == ["right"]
    assert [on_answers(near, lead=lead)[0][0] for lead in ("ld_1", "ld_2")] == ["different", "different"]
    later = [OF_ANN, OF_BOB, disputed(), joined(120)]
    assert on_answers(later, answer(state="breached")) == [("right", "breached", "breached")]
    assert on_answers(later, first)[0][0] == "different"


def test_a_dispute_under_an_id_that_was_no_lead_is_owed_an_answer_on_the_lead() -> None:
    join = merged("ld_2", into="ld_1", was=None, decided_at=after(90), agreement=DEAL.ref)
    events = [OF_ANN, disputed("ld_2"), join]
    assert on_answers(events, answer(state="breached")) == [("right", "breached", "breached")]
    assert on_answers(events) == [("different", "a window", "never opened")]


def test_leave_of_who_owes_the_answer_moves_its_deadline() -> None:
    leave = LeaveInterval(after(90), after(600))
    changed = lead_rescheduled(changed_at=after(70), owner_leave=(leave,), rep=OF_ANN.rep, generation=1, lead_version=2)
    events = [OF_ANN, disputed(), changed]
    for due, right in ((630, True), (120, True), (121, False)):
        [(status, _, _)] = on_answers(events, answer(state="breached", due_at=after(due)))
        assert (status == "right") is right, due


def test_a_dispute_that_comes_too_late_is_owed_no_answer() -> None:
    rejected = activity(kind="rejected", activity_id="no", accepted_at=after(10), reason="no_budget")
    deal = replace(ASKED, dispute_within=Duration(1800))
    for minute, owed in ((60, False), (39, True)):
        found = audited([OF_ANN, rejected, disputed(minute=minute)], deal=deal, promise="disputes")
        assert (found == [("different", "a window", "never opened")]) is owed
