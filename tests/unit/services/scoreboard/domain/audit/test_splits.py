"""What the auditor says about promises on leads that were taken for one person's until someone split them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.agreement import Duration, Pause
from shared.domain.events import Event
from tests.kit.audits import DEAL, HAND_OFF, audited, window
from tests.kit.events import activity, after, assigned, merged, reassigned, split

QUIET = replace(DEAL, ladders={})
PROMISE = DEAL.promises["first_response"]
JOINED = merged("ld_2", into="ld_1", was=None, lead_version=2, decided_at=after(1), agreement=DEAL.ref)
APART = [
    split("ld_2", was_part_of="ld_1", split_off=None, lead_version=3, decided_at=after(60)),
    split("ld_1", was_part_of=None, split_off="ld_2", lead_version=3, decided_at=after(60)),
]
OF_ONE = [assigned(**HAND_OFF), JOINED, *APART]


def statuses(*events: Event, state: str) -> str:
    [(status, _, _)] = audited([*OF_ONE, *events], window(state=state), deal=QUIET)
    return str(status)


@pytest.mark.parametrize(
    ("lead", "minute", "right"),
    [
        ("ld_1", 5, {"met"}),
        ("ld_1", 20, {"breached"}),
        # The monitor may have read it before the split, and then it kept the promise, or only after it.
        ("ld_2", 5, {"met", "breached"}),
        ("ld_2", 20, {"breached"}),
    ],
)
def test_what_ran_before_the_split_ended_as_the_facts_of_both_call_for_or_as_its_own(
    lead: str, minute: float, right: set[str]
) -> None:
    call = activity(lead, accepted_at=after(minute))
    for state in ("met", "breached", "cancelled"):
        found = statuses(call, state=state)
        assert found == ("right" if state in right else "different"), state


def test_what_was_reported_under_the_other_id_after_the_split_keeps_nothing() -> None:
    late = window(state="met", due_at=after(120), decide_at=after(120) + timedelta(seconds=2))
    slow = replace(QUIET, promises={"first_response": replace(PROMISE, within=Duration(120 * 60))})
    for minute, right in ((50, "right"), (100, "different")):
        call = activity("ld_2", accepted_at=after(minute))
        [(status, _, _)] = audited([*OF_ONE, call], late, deal=slow)
        assert status == right


def test_a_part_of_a_split_lead_is_checked_from_its_split_on() -> None:
    for minute, theirs_count in ((61, True), (76, False)):
        again = reassigned(
            **HAND_OFF | {"assigned_at": after(minute)}, generation=2, lead_version=4, rep=assigned().rep
        )
        events = [*OF_ONE, again]
        first, second = window(state="breached"), window(generation=2, opened_at=after(minute), state="met")
        mine, theirs = (activity(each, accepted_at=after(minute + 1)) for each in ("ld_1", "ld_2"))
        met = [("right", "breached", "breached"), ("right", "met", "met")]
        assert audited([*events, mine], first, second, deal=QUIET) == met
        # The split is read on the other id's partition: perhaps later than the new assignment.
        found = [each[0] for each in audited([*events, theirs], first, second, deal=QUIET)]
        assert found == ["right", "right" if theirs_count else "different"]
        assert audited(events, first, deal=QUIET)[1] == ("different", "a window", "never opened")


def test_what_can_not_be_known_of_a_lead_that_was_split_is_not_checked_and_the_reason_is_said() -> None:
    often = [
        merged("ld_2", into="ld_1", was=None, lead_version=4, decided_at=after(70), agreement=DEAL.ref),
        split("ld_2", was_part_of="ld_1", split_off=None, lead_version=5, decided_at=after(80)),
    ]
    assert audited([*OF_ONE, *often], window()) == [("not checked", "", "the lead was merged and split more than once")]
    why = "its score rose, or it was paused, about when the lead was split"
    risen = reassigned(
        **HAND_OFF | {"assigned_at": after(65)}, generation=2, lead_version=4, because="rescored", previous_rep="ann",
        rep=assigned().rep,
    )  # fmt: skip
    second = window(generation=2, opened_at=after(65), state="met")
    assert audited([*OF_ONE, risen], window(state="breached"), second, deal=QUIET)[1] == ("not checked", "", why)
    anew = reassigned(**HAND_OFF | {"assigned_at": after(100)}, generation=2, lead_version=4, rep=assigned().rep)
    risen = reassigned(
        **HAND_OFF | {"assigned_at": after(105)}, generation=3, lead_version=5, because="rescored", previous_rep="ann",
        rep=assigned().rep,
    )  # fmt: skip
    third = window(generation=3, opened_at=after(105), state="met")
    found = {each[0] for each in audited([*OF_ONE, anew, risen], window(state="breached"), third, deal=QUIET)}
    assert "not checked" not in found
    assert "different" in found
    first = replace(PROMISE, within=Duration(3600), pause=Pause(Duration(7200), 1))
    pausing = replace(QUIET, promises={"first_response": first})
    for minute, status in ((50, "not checked"), (20, "different")):
        paused = activity("ld_2", kind="paused", accepted_at=after(minute))
        [found] = audited([*OF_ONE, paused], window(state="breached", due_at=after(61)), deal=pausing)
        assert found[0] == status
