"""What the auditor says about the levels of ladders: a level that is missing or fired after the end is named, and what
the monitor could not know is not held against it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.scoreboard.domain.audit.comparison import findings
from services.scoreboard.domain.audit.notes import announced_in, notes_of
from services.scoreboard.domain.audit.persons import activity_in, persons_of
from services.scoreboard.domain.audit.record import FiredLevel, FoundWindow, Record
from shared.domain.agreement import Agreement, Duration, Pause
from shared.domain.events import ActivityRecorded, Event, LeaveInterval
from shared.domain.ids import event_id
from tests.kit import events as said
from tests.kit.agreements import agreement
from tests.kit.events import NINE, activity, after, assigned, lead_closed, lead_rescheduled

DEAL = agreement(within="4 hours", warn="1 hour", move="1 hour", page="2 hours")
OFFERED = assigned(agreement=DEAL.ref, assigned_at=NINE, received_at=NINE)
WINDOW = event_id("window", "ld_1", "first_response", 1)
WARNED_AT, DUE_AT, BREACHED_AT = 180, 240, 240.1
NEXT_DAY = after(60 * 24)
MINE: dict[str, Any] = {"window_id": WINDOW}
FIRED = ((1, WARNED_AT + 0.1), (2, BREACHED_AT), (3, DUE_AT + 60.1), (4, DUE_AT + 120.1))
"""All levels in time, as number and minute."""


def audited(
    *facts: Event,
    state: str = "breached",
    fired: Sequence[tuple[Any, ...]] = (),
    noted: Sequence[Any] = (),
    due: float = DUE_AT,
    now: datetime = NEXT_DAY,
    deal: Agreement = DEAL,
    stored: bool = True,
    **changes: Any,
) -> str:
    """What is wrong about the promise; its status if nothing is."""
    window = FoundWindow(
        window_id=WINDOW,
        lead_id="ld_1",
        promise="first_response",
        owner="ann",
        generation=1,
        opened_at=NINE,
        due_at=after(due),
        decide_at=after(due) + timedelta(seconds=2),
        state=state,
        stored_state=state,
        **changes,
    )
    levels = [FiredLevel(0, number, after(at), *(outcome or ["raised"])) for number, at, *outcome in fired]
    record = Record(
        windows={WINDOW: window},
        announced={WINDOW: frozenset({"opened", state})},
        fired={WINDOW: levels},
        known_upto=now,
        now=now,
        tolerance=timedelta(seconds=2),
        notes=notes_of([said.opened(**MINE, due_at=after(DUE_AT)), *noted]),
    )
    known = [activity_in(each) for each in facts if isinstance(each, ActivityRecorded)] if stored else []
    [finding] = findings("ld_1", persons_of([OFFERED, *facts], known), {deal.hash: deal}, record)
    return "; ".join(finding.found.split("; ")[1:]) or (finding.status if finding.status == "right" else finding.why)


def breached(at: float = BREACHED_AT) -> Event:
    return said.breached(**MINE, detected_at=after(at))


def met(noted: float | None) -> Event:
    return said.met(**MINE, noted_at=after(noted) if noted is not None else None)


def closed(noted: float | None) -> Event:
    return said.closed(**MINE, noted_at=after(noted) if noted is not None else None)


def test_a_level_that_never_fires_though_nothing_is_over_is_named() -> None:
    assert audited(fired=FIRED, noted=[breached()]) == "right"
    for missing in FIRED:
        rest = [each for each in FIRED if each != missing]
        assert audited(fired=rest, noted=[breached()]).startswith(f"level {missing[0]} was due at ")
    assert audited(fired=FIRED[:2], noted=[breached()], now=after(DUE_AT + 59)) == "right"


def test_a_level_that_was_due_before_an_answer_read_with_it_need_not_fire() -> None:
    answer = activity(accepted_at=after(WARNED_AT + 30))
    assert audited(answer, state="met", noted=[met(DUE_AT + 60)]) == "right"
    late = activity(accepted_at=after(DUE_AT + 100))
    assert audited(late, fired=FIRED[:2], noted=[breached(), closed(DUE_AT + 200)]) == "right"
    # All of it was read together: the breach is found at the same moment.
    assert audited(late, noted=[breached(DUE_AT + 200)]) == "right"
    gone = lead_closed(closed_at=after(DUE_AT + 100), lead_version=2)
    assert audited(gone, noted=[breached(DUE_AT + 200)]) == "right"


def test_a_level_that_is_left_out_before_one_that_fired_is_named_even_if_the_promise_is_over() -> None:
    late = activity(accepted_at=after(DUE_AT + 150))
    noted = [breached(), closed(DUE_AT + 151)]
    assert audited(late, fired=FIRED, noted=noted) == "right"
    assert audited(late, fired=[FIRED[0], FIRED[1], FIRED[3]], noted=noted).startswith("level 3 was due at ")


def test_a_warning_that_is_left_out_before_a_breach_is_named_if_the_answer_came_after_it() -> None:
    late = activity(accepted_at=after(DUE_AT + 30))
    noted = [breached(), closed(DUE_AT + 31)]
    assert audited(late, fired=FIRED[:2], noted=noted) == "right"
    assert audited(late, fired=FIRED[1:2], noted=noted).startswith("level 1 was due at ")


def test_a_level_that_fired_before_an_answer_from_behind_the_watermark_was_read_is_right() -> None:
    early = activity(accepted_at=after(10))
    noted = [breached(), said.retracted(**MINE, noted_at=after(DUE_AT + 300))]
    assert audited(early, state="met", fired=FIRED, noted=noted) == "right"
    # The monitor has not read it, so it is not over for it yet.
    late = activity(accepted_at=after(DUE_AT + 70))
    assert audited(late, fired=FIRED, noted=[breached()], stored=False) == "right"


def test_a_level_that_fired_after_the_end_was_read_is_named() -> None:
    late = activity(accepted_at=after(DUE_AT + 70))
    over = "level 4 fired at 2026-11-23 15:00:06 UTC, though the promise was over at 2026-11-23 "
    assert audited(late, fired=FIRED, noted=[breached(), closed(DUE_AT + 80)]) == f"{over}14:20:00 UTC"
    assert audited(late, fired=FIRED, noted=[breached(), closed(DUE_AT + 120)]) == "right"
    # It has stored the answer, and never says that the promise is over.
    assert audited(late, fired=FIRED, noted=[breached()]) == f"{over}14:10:00 UTC"
    assert audited(late, fired=FIRED, noted=[breached(), closed(None)]) == "right"


PAUSING = replace(
    DEAL, promises={"first_response": replace(DEAL.promises["first_response"], pause=Pause(Duration(7200), 1))}
)
PAUSED = activity(kind="paused", activity_id="p", accepted_at=after(60))
RESUMED = activity(kind="resumed", activity_id="r", accepted_at=after(120))
PAUSED_AT_60 = said.window_paused(
    **MINE, at=after(60), until=after(180), due_at=after(DUE_AT + 120), noted_at=after(60.1)
)
RESUMED_AT_120 = said.window_resumed(**MINE, at=after(120), due_at=after(DUE_AT + 60), noted_at=after(120.1))


def later(*fired: tuple[int, float]) -> list[tuple[int, float]]:
    return [(number, at + 60) for number, at in fired]


def test_the_ladder_of_a_promise_that_paused_is_that_of_its_new_deadline() -> None:
    noted = [PAUSED_AT_60, RESUMED_AT_120, breached(BREACHED_AT + 60)]
    given: dict[str, Any] = {"due": DUE_AT + 60, "deal": PAUSING, "noted": noted}
    assert audited(PAUSED, RESUMED, fired=later(*FIRED), **given) == "right"
    for missing in FIRED:
        rest = [each for each in FIRED if each != missing]
        assert audited(PAUSED, RESUMED, fired=later(*rest), **given).startswith(f"level {missing[0]} was due at ")
    early = audited(PAUSED, RESUMED, fired=[FIRED[0], *later(*FIRED[1:])], **given)
    assert early == "level 1 fired at 2026-11-23 12:00:06 UTC and was due at 2026-11-23 13:00:00 UTC"


def test_a_warning_that_would_fall_into_a_pause_may_come_before_it_and_not_much_earlier() -> None:
    paused, resumed = (
        activity(kind=kind, activity_id=kind, accepted_at=after(at)) for kind, at in (("paused", 210), ("resumed", 270))
    )
    noted = [
        said.window_paused(**MINE, at=after(210), until=after(330), due_at=after(DUE_AT + 120), noted_at=after(210.1)),
        said.window_resumed(**MINE, at=after(270), due_at=after(DUE_AT + 60), noted_at=after(270.1)),
        breached(BREACHED_AT + 60),
    ]
    # By the first deadline, the hour before it begins 30 minutes earlier if the clock stands still during its last 30.
    for warned_at, right in ((WARNED_AT + 0.1, True), (WARNED_AT - 31, False)):
        fired = [(1, warned_at), *later(*FIRED[1:])]
        found = audited(paused, resumed, fired=fired, noted=noted, due=DUE_AT + 60, deal=PAUSING)
        assert (found == "right") is right, found


def test_what_fired_before_leave_moved_the_deadline_stays_and_the_rest_follows_it() -> None:
    leave = LeaveInterval(after(200), after(260))
    changed = lead_rescheduled(
        changed_at=after(190), owner_leave=(leave,), rep=OFFERED.rep, generation=1, lead_version=2
    )
    moved = said.window_rescheduled(**MINE, at=after(190), due_at=after(DUE_AT + 60), noted_at=after(190.1))
    given: dict[str, Any] = {"due": DUE_AT + 60, "noted": [moved, breached(BREACHED_AT + 60)]}
    assert audited(changed, fired=[FIRED[0], *later(*FIRED[1:])], **given) == "right"
    assert audited(changed, fired=later(*FIRED[1:]), **given).startswith("level 1 was due at ")
    assert audited(changed, fired=[FIRED[0], FIRED[1], *later(*FIRED[2:])], **given).startswith("level 2 fired at ")


PAUSE_READ_AT = DUE_AT + 30
TAKEN_BACK: dict[str, Any] = {
    "due": DUE_AT + 120,
    "deal": PAUSING,
    "again": 1,
    "noted": [
        breached(),
        said.retracted(**MINE, noted_at=after(PAUSE_READ_AT), reason="paused", met_by=""),
        closed(PAUSE_READ_AT),
        said.opened(**MINE, due_at=after(DUE_AT + 120), again=1),
        said.window_paused(
            **MINE, at=after(60), until=after(180), due_at=after(DUE_AT + 120), noted_at=after(PAUSE_READ_AT)
        ),
        breached(BREACHED_AT + 120),
    ],
}
"""A pause that was read half an hour after the breach: the promise runs again until two hours later."""
WARNING, *OTHERS = FIRED
FIRED_AGAIN = [WARNING, *((number, at + 120) for number, at in OTHERS)]


def test_a_promise_that_runs_again_fires_all_but_its_warnings_again() -> None:
    assert audited(PAUSED, fired=FIRED_AGAIN, **TAKEN_BACK) == "right"
    for missing in FIRED_AGAIN[1:]:
        # What fired before the breach was taken back does not do for what was due after it.
        before = [(number, at) for number, at in OTHERS if number == missing[0]]
        for instead in ([], before):
            fired = [each for each in FIRED_AGAIN if each != missing] + instead
            found = audited(PAUSED, fired=fired, **TAKEN_BACK)
            assert found.startswith(f"level {missing[0]} "), (fired, found)
    assert audited(PAUSED, fired=FIRED_AGAIN[1:], **TAKEN_BACK).startswith("level 1 was due at ")


def test_until_its_later_deadline_a_promise_that_runs_again_has_the_levels_from_before() -> None:
    noted = TAKEN_BACK["noted"][:-1]
    given: dict[str, Any] = TAKEN_BACK | {"state": "open", "noted": noted, "now": after(DUE_AT + 100)}
    assert audited(PAUSED, fired=FIRED[:2], **given).startswith("due ")
    assert "level 3 fired at " in audited(PAUSED, fired=[*FIRED[:2], (3, DUE_AT + 60.1)], **given)


def test_an_answer_ends_the_ladder_of_a_promise_that_runs_again() -> None:
    late = activity(accepted_at=after(DUE_AT + 200))
    noted = [*TAKEN_BACK["noted"], closed(DUE_AT + 201)]
    given: dict[str, Any] = TAKEN_BACK | {"noted": noted}
    assert audited(PAUSED, late, fired=FIRED_AGAIN[:3], **given) == "right"
    assert "level 4 fired at " in audited(PAUSED, late, fired=FIRED_AGAIN, **given)
    assert "level 2 was due at " in audited(PAUSED, late, fired=[WARNING, FIRED_AGAIN[2]], **given)
    answer = activity(accepted_at=after(DUE_AT + 20))
    met_at_once = TAKEN_BACK | {"state": "met", "noted": [*TAKEN_BACK["noted"][:-1], met(DUE_AT + 20)]}
    assert audited(PAUSED, answer, fired=FIRED[:2], **met_at_once) == "right"


def test_a_ladder_is_not_checked_if_nothing_says_when_its_breach_was_taken_back() -> None:
    assert audited(again=1) == "its ladder: when its breach was taken back is not known"
    old = [breached(), said.retracted(**MINE, noted_at=None, reason="paused"), said.opened(**MINE, again=1)]
    assert audited(again=1, noted=old) == "its ladder: when its breach was taken back is not known"


def test_what_is_announced_of_a_promise_that_runs_again_is_what_came_since() -> None:
    noted = [said.opened(**MINE), *TAKEN_BACK["noted"]]
    assert announced_in(noted[:-1])[WINDOW] == {"opened"}
    assert announced_in(noted)[WINDOW] == {"opened", "breached"}
    again = said.retracted(**MINE, noted_at=after(DUE_AT + 300))
    assert announced_in([again, *noted])[WINDOW] == {"opened", "breached", "retracted"}
    assert announced_in([*noted[:2], again])[WINDOW] == {"opened", "breached", "retracted"}
