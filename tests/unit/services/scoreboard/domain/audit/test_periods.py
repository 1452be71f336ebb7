"""What the auditor says about promises of marketing, from facts alone."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.scoreboard.domain.audit.periods import Tally, handed_over, period_finding
from services.scoreboard.domain.audit.persons import persons_of
from services.scoreboard.domain.audit.record import FoundWindow, Record
from services.scoreboard.domain.audit.working_time import NotChecked
from shared.domain.agreement import Commitment
from shared.domain.event import PromisePeriod
from shared.domain.events import Event
from shared.domain.lead import Contact
from tests.kit.events import NINE, activity, after, assigned, merged, reassigned, split

TOLERANCE = timedelta(seconds=2)
PERIOD = PromisePeriod("day", NINE, after(24 * 60))
OVER = after(25 * 60)
VOLUME = Commitment("volume", Decimal(2), "day", "commitments")
SHARE = Commitment("accepted_share", Decimal("0.5"), "day", "commitments")
COMPLETE = Commitment("completeness", Decimal("0.5"), "day", "commitments", ("contact.phone",))
LATENCY = Commitment("hand_off_latency", Decimal(120), "day", "commitments")


def handed(lead: str, minutes: float = 10, *, waited_s: float = 60, **more: Any) -> Event:
    at = after(minutes)
    ordinary: dict[str, Any] = {"assigned_at": at, "received_at": at - timedelta(seconds=waited_s)}
    return assigned(lead, **ordinary | more)


def decided(lead: str, kind: str = "accepted", minutes: float = 20, **more: Any) -> Event:
    return activity(lead, kind=kind, activity_id=f"{kind}-{lead}", accepted_at=after(minutes), **more)


def tally(events: Sequence[Event]) -> Tally:
    persons, found = persons_of(events), Tally(PERIOD.starts_at, PERIOD.ends_at)
    for _, counted in handed_over(persons, persons.decisions, TOLERANCE):
        for each in counted:
            found.add(each)
    return found


def window(commitment: Commitment, state: str, **changes: Any) -> FoundWindow:
    ordinary: dict[str, Any] = {
        "window_id": "w", "lead_id": "period:1", "promise": commitment.measure, "side": "marketing", "opened_at": NINE,
        "due_at": PERIOD.ends_at, "decide_at": PERIOD.ends_at + TOLERANCE, "state": state, "stored_state": state,
        "period": PERIOD, "counts_from_at": NINE,
    }  # fmt: skip
    return FoundWindow(**ordinary | changes)


def audited(
    commitment: Commitment, events: Sequence[Event], state: str, *, now: Any = OVER, **changes: Any
) -> tuple[str, str]:
    announced = {"w": frozenset({"opened", state})}
    record = Record(windows={}, announced=announced, fired={}, known_upto=now, now=now, tolerance=TOLERANCE)
    finding = period_finding(window(commitment, state, **changes), commitment, tally(events), record)
    return finding.status, finding.expected


JO, EVA = Contact(email="jo@example.com", phone="+3225550100"), Contact(email="eva@example.com")
TWO = [handed("ld_1", contact=JO), handed("ld_2", contact=EVA, waited_s=600)]


@pytest.mark.parametrize(
    ("commitment", "events", "right"),
    [
        (VOLUME, [*TWO, decided("ld_1"), decided("ld_2")], "met"),
        (VOLUME, [*TWO, decided("ld_1"), decided("ld_2", minutes=24 * 60)], "breached"),
        (VOLUME, [*TWO, decided("ld_1"), decided("ld_1", minutes=30)], "breached"),
        (SHARE, TWO, "cancelled"),
        (SHARE, [*TWO, decided("ld_1"), decided("ld_2", "rejected")], "met"),
        (SHARE, [*TWO, decided("ld_2", "rejected")], "breached"),
        (SHARE, [*TWO, decided("ld_2", "rejected"), decided("ld_2", minutes=30)], "met"),
        (SHARE, [*TWO, decided("ld_2", "rejected", reason="duplicate")], "cancelled"),
        (COMPLETE, [], "cancelled"),
        (COMPLETE, TWO, "met"),
        (COMPLETE, [*TWO, handed("ld_3", contact=EVA)], "breached"),
        (LATENCY, TWO, "breached"),
        (LATENCY, TWO[:1], "met"),
        (LATENCY, [*TWO[:1], handed("ld_2", waited_s=600, because="drained")], "met"),
    ],
)  # fmt: skip
def test_a_promise_is_kept_by_what_counts_in_its_period(
    commitment: Commitment, events: Sequence[Event], right: str
) -> None:
    for state in ("met", "breached", "cancelled"):
        assert audited(commitment, events, state) == ("right" if state == right else "different", right)


def test_a_lead_counts_once_per_cycle_whoever_has_it_and_under_whichever_id() -> None:
    moved = reassigned("ld_1", generation=2, lead_version=2, assigned_at=after(30), received_at=NINE)
    again = reassigned(
        "ld_1", generation=3, lead_version=3, cycle=2, because=None, assigned_at=after(90), received_at=after(80),
        previous_ended_at=after(60),
    )  # fmt: skip
    assert len(tally([handed("ld_1"), moved]).handed) == 1
    assert len(tally([handed("ld_1"), moved, again]).handed) == 2
    join = merged("ld_2", into="ld_1", was="assigned", decided_at=after(40), one_person_since=after(40), lead_version=2)
    both = tally([*TWO, join, decided("ld_2", minutes=50)])
    assert (len(both.handed), both.accepted) == (1, 1)


def test_what_can_not_be_counted_is_said_with_the_reason() -> None:
    with pytest.raises(NotChecked, match="split again"):
        tally([handed("ld_1"), split("ld_1", was_part_of="ld_2", split_off=None, lead_version=3)])
    with pytest.raises(NotChecked, match="not in the timeline any more"):
        tally([reassigned("ld_1", generation=2, assigned_at=after(30))])
    late = merged("ld_2", into="ld_1", was="assigned", decided_at=OVER, one_person_since=OVER, lead_version=2)
    events = [*TWO, decided("ld_1"), decided("ld_2"), late]
    assert audited(VOLUME, events, "met")[0] == "not checked"
    assert audited(VOLUME, [], "met", counts_from_at=after(60))[0] == "not checked"


def test_before_its_end_a_period_is_undecided() -> None:
    assert audited(VOLUME, TWO, "open", now=after(60)) == ("undecided", "open")
    assert audited(VOLUME, TWO, "breached", now=after(60)) == ("different", "open")
    assert audited(VOLUME, TWO, "open", now=OVER)[0] == "undecided"
