"""What the auditor says about verdicts on inquiries."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.scoreboard.domain.audit.comparison import findings
from services.scoreboard.domain.audit.inquiries import Watched
from services.scoreboard.domain.audit.persons import persons_of
from services.scoreboard.domain.audit.record import FoundWindow, Record
from shared.domain.agreement import Duration
from shared.domain.agreement_versions import stored_version
from shared.domain.events import Event
from shared.domain.ids import event_id
from tests.kit import events
from tests.kit.agreements import agreement
from tests.kit.events import NINE, after

SMALL = agreement()
DEAL = replace(SMALL, mql=replace(SMALL.mql, hand_off_within=Duration(120)))
ASKED = events.inquiry(accepted_at=NINE)
VERSION = replace(stored_version(DEAL, NINE), activated_at=NINE - timedelta(days=1))


def window(state: str = "breached", **changes: Any) -> FoundWindow:
    ordinary: dict[str, Any] = {
        "window_id": event_id("window", "hand_off", ASKED.inquiry_id),
        "lead_id": ASKED.lead_id,
        "promise": "hand_off",
        "owner": "ops",
        "side": "operations",
        "opened_at": NINE,
        "due_at": after(2),
        "decide_at": after(2) + timedelta(seconds=2),
        "state": state,
        "stored_state": state,
    }
    return FoundWindow(**ordinary | changes)


def audited(*given: Event, found: FoundWindow | None = None, asked: Event = ASKED) -> list[tuple[str, bool]]:
    windows = {found.window_id: found} if found is not None else {}
    record = Record(
        windows=windows,
        announced={each.window_id: frozenset({"opened", each.state}) for each in windows.values()},
        fired={},
        known_upto=after(60),
        now=after(60),
        tolerance=timedelta(seconds=2),
        watched=Watched(NINE, [VERSION]),
    )
    said = findings(ASKED.lead_id, persons_of([asked, *given]), {DEAL.hash: DEAL}, record)
    return [(each.status, each.missing) for each in said]


def ruled_out(minutes: float) -> Event:
    return events.rejected(decided_at=after(minutes), agreement=DEAL.ref, inquiry_id=ASKED.inquiry_id)


def test_a_verdict_in_time_leaves_nothing_and_a_late_one_a_breach() -> None:
    assert audited(ruled_out(1)) == []
    assert audited(ruled_out(3), found=window()) == [("right", False)]
    assert audited(found=window()) == [("right", False)]


def test_a_breach_that_is_missing_or_false_is_named() -> None:
    assert audited(ruled_out(3)) == [("different", True)]
    assert audited(ruled_out(1), found=window()) == [("different", False)]
    assert audited(ruled_out(1), found=window("met")) == [("right", False)]
    assert audited(ruled_out(3), found=window("met")) == [("different", False)]


def test_nothing_is_owed_on_a_test_and_an_acceptance_that_is_not_sure_is_not_checked() -> None:
    assert audited(ruled_out(3), asked=events.inquiry(accepted_at=NINE, test=True)) == []
    assert audited(found=window(opened_at=after(1))) == [("not checked", False)]
